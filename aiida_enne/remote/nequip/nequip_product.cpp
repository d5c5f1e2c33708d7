// Tensor product and scatter of an interaction block in one pass over the edges.
//
//   out[d, p, k, u] += w[e, p, u] sum_ij C_p[i, j, k] x[s, i, u] y[e, j]    (e3nn's `uvu`)
//
// over all edges e from atom s to atom d and all paths p. Nothing of the size edges x paths is
// written but the gradient of the weights. An edge and its reverse may share one row of w. The form Q = <out, g> is linear in each of x, y, w and
// g, so that first and second derivatives are the same sums with arguments exchanged. Features of
// atoms come as [atom][component][u] within each block of irreps: u, the multiplicity, is innermost.
// No headers of torch are needed; compiled with -DREAL=float|double and -DLANES=1|2|4|8.
#include <cstdint>
#include <cstring>
#include <vector>

typedef REAL real;
typedef real vec __attribute__((vector_size(LANES * sizeof(real)), aligned(sizeof(real))));
static const int MAX_EDGE = 16;  // components of spherical harmonics up to l = 3

// Offsets of a path into one row of x, out and w; `table` is the number of its coefficients.
struct Path { int32_t table, l_in, l_out, in, out, weight, mul; };
// Coefficients [first, last) of one coupling; its matrix y -> A[i, k] begins at `offset`.
struct Table { int32_t offset, first, last; };
struct Entry { int32_t cell, j; };  // C[i, j, k] at cell = i * (2 l_out + 1) + k

struct Args {
    int64_t n_edges, n_pairs, x_size, y_size, out_size, w_size, n_paths, n_tables, n_cells;
    const int64_t *src, *dst;
    const real *x, *y, *w, *g;  // arguments and the cotangent of out
    const real *a, *b, *c;      // cotangents of dx, dy, dw in the second derivatives
    real *out, *dx, *dy, *dw;   // results; null where nobody wants them
    const Path *paths;
    const Table *tables;
    const Entry *entries;
    const real *coefficients;
};

static inline vec load(const real *p) { return *(const vec *)p; }
static inline void store(real *p, vec v) { *(vec *)p = v; }

template <int N> static inline void get(const real *p, int64_t stride, vec *v) {
#pragma GCC unroll 8
    for (int i = 0; i < N; i++) v[i] = load(p + i * stride);
}
template <int N> static inline void add(real *p, int64_t stride, vec w, const vec *v) {
#pragma GCC unroll 8
    for (int i = 0; i < N; i++) store(p + i * stride, load(p + i * stride) + w * v[i]);
}
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

// A[i, k] = sum_j C[i, j, k] y[j] of all couplings
static void contract(const Args &q, const real *y, real *A) {
    std::memset(A, 0, q.n_cells * sizeof(real));
    for (int64_t t = 0; t < q.n_tables; t++)
        for (int n = q.tables[t].first; n < q.tables[t].last; n++)
            A[q.tables[t].offset + q.entries[n].cell] += q.coefficients[n] * y[q.entries[n].j];
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

// sum over i, k of C[i, j, k] v[i] g[k], added to dy[j]
template <int NI, int NK>
static inline void along_edge(const Args &q, const Table &t, const vec *v, const vec *g, vec *dy) {
    vec outer[NI * NK];
#pragma GCC unroll 8
    for (int i = 0; i < NI; i++)
#pragma GCC unroll 8
        for (int k = 0; k < NK; k++) outer[i * NK + k] = v[i] * g[k];
    for (int n = t.first; n < t.last; n++)
        dy[q.entries[n].j] += outer[q.entries[n].cell] * q.coefficients[n];
}

// ORDER 0: out; 1: dx, dy, dw; 2: the derivatives of <dx, a> + <dy, b> + <dw, c>
template <int ORDER, int NI, int NK>
static inline void visit(const Args &q, const Path &p, const Edge &e, int64_t u) {
    const Table &table = q.tables[p.table];
    const int64_t in = e.src * q.x_size + p.in + u, to = e.dst * q.out_size + p.out + u;
    const real *A = e.A + table.offset;
    const vec w = load(e.w + p.weight + u);
    vec x[NI], g[NK], t[NK], h[NI];
    get<NI>(q.x + in, p.mul, x);
    if (ORDER == 0) {
        forward<NI, NK>(A, x, t);
        add<NK>(q.out + to, p.mul, w, t);
        return;
    }
    get<NK>(q.g + to, p.mul, g);
    if (ORDER == 1) {
        backward<NI, NK>(A, g, h);
        if (q.dx) add<NI>(q.dx + in, p.mul, w, h);
        if (q.dw) give(e, p.weight + u, dot<NI>(x, h));
        if (q.dy) {
            for (int i = 0; i < NI; i++) x[i] *= w;
            along_edge<NI, NK>(q, table, x, g, e.dy);
        }
        return;
    }
    const real *B = e.B + table.offset;
    const vec c = load(e.c + p.weight + u);
    vec a[NI], s[NK];
    get<NI>(q.a + in, p.mul, a);
    forward<NI, NK>(A, a, t);
    forward<NI, NK>(B, x, s);
    for (int k = 0; k < NK; k++) t[k] += s[k];
    if (q.dw) give(e, p.weight + u, dot<NK>(g, t));
    if (q.out) {
        forward<NI, NK>(A, x, s);
        add<NK>(q.out + to, p.mul, w, t);
        add<NK>(q.out + to, p.mul, c, s);
    }
    if (q.dx) {
        backward<NI, NK>(B, g, h);
        add<NI>(q.dx + in, p.mul, w, h);
        backward<NI, NK>(A, g, h);
        add<NI>(q.dx + in, p.mul, c, h);
    }
    if (q.dy) {
        for (int i = 0; i < NI; i++) a[i] = a[i] * w + x[i] * c;
        along_edge<NI, NK>(q, table, a, g, e.dy);
    }
}

#ifndef PARTS_ALONE  // what other code needs ends here
#define CASE(I, K) \
    case 4 * (I) + (K): visit<ORDER, 2 * (I) + 1, 2 * (K) + 1>(q, p, edge, u); break;
#define ROW(I) CASE(I, 0) CASE(I, 1) CASE(I, 2) CASE(I, 3)

template <int ORDER> static void run(const Args &q) {
    std::vector<real> A(q.n_cells), B(ORDER == 2 ? q.n_cells : 0);
    vec dy[MAX_EDGE];
    for (int64_t e = 0; e < q.n_edges; e++) {
        contract(q, q.y + e * q.y_size, A.data());
        if (ORDER == 2) contract(q, q.b + e * q.y_size, B.data());
        std::memset(dy, 0, sizeof dy);
        // a graph's first half are its pairs, the second half the same the other way round
        const int64_t half = q.n_pairs ? q.n_pairs : q.n_edges, graph = e / (2 * half);
        const int64_t row = (graph * half + e % half) * q.w_size;
        const bool again = e % (2 * half) >= half;
        const Edge edge = {q.src[e], q.dst[e], q.w + row, ORDER == 2 ? q.c + row : nullptr,
                           A.data(), B.data(), q.dw ? q.dw + row : nullptr, dy, again};
        for (int64_t n = 0; n < q.n_paths; n++) {
            const Path &p = q.paths[n];
            for (int64_t u = 0; u < p.mul; u += LANES)
                switch (4 * p.l_in + p.l_out) { ROW(0) ROW(1) ROW(2) ROW(3) }
        }
        if (ORDER && q.dy)
            for (int64_t j = 0; j < q.y_size; j++) {
                real sum = 0;
                for (int l = 0; l < LANES; l++) sum += dy[j][l];
                q.dy[e * q.y_size + j] = sum;
            }
    }
}

extern "C" void product(int order, const Args *q) {
    if (order == 0) run<0>(*q);
    if (order == 1) run<1>(*q);
    if (order == 2) run<2>(*q);
}

// e3nn's [row][u][component] to and from [row][component][u], block of irreps by block
extern "C" void transpose(int inner, int64_t rows, int64_t size, int64_t n_blocks,
                          const int32_t *muls, const int32_t *dims, const real *from, real *to) {
    for (int64_t r = 0; r < rows; r++) {
        const real *f = from + r * size;
        real *t = to + r * size;
        for (int64_t b = 0; b < n_blocks; b++) {
            const int mul = muls[b], dim = dims[b];
            for (int u = 0; u < mul; u++)
                for (int k = 0; k < dim; k++)
                    if (inner) t[k * mul + u] = f[u * dim + k];
                    else t[u * dim + k] = f[k * mul + u];
            f += mul * dim;
            t += mul * dim;
        }
    }
}
#endif
