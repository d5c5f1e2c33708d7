// Spherical harmonics of edges and their slopes, as e3nn has them, up to l = 3.
#include <cmath>
#include <cstdint>

static const int MAX_HARMONICS = 16;

// A number with its derivatives by three coordinates
struct Dual { double v, d[3]; };
static inline Dual operator+(Dual a, Dual b) {
    return {a.v + b.v, {a.d[0] + b.d[0], a.d[1] + b.d[1], a.d[2] + b.d[2]}};
}
static inline Dual operator*(double s, Dual a) { return {s * a.v, {s * a.d[0], s * a.d[1], s * a.d[2]}}; }
static inline Dual operator-(Dual a, Dual b) { return a + -1. * b; }
static inline Dual operator*(Dual a, Dual b) {
    return {a.v * b.v, {a.v * b.d[0] + a.d[0] * b.v, a.v * b.d[1] + a.d[1] * b.v, a.v * b.d[2] + a.d[2] * b.v}};
}

// e3nn's spherical harmonics of the direction, in its component normalisation
static void harmonics(int64_t l_max, Dual x, Dual y, Dual z, Dual *s) {
    s[0] = {1, {0, 0, 0}};
    if (l_max > 0) { s[1] = std::sqrt(3.) * x; s[2] = std::sqrt(3.) * y; s[3] = std::sqrt(3.) * z; }
    if (l_max < 2) return;
    const Dual y2 = y * y, q = x * x + z * z;
    s[4] = std::sqrt(15.) * (x * z); s[5] = std::sqrt(15.) * (x * y);
    s[6] = std::sqrt(5.) * (y2 - 0.5 * q); s[7] = std::sqrt(15.) * (y * z);
    s[8] = 0.5 * std::sqrt(15.) * (z * z - x * x);
    if (l_max < 3) return;
    s[9] = std::sqrt(42.) / 6 * (s[4] * z + s[8] * x); s[10] = std::sqrt(7.) * (s[4] * y);
    s[11] = std::sqrt(168.) / 8 * ((4. * y2 - q) * x); s[12] = std::sqrt(7.) / 2 * (y * (2. * y2 - 3. * q));
    s[13] = std::sqrt(168.) / 8 * (z * (4. * y2 - q)); s[14] = std::sqrt(7.) * (s[8] * y);
    s[15] = std::sqrt(42.) / 6 * (s[8] * z - s[4] * x);
}

// Harmonics Y [edge][j] and their slopes J [edge][j][3], directions [edge][3] and lengths of edges
extern "C" void geometry(int64_t n_edges, int64_t l_max, const double *vectors, REAL *Y, REAL *J,
                         double *directions, double *lengths) {
    const int64_t size = (l_max + 1) * (l_max + 1);
    for (int64_t e = 0; e < n_edges; e++) {
        const double *v = vectors + 3 * e;
        const double r = lengths[e] = std::sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]);
        Dual c[3], s[MAX_HARMONICS];
        for (int a = 0; a < 3; a++) {
            c[a].v = directions[3 * e + a] = v[a] / r;
            for (int b = 0; b < 3; b++) c[a].d[b] = ((a == b) - v[a] * v[b] / (r * r)) / r;
        }
        harmonics(l_max, c[0], c[1], c[2], s);
        for (int64_t j = 0; j < size; j++) {
            Y[e * size + j] = s[j].v;
            for (int a = 0; a < 3; a++) J[3 * (e * size + j) + a] = s[j].d[a];
        }
    }
}
