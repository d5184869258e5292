// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Proposals: which cells go where.
#pragma once
#include "transaction.hpp"

constexpr int TALLEST = 20;  // slices that change places with as many

class Moves : public Transaction {
protected:
    Moves(Problem& problem, uint64_t seed) : Transaction(problem, seed) {}

    bool propose(int range) {
        uint32_t kind = random(100);
        if (kind < 56)
            return propose_atom(range);
        if (kind < 70)
            return propose_home();
        if (kind < 80)
            return propose_lanes(range);
        if (kind < 88)
            return propose_slices(range);
        if (kind < 97)
            return propose_chain(range);
        return propose_block(range);
    }

    int near(int slice, int range) {
        int x = p.slice_x[slice] + int(random(2 * range + 1)) - range,
            y = p.slice_y[slice] + int(random(2 * range + 1)) - range;
        if (x < 0 || y < 0 || x >= p.columns || y >= p.rows)
            return -1;
        return p.grid[x * p.rows + y];
    }

    // A slice near one that a cell is wired to, or near its own.
    int aim(int cell, int slice, int range) {
        if (random(2))
            return near(slice, range);
        int begin = p.cell_begin[cell], pins = p.cell_begin[cell + 1] - begin;
        if (!pins)
            return -1;
        int net = p.pin_net[p.cell_pin[begin + random(pins)]], first = p.net_begin[net];
        int other = p.pin_cell[first + random(p.net_begin[net + 1] - first)];
        if (p.net_weight[net] == 0 || other == cell)
            return -1;
        int site = p.site[other];
        return slice_site(site) ? near(site, range / 6 + 1) : near(p.beside[site], range / 4 + 3);
    }

    // One LUT, one flip-flop, or a LUT with its flip-flop, into another place or in exchange with what is there.
    bool propose_atom(int range) {
        if (!p.atoms)
            return false;
        int cell = p.atom[random(p.atoms)];
        int from = p.site[cell], sub = p.sub[cell], to = aim(cell, from, range);
        if (to < 0)
            return false;
        int lane = random(4), mate = p.mate[cell];
        if (p.kind[cell] == LUT) {
            int slot = p.inputs[cell] <= 5 && random(5) == 0 ? L5 : L6;
            if (p.srl[cell])
                slot = sub & 3;
            int goal = lane * 4 + slot;
            if (to == from && goal == sub)
                return false;
            int other = at(to, goal);
            if (other >= 0 && (p.rigid[other] || (p.mate[other] < 0) != (mate < 0)))
                return false;
            if (mate >= 0) {
                int ff = at(to, goal + TO_FF);
                if (ff >= 0 && (other < 0 || ff != p.mate[other])) {
                    if (p.rigid[ff] || p.mate[ff] >= 0)
                        return false;
                    if (!take(ff, from, p.sub[mate]))
                        return false;
                }
                take(mate, to, goal + TO_FF);
            }
            take(cell, to, goal);
            if (other >= 0) {
                take(other, from, sub);
                if (mate >= 0)
                    take(p.mate[other], from, sub + TO_FF);
            }
            return true;
        }
        int goal = lane * 4 + (random(2) ? FF : FF2);
        if (to == from && goal == sub)
            return false;
        return move_flip_flop(cell, to, goal);
    }

    // A flip-flop alone into a place, or in exchange with one alone.
    bool move_flip_flop(int cell, int to, int goal) {
        int other = at(to, goal), from = p.site[cell], sub = p.sub[cell];
        if (other >= 0 && (p.rigid[other] || p.mate[other] >= 0))
            return false;
        take(cell, to, goal);
        if (other >= 0)
            take(other, from, sub);
        return true;
    }

    // A flip-flop into the lane of what drives it: a wire less, and no bypass.
    bool propose_home() {
        if (!p.atoms)
            return false;
        int cell = p.atom[random(p.atoms)];
        if (p.kind[cell] != FLIP_FLOP || p.data[cell] < 0)
            return false;
        int driver = p.driver[p.data[cell]];
        if (driver < 0 || !slice_site(p.site[driver]) || p.kind[driver] == FLIP_FLOP)
            return false;
        int to = p.site[driver], lane = p.kind[driver] == CHAIN ? p.carry_lane[p.data[cell]] : p.sub[driver] >> 2;
        if (lane > 3)
            return false;
        int goal = lane * 4 + (p.kind[driver] == LUT && (p.sub[driver] & 3) == L5 && random(2) ? FF2 : FF);
        if (to == p.site[cell] && goal == p.sub[cell])
            return false;
        return move_flip_flop(cell, to, goal);
    }

    bool free_lane(int slice, int lane) {
        for (int i = 0; i < 4; i++) {
            int cell = at(slice, lane * 4 + i);
            if (cell >= 0 && p.rigid[cell])
                return false;
        }
        return true;
    }

    bool propose_lanes(int range) {
        if (!p.atoms)
            return false;
        int cell = p.atom[random(p.atoms)], from = p.site[cell], to = near(from, range);
        if (to < 0 || to == from)
            return false;
        int a = p.sub[cell] >> 2, b = random(4);
        if (!free_lane(from, a) || !free_lane(to, b))
            return false;
        for (int i = 0; i < 4; i++) {
            int one = at(from, a * 4 + i), two = at(to, b * 4 + i);
            if (one >= 0)
                take(one, to, b * 4 + i);
            if (two >= 0)
                take(two, from, a * 4 + i);
        }
        return true;
    }

    bool exchange(int one, int two) {
        if (p.needs_memory[one] > p.memory[two] || p.needs_memory[two] > p.memory[one])
            return false;
        for (int i = 0; i < SUBS; i++) {
            int a = at(one, i), b = at(two, i);
            if (a >= 0 && !take(a, two, i))
                return false;
            if (b >= 0 && !take(b, one, i))
                return false;
        }
        return true;
    }

    bool propose_slices(int range) {
        int from = random(p.slices), to;
        if (random(2) && p.memories) {  // a slice with a RAM, in half of the cases: they have few places
            from = p.site[p.memory_cell[random(p.memories)]];
            to = near(from, 2 * range + 2);
        } else {
            to = near(from, range);
        }
        if (to < 0 || to == from || at(from, CARRY) >= 0 || at(to, CARRY) >= 0)
            return false;
        update_memory(from);
        update_memory(to);
        return exchange(from, to);
    }

    void update_memory(int slice) {
        char needs = 0;
        for (int i = 0; i < 16; i++) {
            int cell = at(slice, i);
            if (cell >= 0 && p.kind[cell] == LUT && (p.ram[cell] || p.srl[cell]))
                needs = 1;
        }
        p.needs_memory[slice] = needs;
    }

    // A carry chain with all that is in its slices, in exchange with as many slices.
    bool propose_chain(int range) {
        if (!p.chains)
            return false;
        int chain = random(p.chains);
        const int* members = p.chain_cell + p.chain_begin[chain];
        int height = p.chain_begin[chain + 1] - p.chain_begin[chain];
        int from = p.site[members[0]];
        int part =
            p.site[members[random(height)]];  // two statements: the order of a call's arguments is the compiler's
        int guide = at(part, random(SUBS));
        int to = guide >= 0 ? aim(guide, from, range) : near(from, range);
        if (to < 0 || to == from)
            return false;
        if (random(3))
            return move_chain(from, to, height);
        int low = from, high = p.site[members[height - 1]], other = to, top = to;
        for (int i = 1; i < height; i++)
            if (top < 0 || (top = p.above[top]) < 0)
                return false;
        // Both stretches grow until no chain reaches out of them.
        while (cut(low, true) || cut(other, true)) {
            if (p.below[low] < 0 || p.below[other] < 0 || ++height > TALLEST)
                return false;
            low = p.below[low], other = p.below[other];
        }
        while (cut(high, false) || cut(top, false)) {
            if (p.above[high] < 0 || p.above[top] < 0 || ++height > TALLEST)
                return false;
            high = p.above[high], top = p.above[top];
        }
        if (p.slice_x[low] == p.slice_x[other]) {
            int apart = p.slice_y[low] - p.slice_y[other];
            if (apart < height && apart > -height)
                return false;  // they overlap
        }
        for (int i = 0; i < height; i++) {
            update_memory(low);
            update_memory(other);
            if (!exchange(low, other))
                return false;
            low = p.above[low], other = p.above[other];
        }
        return true;
    }

    // A chain and the flip-flops of its sums to slices without one; what was there goes anywhere near.
    bool move_chain(int from, int to, int height) {
        int above = to;
        for (int i = 0; i < height; i++, above = p.above[above]) {
            if (above < 0)
                return false;
            for (int j = 0; j < SUBS; j++)
                if (at(above, j) >= 0 && p.rigid[at(above, j)])
                    return false;
        }
        applied = true;
        for (int i = 0; i < height; i++, to = p.above[to], from = p.above[from]) {
            int chain = at(from, CARRY);
            for (int j = 0; j < CARRY; j++) {
                int cell = at(to, j);
                if (cell >= 0 && (p.kind[cell] == LUT || p.mate[cell] < 0) && !evict(cell))
                    return false;
            }
            for (int j = 0; j < SUBS; j++) {
                int cell = at(from, j);
                if (cell < 0)
                    continue;
                bool sum =
                    (j & 3) == FF && p.kind[cell] == FLIP_FLOP && p.data[cell] >= 0 && p.driver[p.data[cell]] == chain;
                if ((p.rigid[cell] || sum) && !step(cell, to, j))
                    return false;
            }
        }
        return true;
    }

    // A place near for a LUT, a pair or a flip-flop, legal as things are.
    bool evict(int cell) {
        int slice = p.site[cell], mate = p.mate[cell];
        bool lut = p.kind[cell] == LUT;
        for (int attempt = 0; attempt < 40; attempt++) {
            int to = near(slice, 3 + attempt / 8);
            if (to < 0 || to == slice)
                continue;
            for (int i = 0, lane = random(4); i < 8; i++, lane = (lane + 1) & 3) {
                int goal = lane * 4 + (lut ? (i < 4 || p.inputs[cell] > 5 ? L6 : L5) : (i < 4 ? FF : FF2));
                if (at(to, goal) >= 0 || (mate >= 0 && at(to, goal + TO_FF) >= 0))
                    continue;
                int before = count;
                if (count + 2 > MOST_MOVED)
                    return false;
                step(cell, to, goal);
                if (mate >= 0)
                    step(mate, to, goal + TO_FF);
                if (legal(to))
                    return true;
                while (count > before) {
                    count--;
                    clear(moved[count].cell);
                    put(moved[count].cell, moved[count].site, moved[count].sub);
                }
            }
        }
        return false;
    }

    // Whether a chain goes on below a slice, or above it.
    bool cut(int slice, bool down) {
        int carry = at(slice, CARRY);
        if (carry < 0)
            return false;
        int chain = p.chain_of[carry];
        return p.chain_cell[down ? p.chain_begin[chain] : p.chain_begin[chain + 1] - 1] != carry;
    }

    // A DSP or a block RAM, into a free place or in exchange.
    bool propose_block(int range) {
        if (!p.blocks)
            return false;
        int cell = p.block[random(p.blocks)], cls = p.block_class[cell];
        int from = p.site[cell];
        int begin = p.class_begin[cls], end = p.class_begin[cls + 1];
        int to = begin + int(random(end - begin));
        int dx = p.x[to] - p.x[from], dy = p.y[to] - p.y[from];
        int reach = 3 * range + 8;
        if (to == from || dx > reach || dx < -reach || dy > reach || dy < -reach)
            return false;
        int other = p.block_at[to];
        if (other >= 0 && p.rigid[other])
            return false;
        take(cell, to, 0);
        if (other >= 0)
            take(other, from, 0);
        return true;
    }
};
