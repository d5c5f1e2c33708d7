// Linear maps between blocks of irreps, each member with its own weights, and their derivatives.
//
//   out[n, v, k] += factor sum_u x[n, u, k] w[u, v]
//
// for all maps from a block of x to a block of out, in e3nn's layout: the component k is innermost.
// Q = <out, g> is linear in each of x, w and g: derivatives of any order are the three sums below.
// Compiled with -DREAL=float|double and -DLANES, which divides all multiplicities.
#include <cstdint>
#include <vector>

typedef REAL real;
typedef real vec __attribute__((vector_size(LANES * sizeof(real)), aligned(sizeof(real))));
static inline vec load(const real *p) { return *(const vec *)p; }
static inline void store(real *p, vec v) { *(vec *)p = v; }

struct Map { int32_t in, out, mul_in, mul_out, dim, weight; double factor; };
struct Args {
    int64_t n_members, n_rows, x_size, out_size, w_size, n_maps;
    const Map *maps;
    real *x, *w, *out;  // [member][row][x_size], [member][w_size], [member][row][out_size]; one is added to
};

// to[v, k] += factor sum_u from[u, k] w[u, v]
template <int DIM>
static inline void apply(const real *from, int mul_in, const real *w, int mul_out, real factor, real *to) {
    for (int v = 0; v < mul_out; v += LANES) {
        vec sum[DIM] = {};
        for (int u = 0; u < mul_in; u++) {
            const vec row = load(w + u * mul_out + v);
#pragma GCC unroll 8
            for (int k = 0; k < DIM; k++) sum[k] += from[u * DIM + k] * row;
        }
#pragma GCC unroll 8
        for (int k = 0; k < DIM; k++)
            for (int l = 0; l < LANES; l++) to[(v + l) * DIM + k] += factor * sum[k][l];
    }
}

// w[u, v] += factor sum_k x[u, k] g[v, k]; `turned` has room for g[k, v]
template <int DIM>
static inline void outer(const real *x, int mul_in, const real *g, int mul_out, real factor, real *w, real *turned) {
    for (int v = 0; v < mul_out; v++)
        for (int k = 0; k < DIM; k++) turned[k * mul_out + v] = factor * g[v * DIM + k];
    for (int u = 0; u < mul_in; u++)
        for (int v = 0; v < mul_out; v += LANES) {
            vec sum = load(w + u * mul_out + v);
#pragma GCC unroll 8
            for (int k = 0; k < DIM; k++) sum += x[u * DIM + k] * load(turned + k * mul_out + v);
            store(w + u * mul_out + v, sum);
        }
}

template <int DIM> static void visit(int kind, const Args &q, const Map &p, int64_t m, std::vector<real> &scratch) {
    real *w = q.w + m * q.w_size + p.weight;
    real *x = q.x + m * q.n_rows * q.x_size + p.in, *out = q.out + m * q.n_rows * q.out_size + p.out;
    if (kind == 1)
        for (int u = 0; u < p.mul_in; u++)
            for (int v = 0; v < p.mul_out; v++) scratch[v * p.mul_in + u] = w[u * p.mul_out + v];
    for (int64_t n = 0; n < q.n_rows; n++, x += q.x_size, out += q.out_size) {
        if (kind == 0) apply<DIM>(x, p.mul_in, w, p.mul_out, p.factor, out);
        if (kind == 1) apply<DIM>(out, p.mul_out, scratch.data(), p.mul_in, p.factor, x);
        if (kind == 2) outer<DIM>(x, p.mul_in, out, p.mul_out, p.factor, w, scratch.data());
    }
}

// Adds to out (kind 0), to x from a cotangent of out (1), or to w from both (2)
extern "C" void linear(int kind, const Args *q) {
    std::vector<real> scratch;
    for (int64_t m = 0; m < q->n_members; m++)
        for (int64_t i = 0; i < q->n_maps; i++) {
            const Map &p = q->maps[i];
            scratch.resize((p.mul_in + p.dim) * p.mul_out);
            switch (p.dim) {
                case 1: visit<1>(kind, *q, p, m, scratch); break;
                case 3: visit<3>(kind, *q, p, m, scratch); break;
                case 5: visit<5>(kind, *q, p, m, scratch); break;
                case 7: visit<7>(kind, *q, p, m, scratch); break;
            }
        }
}
