// Forces of atoms from the derivatives of the energy along the harmonics and lengths of edges.
//
// The geometry of a configuration is read where it is kept, so that no batch copies it. Edges of a
// graph come all one way, then in the same order their reverses; an edge and its reverse have one
// length, whose derivative counts once. Compiled with -DREAL=float|double.
#include <cstdint>

typedef REAL real;

struct Forces {
    int64_t n_members, n_frames, n_pairs, y_size, n_atoms;  // n_atoms of a member's frames together
    const int64_t *index, *src, *dst;  // [member][frame] numbers of configurations; [member][way][frame][pair]
    const real *J, *n;                 // [configuration][way][pair][3][y_size], [configuration][pair][3]
    real *along, *slope, *forces;      // [member][way][frame][pair][y_size], [member][frame][pair], [atom][3]
};

// Forces are added; with `back` `along` and `slope` are made of a cotangent of forces instead
template <bool back> static void pull(const Forces &q) {
    for (int64_t m = 0; m < q.n_members; m++)
        for (int64_t way = 0; way < 2; way++)
            for (int64_t f = 0; f < q.n_frames; f++) {
                const int64_t frame = q.index[m * q.n_frames + f];
                const real *J = q.J + (frame * 2 + way) * q.n_pairs * 3 * q.y_size, *n = q.n + frame * q.n_pairs * 3;
                const int64_t first = ((m * 2 + way) * q.n_frames + f) * q.n_pairs;
                real *along = q.along + first * q.y_size, *slope = q.slope + (m * q.n_frames + f) * q.n_pairs;
                real *F = q.forces + m * q.n_atoms * 3;
                for (int64_t p = 0; p < q.n_pairs; p++, J += 3 * q.y_size, n += 3, along += q.y_size) {
                    real *to = F + 3 * q.dst[first + p], *from = F + 3 * q.src[first + p], v[3];
                    if (back) {
                        for (int a = 0; a < 3; a++) v[a] = to[a] - from[a];
                        for (int64_t j = 0; j < q.y_size; j++)
                            along[j] = J[j] * v[0] + J[q.y_size + j] * v[1] + J[2 * q.y_size + j] * v[2];
                        if (way == 0) slope[p] = n[0] * v[0] + n[1] * v[1] + n[2] * v[2];
                        continue;
                    }
                    for (int a = 0; a < 3; a++) {
                        real sum = way == 0 ? slope[p] * n[a] : 0;
                        for (int64_t j = 0; j < q.y_size; j++) sum += J[a * q.y_size + j] * along[j];
                        to[a] += sum;
                        from[a] -= sum;
                    }
                }
            }
}

extern "C" void forces(int back, const Forces *q) { back ? pull<true>(*q) : pull<false>(*q); }
