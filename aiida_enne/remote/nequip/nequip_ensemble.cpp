// Energies and forces of one configuration by many NequIP models of one structure.
//
// The geometry of an edge and the matrices of its couplings are computed once for all members. What
// the radial network of a member makes of a length is a piecewise polynomial of degree 5, so that
// nothing of the size edges x weights is ever written; forces are its exact derivative. Features of
// atoms are [component][multiplicity] within a block of irreps, as in nequip_product.cpp.
#include "nequip_harmonics.cpp"
#define PARTS_ALONE
#include "nequip_product.cpp"
#include <cmath>
#include <new>

static const int TERMS = 6, BLOCK = 64;

// out[k, v] += sum_u w[u, v] in[k, u] between two blocks of irreps; offsets into a row and into w
struct Map { int32_t in, out, mul_in, mul_out, dim, weight; };
struct Linear { const Map *maps; int64_t n_maps, size; const real *w; };  // w: [member][type][size]
// A block that is multiplied by gates: its offset behind scalars and gates, and its first gate
struct Gated { int32_t at, gate, mul, dim; };

struct Layer {
    int64_t x_size, y_size, z_size, out_size, w_size, n_paths, n_cells, n_terms, n_scalars, n_gates, n_gated,
        n_pieces;
    const Path *paths; const Entry *entries; const real *coefficients; const whole *picks; const real *shares;
    const Gated *gated; const int32_t *kinds; const double *factors;  // of scalars, then gates
    const real *radial;                                            // [member][piece][TERMS][w_size]
    Linear first, first_back, last, last_back, own, own_back;
};

struct Task {
    int64_t n_atoms, n_edges, n_members, n_types, n_layers, l_max, n_features;
    double r_max;
    const int64_t *types, *src, *dst;
    const double *vectors;
    const Layer *layers;
    const real *embedding, *readout;  // [member][type][x_size], [member][n_features]
    const double *scales, *shifts;    // [member][type]
    double *energies, *forces, *virials;
    real *features;
};

static void apply(const Linear &l, const Task &q, int64_t member, const real *x, int64_t x_size, real *out,
                  int64_t out_size) {
    for (int64_t i = 0; i < l.n_maps; i++) {
        const Map &p = l.maps[i];
        for (int64_t n = 0; n < q.n_atoms; n++) {
            const real *w = l.w + (member * q.n_types + q.types[n]) * l.size + p.weight;
            for (int k = 0; k < p.dim; k++) {
                const real *from = x + n * x_size + p.in + k * p.mul_in;
                real *to = out + n * out_size + p.out + k * p.mul_out;
                for (int v = 0; v < p.mul_out; v += LANES) {
                    vec sum = load(to + v);
                    for (int u = 0; u < p.mul_in; u++) sum += from[u] * load(w + u * p.mul_out + v);
                    store(to + v, sum);
                }
            }
        }
    }
}

// An activation and its slope: 0 SiLU, 1 tanh
static inline void activate(int kind, double factor, real x, real *value, real *slope) {
    if (kind) {
        const real t = std::tanh(x);
        *value = factor * t;
        *slope = factor * (1 - t * t);
    } else {
        const real s = 1 / (1 + std::exp(-x));
        *value = factor * x * s;
        *slope = factor * s * (1 + x * (1 - s));
    }
}

// Activated scalars and gates, with slopes; then the blocks behind them times their gates
static void gate(const Layer &l, const real *z, real *acts, real *slopes, real *x) {
    const int64_t n = l.n_scalars + l.n_gates;
    for (int64_t i = 0; i < n; i++) activate(l.kinds[i], l.factors[i], z[i], acts + i, slopes + i);
    std::memcpy(x, acts, l.n_scalars * sizeof(real));
    for (int64_t b = 0; b < l.n_gated; b++) {
        const Gated &g = l.gated[b];
        for (int k = 0; k < g.dim; k++)
            for (int u = 0; u < g.mul; u++)
                x[l.n_scalars + g.at + k * g.mul + u] = z[n + g.at + k * g.mul + u] * acts[l.n_scalars + g.gate + u];
    }
}

static void gate_back(const Layer &l, const real *z, const real *acts, const real *slopes, const real *dx, real *dz) {
    const int64_t n = l.n_scalars + l.n_gates;
    for (int64_t i = 0; i < l.n_scalars; i++) dz[i] = slopes[i] * dx[i];
    std::memset(dz + l.n_scalars, 0, l.n_gates * sizeof(real));
    for (int64_t b = 0; b < l.n_gated; b++) {
        const Gated &g = l.gated[b];
        for (int k = 0; k < g.dim; k++)
            for (int u = 0; u < g.mul; u++) {
                const int64_t at = g.at + k * g.mul + u, i = l.n_scalars + g.gate + u;
                dz[n + at] = dx[l.n_scalars + at] * acts[i];
                dz[i] += slopes[i] * dx[l.n_scalars + at] * z[n + at];
            }
    }
}

// Radial weights at a length within piece `row`, and their slopes
template <bool BACK> static inline void radial(const Layer &l, const real *row, real t, real per, real *w, real *dw) {
    for (int64_t i = 0; i < l.w_size; i += LANES) {
        vec c = load(row + (TERMS - 1) * l.w_size + i), d = 0 * c;
        for (int p = TERMS - 2; p >= 0; p--) {
            if (BACK) d = d * t + c;
            c = c * t + load(row + p * l.w_size + i);
        }
        store(w + i, c);
        if (BACK) store(dw + i, d * per);
    }
}

struct Edges {  // what all members share
    std::vector<real> Y, J;
    std::vector<double> directions, lengths;
};
struct Arrays {  // of one layer, for all members
    std::vector<real> x, h, y, z, acts, slopes;
};

// ORDER 0: y from h; 1: dh (unless null) from h and dy, and forces and virials
template <int ORDER>
static void pass(const Task &q, const Layer &l, const Edges &g, const real *h, real *y, const real *dy, real *dh) {
    const int64_t size = (q.l_max + 1) * (q.l_max + 1);
    Args p = {};
    p.x_size = l.x_size; p.y_size = size; p.out_size = l.y_size; p.w_size = l.w_size;
    p.n_paths = l.n_paths; p.n_cells = l.n_cells; p.n_terms = l.n_terms;
    p.paths = l.paths; p.entries = l.entries; p.coefficients = l.coefficients; p.picks = l.picks; p.shares = l.shares;
    static thread_local std::vector<real> A, w, slope, dw;
    A.resize(BLOCK * l.n_cells); w.resize(l.w_size); slope.resize(l.w_size); dw.resize(l.w_size);
    vec along[MAX_EDGE];
    p.dw = dw.data();
    for (int64_t begin = 0; begin < q.n_edges; begin += BLOCK) {
        const int64_t end = begin + BLOCK < q.n_edges ? begin + BLOCK : q.n_edges;
        for (int64_t e = begin; e < end; e++) contract(p, g.Y.data() + e * size, A.data() + (e - begin) * l.n_cells);
        for (int64_t m = 0; m < q.n_members; m++) {
            p.x = h + m * q.n_atoms * l.x_size;
            p.out = y ? y + m * q.n_atoms * l.y_size : nullptr;
            p.g = dy ? dy + m * q.n_atoms * l.y_size : nullptr;
            p.dx = dh ? dh + m * q.n_atoms * l.x_size : nullptr;
            double *F = q.forces + m * q.n_atoms * 3, *V = q.virials + m * 9;
            for (int64_t e = begin; e < end; e++) {
                const double at = g.lengths[e] / q.r_max * l.n_pieces;
                if (at >= l.n_pieces) continue;
                const int64_t piece = at > 0 ? (int64_t)at : 0;  // also where it is not a number
                const real *row = l.radial + (m * l.n_pieces + piece) * TERMS * l.w_size;
                radial<ORDER == 1>(l, row, at - piece, l.n_pieces / q.r_max, w.data(), slope.data());
                const Edge edge = {q.src[e], q.dst[e], w.data(), nullptr, A.data() + (e - begin) * l.n_cells,
                                   nullptr, dw.data(), along, false};
                std::memset(along, 0, sizeof along);
                visit_all<ORDER, ORDER == 1>(p, edge);
                if (ORDER == 0) continue;
                vec sum = 0 * load(dw.data());
                for (int64_t i = 0; i < l.w_size; i += LANES) sum += load(slope.data() + i) * load(dw.data() + i);
                real parts[LANES];
                store(parts, sum);
                double along_r = 0, G[3];
                for (int i = 0; i < LANES; i++) along_r += parts[i];
                for (int a = 0; a < 3; a++) G[a] = along_r * g.directions[3 * e + a];
                for (int64_t j = 1; j < size; j++) {
                    store(parts, along[j]);
                    real total = 0;
                    for (int i = 0; i < LANES; i++) total += parts[i];
                    for (int a = 0; a < 3; a++) G[a] += total * g.J[3 * (e * size + j) + a];
                }
                for (int a = 0; a < 3; a++) {
                    F[3 * q.dst[e] + a] += G[a];
                    F[3 * q.src[e] + a] -= G[a];
                    for (int b = 0; b < 3; b++) V[3 * b + a] += q.vectors[3 * e + b] * G[a];
                }
            }
        }
    }
}

static void forward(const Task &q, const Layer &l, const Edges &g, Arrays &s, real *out) {
    const int64_t rows = q.n_members * q.n_atoms, n_acts = l.n_scalars + l.n_gates;
    s.h.assign(rows * l.x_size, 0); s.y.assign(rows * l.y_size, 0); s.z.assign(rows * l.z_size, 0);
    s.acts.resize(rows * n_acts); s.slopes.resize(rows * n_acts);
    for (int64_t m = 0; m < q.n_members; m++) {
        const int64_t at = m * q.n_atoms;
        apply(l.first, q, m, s.x.data() + at * l.x_size, l.x_size, s.h.data() + at * l.x_size, l.x_size);
        apply(l.own, q, m, s.x.data() + at * l.x_size, l.x_size, s.z.data() + at * l.z_size, l.z_size);
    }
    pass<0>(q, l, g, s.h.data(), s.y.data(), nullptr, nullptr);
    for (int64_t m = 0; m < q.n_members; m++) {
        const int64_t at = m * q.n_atoms;
        apply(l.last, q, m, s.y.data() + at * l.y_size, l.y_size, s.z.data() + at * l.z_size, l.z_size);
    }
    for (int64_t n = 0; n < rows; n++)
        gate(l, s.z.data() + n * l.z_size, s.acts.data() + n * n_acts, s.slopes.data() + n * n_acts,
             out + n * l.out_size);
}

// dx from the gradient of what a layer gives; for the first layer, whose input is fixed, only forces
static void backward(const Task &q, const Layer &l, const Edges &g, const Arrays &s, const real *dout, real *dx) {
    const int64_t rows = q.n_members * q.n_atoms, n_acts = l.n_scalars + l.n_gates;
    static thread_local std::vector<real> dz, dy, dh;
    dz.resize(rows * l.z_size); dy.assign(rows * l.y_size, 0);
    for (int64_t n = 0; n < rows; n++)
        gate_back(l, s.z.data() + n * l.z_size, s.acts.data() + n * n_acts, s.slopes.data() + n * n_acts,
                  dout + n * l.out_size, dz.data() + n * l.z_size);
    for (int64_t m = 0; m < q.n_members; m++) {
        const int64_t at = m * q.n_atoms;
        apply(l.last_back, q, m, dz.data() + at * l.z_size, l.z_size, dy.data() + at * l.y_size, l.y_size);
        if (dx) apply(l.own_back, q, m, dz.data() + at * l.z_size, l.z_size, dx + at * l.x_size, l.x_size);
    }
    if (dx) dh.assign(rows * l.x_size, 0);
    pass<1>(q, l, g, s.h.data(), nullptr, dy.data(), dx ? dh.data() : nullptr);
    for (int64_t m = 0; dx && m < q.n_members; m++) {
        const int64_t at = m * q.n_atoms * l.x_size;
        apply(l.first_back, q, m, dh.data() + at, l.x_size, dx + at, l.x_size);
    }
}

static void evaluate_all(const Task &q) {
    const int64_t size = (q.l_max + 1) * (q.l_max + 1), rows = q.n_members * q.n_atoms, f = q.n_features;
    static thread_local Edges g;
    static thread_local std::vector<Arrays> s;
    static thread_local std::vector<real> above, below;
    g.Y.resize(q.n_edges * size); g.J.resize(3 * q.n_edges * size);
    g.directions.resize(3 * q.n_edges); g.lengths.resize(q.n_edges);
    geometry(q.n_edges, q.l_max, q.vectors, g.Y.data(), g.J.data(), g.directions.data(), g.lengths.data());
    if ((int64_t)s.size() < q.n_layers) s.resize(q.n_layers);
    const int64_t width = q.layers[0].x_size;
    s[0].x.resize(rows * width);
    for (int64_t n = 0; n < rows; n++)
        std::memcpy(s[0].x.data() + n * width,
                    q.embedding + (n / q.n_atoms * q.n_types + q.types[n % q.n_atoms]) * width, width * sizeof(real));
    for (int64_t i = 0; i < q.n_layers; i++) {
        if (i + 1 < q.n_layers) s[i + 1].x.resize(rows * q.layers[i].out_size);
        forward(q, q.layers[i], g, s[i], i + 1 < q.n_layers ? s[i + 1].x.data() : q.features);
    }
    above.resize(rows * f);
    for (int64_t n = 0; n < rows; n++) {
        const int64_t member = n / q.n_atoms, at = member * q.n_types + q.types[n % q.n_atoms];
        real sum = 0;
        for (int64_t u = 0; u < f; u++) {
            sum += q.readout[member * f + u] * q.features[n * f + u];
            above[n * f + u] = q.scales[at] * q.readout[member * f + u];
        }
        q.energies[n] = q.shifts[at] + q.scales[at] * sum;
    }
    for (int64_t i = q.n_layers - 1; i >= 0; i--) {
        if (i) below.assign(rows * q.layers[i].x_size, 0);
        backward(q, q.layers[i], g, s[i], above.data(), i ? below.data() : nullptr);
        above.swap(below);
    }
}

// Energies of atoms (M, n) and features (M, n, f); forces (M, n, 3) and virials (M, 3, 3) are added to
// what is there. Returns 1 where memory does not suffice.
extern "C" int evaluate(const Task *task) {
    try {
        evaluate_all(*task);
    } catch (const std::bad_alloc &) {
        return 1;
    }
    return 0;
}
