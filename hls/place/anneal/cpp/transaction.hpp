// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Cells that change their places at once, or not at all.
#pragma once
#include "placement.hpp"

constexpr int MOST_MOVED = 1024;  // cells of one move

struct Moved {
    int cell, site, sub;  // where it was
};

class Transaction : public Placement {
protected:
    Transaction(Problem& problem, uint64_t seed) : Placement(problem), state(seed * 0x9e3779b97f4a7c15ull + 1) {}

    uint64_t state;
    int count = 0, slices = 0;
    bool applied = false;  // a proposal that is made step by step is in place already
    Moved moved[MOST_MOVED];
    int goal_site[MOST_MOVED], goal_sub[MOST_MOVED];
    int touched[2 * MOST_MOVED];

    uint32_t random(uint32_t below) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return uint32_t(((state >> 32) * uint64_t(below)) >> 32);
    }
    double uniform() { return random(1u << 31) / double(1u << 31); }
    static double exponential(double x) { return x < -30 ? 0 : __builtin_exp(x); }

    bool take(int cell, int site, int sub) {
        if (count == MOST_MOVED)
            return false;
        moved[count] = {cell, p.site[cell], p.sub[cell]};
        goal_site[count] = site;
        goal_sub[count] = sub;
        count++;
        return true;
    }

    void touch(int site) {
        if (!slice_site(site))
            return;
        for (int j = slices; j-- > 0;)
            if (touched[j] == site)
                return;
        touched[slices++] = site;
    }

    bool place() {
        if (!applied) {
            for (int i = 0; i < count; i++)
                clear(moved[i].cell);
            for (int i = 0; i < count; i++)
                put(moved[i].cell, goal_site[i], goal_sub[i]);
        }
        for (int i = 0; i < count; i++) {
            touch(moved[i].site);
            touch(goal_site[i]);
        }
        for (int i = 0; i < slices; i++)
            if (!legal(touched[i]))
                return false;
        return true;
    }

    void undo() {
        if (applied) {  // step by step, as it was made: a cell can have moved twice
            for (int i = count; i-- > 0;) {
                clear(moved[i].cell);
                put(moved[i].cell, moved[i].site, moved[i].sub);
            }
            return;
        }
        for (int i = 0; i < count; i++)
            if (p.site[moved[i].cell] != moved[i].site || p.sub[moved[i].cell] != moved[i].sub)
                clear(moved[i].cell);
        for (int i = 0; i < count; i++)
            put(moved[i].cell, moved[i].site, moved[i].sub);
    }

    // At once, in a proposal that is made step by step.
    bool step(int cell, int site, int sub) {
        if (!take(cell, site, sub))
            return false;
        clear(cell);
        put(cell, site, sub);
        return true;
    }
};
