// Tensor product and scatter of an interaction block in one pass over the edges.
//
//   out[d, p, k, u] += w[e, p, u] sum_ij C_p[i, j, k] x[s, i, u] y[e, j]    (e3nn's `uvu`)
//
// over all edges e from atom s to atom d and all paths p. Nothing of the size edges x paths is
// written but the gradient of the weights. An edge and its reverse may share one row of w. The form
// Q = <out, g> is linear in each of x, y, w and g, so that first and second derivatives are the same
// sums with arguments exchanged. Features of atoms come as [atom][component][u] within each block of
// irreps: u, the multiplicity, is innermost.
// No headers of torch are needed; compiled with -DREAL=float|double, -DLANES=1|2|4|8|16 and, where no path has
// more, -DL_MAX=0|1|2: what is not needed would take most of the compiler's time.
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <vector>

typedef REAL real;
typedef std::conditional<sizeof(real) == 4, int32_t, int64_t>::type whole;
typedef real vec __attribute__((vector_size(LANES * sizeof(real)), aligned(sizeof(real))));
#ifndef L_MAX
#define L_MAX 3
#endif
static const int MAX_EDGE = 16;   // components of spherical harmonics up to l = 3
static const int MAX_CELLS = 49;  // of the matrix of one coupling, l = 3 to l = 3
typedef real edge_vec __attribute__((vector_size(MAX_EDGE * sizeof(real)), aligned(sizeof(real))));
typedef whole edge_index __attribute__((vector_size(MAX_EDGE * sizeof(real)), aligned(sizeof(real))));

// Offsets of a path: of the matrix A[i, k] of its coupling, and into one row of x, out and w; the
// coefficients of its coupling are [first, last). Paths of one coupling follow each other.
struct Path { int32_t cell, l_in, l_out, in, out, weight, mul, first, last; };
struct Entry { int32_t cell, j; };  // C[i, j, k] at cell = i * (2 l_out + 1) + k

struct Args {
    int64_t n_edges, n_pairs, x_size, y_size, out_size, w_size, n_paths, n_cells, n_terms;
    const int64_t *src, *dst;
    const real *x, *y, *w, *g;  // arguments and the cotangent of out
    const real *a, *b, *c;      // cotangents of dx, dy, dw in the second derivatives
    real *out, *dx, *dy, *dw;   // results; null where nobody wants them
    const Path *paths;
    const Entry *entries;
    const real *coefficients;
    const whole *picks;  // [term][cell]: A[cell] is a sum of terms, each a share of one y[j]
    const real *shares;
};

static inline vec load(const real *p) { return *(const vec *)p; }
static inline void store(real *p, vec v) { *(vec *)p = v; }

// The sum of all lanes, by halves: their number is a power of two
static inline real total(vec v) {
    real parts[LANES];
    store(parts, v);
#pragma GCC unroll 4
    for (int n = LANES / 2; n > 0; n /= 2)
#pragma GCC unroll 8
        for (int i = 0; i < n; i++) parts[i] += parts[i + n];
    return parts[0];
}

template <int N> static inline void get(const real *p, int64_t stride, vec *v) {
#pragma GCC unroll 8
    for (int i = 0; i < N; i++) v[i] = load(p + i * stride);
}
static inline void add(real *p, vec v) { store(p, load(p) + v); }
template <int NI, int NK> static inline void forward(const real *A, const vec *x, vec *t) {
#pragma GCC unroll 8
    for (int k = 0; k < NK; k++) {
        t[k] = x[0] * A[k];
#pragma GCC unroll 8
        for (int i = 1; i < NI; i++) t[k] += x[i] * A[i * NK + k];
    }
}
template <int NI, int NK> static inline void backward(const real *A, const vec *g, vec *h) {
#pragma GCC unroll 8
    for (int i = 0; i < NI; i++) {
        h[i] = g[0] * A[i * NK];
#pragma GCC unroll 8
        for (int k = 1; k < NK; k++) h[i] += g[k] * A[i * NK + k];
    }
}
template <int N> static inline vec dot(const vec *a, const vec *b) {
    vec sum = a[0] * b[0];
#pragma GCC unroll 8
    for (int i = 1; i < N; i++) sum += a[i] * b[i];
    return sum;
}

// A[i, k] = sum_j C[i, j, k] y[j] of all couplings; n_cells is a multiple of MAX_EDGE
static void contract(const Args &q, const real *y, real *A) {
    edge_vec all = {0};
    std::memcpy(&all, y, q.y_size * sizeof(real));
    for (int64_t cell = 0; cell < q.n_cells; cell += MAX_EDGE) {
        edge_vec sum = {0};
        for (int64_t term = 0; term < q.n_terms; term++) {
            const int64_t at = term * q.n_cells + cell;
            sum += *(const edge_vec *)(q.shares + at) * __builtin_shuffle(all, *(const edge_index *)(q.picks + at));
        }
        *(edge_vec *)(A + cell) = sum;
    }
}

struct Edge {
    int64_t src, dst;
    const real *w, *c, *A, *B;
    real *dw;
    vec *dy;
    bool again;  // its reverse has written to dw before
};

static inline void give(const Edge &e, int64_t place, vec v) {
    store(e.dw + place, e.again ? load(e.dw + place) + v : v);
}

// outer[i, k] is v[i] g[k], summed over the paths of a coupling
template <int NI, int NK> static inline void along_edge(const vec *v, const vec *g, vec *outer, bool fresh) {
    if (fresh) {
#pragma GCC unroll 8
        for (int i = 0; i < NI; i++)
#pragma GCC unroll 8
            for (int k = 0; k < NK; k++) outer[i * NK + k] = v[i] * g[k];
    } else {
#pragma GCC unroll 8
        for (int i = 0; i < NI; i++)
#pragma GCC unroll 8
            for (int k = 0; k < NK; k++) outer[i * NK + k] += v[i] * g[k];
    }
}

// ORDER 0: out; 1: dx, dy, dw; 2: the derivatives of <dx, a> + <dy, b> + <dw, c>. With EDGE what comes
// along y goes to `outer`, which is `fresh` where nothing has been added yet.
template <int ORDER, bool EDGE, int NI, int NK>
static inline void visit(const Args &q, const Path &p, const Edge &e, int64_t u, vec *outer, bool fresh) {
    if (NI > 2 * L_MAX + 1 || NK > 2 * L_MAX + 1) return;
    const int64_t in = e.src * q.x_size + p.in + u, to = e.dst * q.out_size + p.out + u, row = p.weight + u;
    const real *A = e.A + p.cell, *B = e.B + p.cell;
    const vec w = load(e.w + row);
    vec x[NI], g[NK], h[NI], s[NK];
    get<NI>(q.x + in, p.mul, x);
    if (ORDER == 0) {
        forward<NI, NK>(A, x, s);
#pragma GCC unroll 8
        for (int k = 0; k < NK; k++) add(q.out + to + k * p.mul, w * s[k]);
        return;
    }
    get<NK>(q.g + to, p.mul, g);
    if (ORDER == 1) {
        backward<NI, NK>(A, g, h);
        if (q.dw) give(e, row, dot<NI>(x, h));
        if (q.dx)
#pragma GCC unroll 8
            for (int i = 0; i < NI; i++) add(q.dx + in + i * p.mul, w * h[i]);
#pragma GCC unroll 8
        for (int i = 0; i < NI; i++) x[i] *= w;
    } else {
        const vec c = load(e.c + row);
        vec a[NI], along = w * 0;
        get<NI>(q.a + in, p.mul, a);
#pragma GCC unroll 8
        for (int k = 0; k < NK; k++) {
            vec t = x[0] * B[k] + a[0] * A[k], s = x[0] * A[k];
#pragma GCC unroll 8
            for (int i = 1; i < NI; i++) {
                t += x[i] * B[i * NK + k];
                t += a[i] * A[i * NK + k];
                s += x[i] * A[i * NK + k];
            }
            along += g[k] * t;
            if (q.out) add(q.out + to + k * p.mul, w * t + c * s);
        }
        if (q.dw) give(e, row, along);
        if (q.dx) {
            vec f[NI];
            backward<NI, NK>(A, g, h);
            backward<NI, NK>(B, g, f);
#pragma GCC unroll 8
            for (int i = 0; i < NI; i++) add(q.dx + in + i * p.mul, w * f[i] + c * h[i]);
        }
#pragma GCC unroll 8
        for (int i = 0; i < NI; i++) x[i] = a[i] * w + x[i] * c;
    }
    if (EDGE) along_edge<NI, NK>(x, g, outer, fresh);
}

#define CASE(I, K) \
    case 4 * (I) + (K): \
        for (int64_t u = 0; u < p.mul; u += LANES) \
            visit<ORDER, EDGE, 2 * (I) + 1, 2 * (K) + 1>(q, p, e, u, outer, fresh && u == 0); \
        break;
#define ROW(I) CASE(I, 0) CASE(I, 1) CASE(I, 2) CASE(I, 3)

template <int ORDER, bool EDGE> static inline void visit_all(const Args &q, const Edge &e) {
    vec outer[MAX_CELLS];
    for (int64_t n = 0; n < q.n_paths; n++) {
        const Path &p = q.paths[n];
        const bool fresh = n == 0 || p.cell != (&p)[-1].cell;
        switch (4 * p.l_in + p.l_out) { ROW(0) ROW(1) ROW(2) ROW(3) }
        if (EDGE && (n + 1 == q.n_paths || p.cell != (&p)[1].cell))
            for (int32_t i = p.first; i < p.last; i++)
                e.dy[q.entries[i].j] += outer[q.entries[i].cell] * q.coefficients[i];
    }
}

#ifndef PARTS_ALONE  // what other code needs ends here
template <int ORDER, bool EDGE> static void run(const Args &q) {
    std::vector<real> A(q.n_cells), B(ORDER == 2 ? q.n_cells : 0);
    vec dy[MAX_EDGE];
    // a graph's first half are its pairs, the second half the same the other way round
    const int64_t ways = q.n_pairs ? 2 : 1, half = q.n_pairs ? q.n_pairs : q.n_edges;
    for (int64_t row = 0; row < q.n_edges / ways; row++)
        for (int64_t way = 0; way < ways; way++) {
            const int64_t e = row + (row / half * (ways - 1) + way) * half, at = row * q.w_size;
            contract(q, q.y + e * q.y_size, A.data());
            if (ORDER == 2) contract(q, q.b + e * q.y_size, B.data());
            std::memset(dy, 0, sizeof dy);
            visit_all<ORDER, EDGE>(q, {q.src[e], q.dst[e], q.w + at, ORDER == 2 ? q.c + at : nullptr, A.data(), B.data(),
                                 q.dw ? q.dw + at : nullptr, dy, way == 1});
            if (EDGE)
                for (int64_t j = 0; j < q.y_size; j++) q.dy[e * q.y_size + j] = total(dy[j]);
        }
}

extern "C" void product(int order, const Args *q) {
    if (order == 0) run<0, false>(*q);
    if (order == 1) q->dy ? run<1, true>(*q) : run<1, false>(*q);
#ifdef EDGES  // nobody wants second derivatives along y otherwise, and they take long to compile
    if (order == 2 && q->dy) return run<2, true>(*q);
#endif
    if (order == 2) run<2, false>(*q);
}

template <int DIM> static inline void turn(int inner, int mul, const real *f, real *t) {
    for (int k = 0; k < DIM; k++)
        for (int u = 0; u < mul; u++)
            if (inner) t[k * mul + u] = f[u * DIM + k];
            else t[u * DIM + k] = f[k * mul + u];
}

// e3nn's [row][u][component] to and from [row][component][u], block of irreps by block
extern "C" void transpose(int inner, int64_t rows, int64_t size, int64_t n_blocks,
                          const int32_t *muls, const int32_t *dims, const real *from, real *to) {
    for (int64_t r = 0; r < rows; r++) {
        const real *f = from + r * size;
        real *t = to + r * size;
        for (int64_t b = 0; b < n_blocks; b++) {
            switch (dims[b]) {
                case 1: std::memcpy(t, f, muls[b] * sizeof(real)); break;
                case 3: turn<3>(inner, muls[b], f, t); break;
                case 5: turn<5>(inner, muls[b], f, t); break;
                case 7: turn<7>(inner, muls[b], f, t); break;
            }
            f += muls[b] * dims[b];
            t += muls[b] * dims[b];
        }
    }
}
#endif
