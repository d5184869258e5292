// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Simulated annealing of a placement that is legal and stays legal; problem.py describes the arrays.
// Cost: half wire length (half perimeters of the nets' boxes), half delay of connections, weighted by how critical each
// is (the placer of VPR: Marquardt, Betz, Rose, "Timing-driven placement for FPGAs", 2000).
#include "cost.hpp"
#include "paths.hpp"

namespace {

class Annealer : public Cost {
public:
    Annealer(Problem& problem, uint64_t seed) : Cost(problem, seed) {}

    Statistics run(int64_t moves, double temperature, int range, double wire_share, double delay_share) {
        Statistics s{};
        for (int64_t i = 0; i < moves; i++) {
            count = slices = 0;
            applied = false;
            if (!propose(range)) {
                if (applied)
                    undo();
                continue;
            }
            if (!place()) {
                undo();
                continue;
            }
            double wire = 0, delay = 0;
            evaluate(wire, delay);
            double cost = wire * wire_share + delay * delay_share;
            if (cost <= 0 || (temperature > 0 && uniform() < exponential(-cost / temperature))) {
                accept();
                s.accepted++;
                s.wire += wire;
                s.delay += delay;
            } else {
                undo();
            }
        }
        return s;
    }
};

// There is one at a time; it is large for a stack.
Annealer& annealer_of(Problem& problem, uint64_t seed) {
    alignas(Annealer) static char memory[sizeof(Annealer)];
    return *new (memory) Annealer(problem, seed);
}

}  // namespace

#define EXPORT extern "C" __attribute__((visibility("default")))

EXPORT void anneal(Problem* problem, uint64_t seed, int64_t moves, double temperature, int range, double wire_share,
                   double delay_share, Statistics* statistics) {
    *statistics = annealer_of(*problem, seed).run(moves, temperature, range, wire_share, delay_share);
}

// Boxes, delays and sums of the placement as it is; the number of slices that are not legal.
EXPORT int survey(Problem* problem, double* wire, double* delay) {
    Annealer& annealer = annealer_of(*problem, 1);
    *wire = annealer.totals(*delay);
    int wrong = 0;
    for (int slice = 0; slice < problem->slices; slice++)
        wrong += !annealer.legal(slice);
    return wrong;
}

EXPORT int problem_bytes() { return sizeof(Problem); }

EXPORT float analyse(Problem* problem, float exponent) { return longest_path(problem, exponent); }
