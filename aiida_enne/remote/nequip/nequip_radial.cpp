// A perceptron with SiLU between its layers, each member with its own weights, and its derivatives.
//
// With a_l = h_{l-1} W_l, h_l = silu(a_l) and out = a_L a tile of rows passes all layers while it is
// in the cache. ORDER 0: out; 1: dx and dw of <out, g>; 2: the derivatives of <dx, b> + <dw, c>, from
// the tangents of a and h along b and c, with respect to x, w and g.
// Compiled with -DREAL=float|double and -DLANES, which divides the sizes of all layers.
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <vector>

typedef REAL real;
typedef std::conditional<sizeof(real) == 4, int32_t, int64_t>::type whole;
typedef real vec __attribute__((vector_size(LANES * sizeof(real)), aligned(sizeof(real))));
typedef whole ivec __attribute__((vector_size(LANES * sizeof(real)), aligned(sizeof(real))));
static inline vec load(const real *p) { return *(const vec *)p; }
static inline void store(real *p, vec v) { *(vec *)p = v; }
typedef double wide __attribute__((vector_size(LANES * sizeof(double)), aligned(sizeof(double))));
static const int64_t TILE = 32, FEW = 8;

struct Args {
    int64_t n_members, n_rows, n_layers, w_size;
    const int64_t *sizes;            // of x, of each hidden layer and of out
    const real *x, *w, *g, *b, *c;   // [member][row][size], w and c [member][w_size]; c may be null
    real *out, *dx, *dw, *dg;        // null where nobody wants them
};

static inline vec exponential(vec x) {
    const vec limit = x * 0 + 80;
    x = x > limit ? limit : x < -limit ? -limit : x;
    const vec n = __builtin_convertvector(__builtin_convertvector(x * (real)1.4426950408889634 + (real)1024.5, ivec), vec) - 1024;
    const vec r = (x - n * (real)0.693359375) + n * (real)2.12194440054690583e-4;
    const int terms = sizeof(real) == 4 ? 7 : 14;
    vec sum = x * 0 + 1;
    for (int i = terms; i > 0; i--) sum = sum * (r * (real)(1.0 / i)) + 1;
    const int shift = sizeof(real) == 4 ? 23 : 52, bias = sizeof(real) == 4 ? 127 : 1023;
    return sum * (vec)((__builtin_convertvector(n, ivec) + bias) << shift);
}

// C (+)= A B: rows x n from rows x k and k x n
template <int ROWS> static inline void multiply_rows(const real *A, int64_t k, const real *B, int64_t n, real *C, bool add) {
    for (int64_t j = 0; j < n; j += LANES) {
        vec sum[ROWS] = {};
        for (int64_t i = 0; i < k; i++) {
            const vec row = load(B + i * n + j);
#pragma GCC unroll 8
            for (int r = 0; r < ROWS; r++) sum[r] += A[r * k + i] * row;
        }
#pragma GCC unroll 8
        for (int r = 0; r < ROWS; r++) store(C + r * n + j, add ? load(C + r * n + j) + sum[r] : sum[r]);
    }
}
static void multiply(const real *A, int64_t rows, int64_t k, const real *B, int64_t n, real *C, bool add = false) {
    int64_t r = 0;
    for (; r + 8 <= rows; r += 8) multiply_rows<8>(A + r * k, k, B, n, C + r * n, add);
    for (; r < rows; r++) multiply_rows<1>(A + r * k, k, B, n, C + r * n, add);
}
// C += A^T B: k x n from rows x k and rows x n; k is a multiple of LANES. Rows are summed by a few, these
// within a tile, and tiles in double precision: one sum over thousands of rows would lose digits.
static void accumulate(const real *A, int64_t rows, int64_t k, const real *B, int64_t n, double *C) {
    const int STEP = LANES < 8 ? LANES : 8;
    for (int64_t i = 0; i < k; i += STEP)
        for (int64_t j = 0; j < n; j += LANES) {
            vec sum[STEP] = {};
            for (int64_t first = 0; first < rows; first += FEW) {
                vec few[STEP] = {};
                for (int64_t r = first; r < rows && r < first + FEW; r++) {
                    const vec row = load(B + r * n + j);
#pragma GCC unroll 8
                    for (int s = 0; s < STEP; s++) few[s] += A[r * k + i + s] * row;
                }
                for (int s = 0; s < STEP; s++) sum[s] += few[s];
            }
            for (int s = 0; s < STEP; s++) *(wide *)(C + (i + s) * n + j) += __builtin_convertvector(sum[s], wide);
        }
}

struct Layer {
    int64_t k, n, at;                    // sizes before and after, and where its weights are
    std::vector<real> turned, turned_c;  // W^T and C^T
    std::vector<real> a, h, slope, curve, da, dh;  // after it: slope and curvature of h, tangents
};

static void turn(const real *w, const Layer &l, std::vector<real> &to) {
    to.resize(l.k * l.n);
    for (int64_t i = 0; i < l.k; i++)
        for (int64_t j = 0; j < l.n; j++) to[j * l.k + i] = w[l.at + i * l.n + j];
}

template <int ORDER> static void activate(Layer &l, int64_t rows) {
    for (int64_t i = 0; i < rows * l.n; i += LANES) {
        const vec a = load(l.a.data() + i), s = 1 / (1 + exponential(-a)), slope = s * (1 + a * (1 - s));
        store(l.h.data() + i, a * s);
        if (ORDER > 0) store(l.slope.data() + i, slope);
        if (ORDER < 2) continue;
        store(l.curve.data() + i, s * (1 - s) * (2 + a * (1 - 2 * s)));
        store(l.dh.data() + i, slope * load(l.da.data() + i));
    }
}

template <int ORDER>
static void tile(const Args &q, std::vector<Layer> &layers, int64_t m, int64_t first, int64_t rows, double *sums) {
    const int64_t L = q.n_layers, at = m * q.n_rows + first, width = layers[L - 1].n;
    const real *w = q.w + m * q.w_size, *c = q.c ? q.c + m * q.w_size : nullptr;
    const real *x = q.x + at * layers[0].k, *tangent = ORDER == 2 ? q.b + at * layers[0].k : nullptr;
    auto before = [&](int64_t i) { return i ? layers[i - 1].h.data() : x; };
    auto before_t = [&](int64_t i) { return i ? layers[i - 1].dh.data() : tangent; };
    for (int64_t i = 0; i < L; i++) {
        Layer &l = layers[i];
        real *a = ORDER == 0 && i == L - 1 ? q.out + at * width : l.a.data();
        if (ORDER == 0 || i < L - 1) multiply(before(i), rows, l.k, w + l.at, l.n, a);
        if (ORDER == 2) {
            real *da = i == L - 1 && q.dg ? q.dg + at * width : l.da.data();
            multiply(before_t(i), rows, l.k, w + l.at, l.n, da);
            if (c) multiply(before(i), rows, l.k, c + l.at, l.n, da, true);
        }
        if (i < L - 1) activate<ORDER>(l, rows);
    }
    if (ORDER == 0) return;
    static thread_local std::vector<real> p, u, buffer[2];  // cotangents of h and of its tangent
    const real *one = nullptr, *along = q.g + at * width;    // cotangents of a and of its tangent
    for (int64_t i = L - 1; i >= 0; i--) {
        Layer &l = layers[i];
        double *dw = q.dw ? sums + l.at : nullptr;
        if (dw) accumulate(ORDER == 1 ? before(i) : before_t(i), rows, l.k, along, l.n, dw);
        if (dw && one) accumulate(before(i), rows, l.k, one, l.n, dw);
        if (i == 0 && !q.dx) break;
        p.resize(TILE * l.k); u.assign(TILE * l.k, 0);
        multiply(along, rows, l.n, l.turned.data(), l.k, p.data());
        if (one) multiply(one, rows, l.n, l.turned.data(), l.k, u.data());
        if (c) multiply(along, rows, l.n, l.turned_c.data(), l.k, u.data(), true);
        if (i == 0) {
            std::memcpy(q.dx + at * l.k, ORDER == 1 ? p.data() : u.data(), rows * l.k * sizeof(real));
            break;
        }
        const Layer &b = layers[i - 1];
        for (auto &part : buffer) part.resize(TILE * b.n);
        for (int64_t j = 0; j < rows * b.n; j += LANES) {
            const vec slope = load(b.slope.data() + j), v = load(p.data() + j);
            if (ORDER == 2)
                store(buffer[1].data() + j, load(u.data() + j) * slope + v * load(b.da.data() + j) * load(b.curve.data() + j));
            store(buffer[0].data() + j, v * slope);
        }
        along = buffer[0].data();
        one = ORDER == 2 ? buffer[1].data() : nullptr;
    }
}

template <int ORDER> static void run(const Args &q) {
    std::vector<Layer> layers(q.n_layers);
    std::vector<double> sums;  // dw of a member
    int64_t offset = 0;
    for (int64_t i = 0; i < q.n_layers; i++) {
        Layer &l = layers[i];
        l.k = q.sizes[i]; l.n = q.sizes[i + 1]; l.at = offset;
        offset += l.k * l.n;
        for (auto *part : {&l.a, &l.h, &l.slope, &l.curve, &l.da, &l.dh}) part->resize(TILE * l.n);
    }
    for (int64_t m = 0; m < q.n_members; m++) {
        for (Layer &l : layers) {
            if (ORDER > 0) turn(q.w + m * q.w_size, l, l.turned);
            if (q.c) turn(q.c + m * q.w_size, l, l.turned_c);
        }
        sums.assign(q.dw ? q.w_size : 0, 0);
        for (int64_t r = 0; r < q.n_rows; r += TILE)
            tile<ORDER>(q, layers, m, r, q.n_rows - r < TILE ? q.n_rows - r : TILE, sums.data());
        for (size_t i = 0; i < sums.size(); i++) q.dw[m * q.w_size + i] = sums[i];
    }
}

extern "C" void radial(int order, const Args *q) {
    if (order == 0) run<0>(*q);
    if (order == 1) run<1>(*q);
    if (order == 2) run<2>(*q);
}
