// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Simulated annealing of a placement that is legal and stays legal; problem.py describes the arrays.
// Cost: half wire length (half perimeters of the nets' boxes), half delay of connections, weighted by how critical each
// is (the placer of VPR: Marquardt, Betz, Rose, "Timing-driven placement for FPGAs", 2000).
#include "anneal.hpp"

namespace {

constexpr int MOST_MOVED = 1024;  // cells of one move: a chain of 24 slices and as many to change places with
constexpr int TALLEST = 20;       // slices that change places with as many
constexpr int SMALL_NET = 5;      // pins up to which a box is computed anew

struct Moved {
    int cell, site, sub;  // where it was
};

class Annealer {
public:
    Annealer(Problem& problem, uint64_t seed) : p(problem), state(seed * 0x9e3779b97f4a7c15ull + 1) {}

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
            s.proposed++;
            if (!place()) {
                undo();
                s.illegal++;
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
                s.cost += cost;
                s.squares += cost * cost;
            } else {
                undo();
            }
        }
        return s;
    }

private:
    Problem& p;
    uint64_t state;
    int count = 0, slices = 0;
    bool applied = false;  // a proposal that is made step by step is in place already
    Moved moved[MOST_MOVED];
    int goal_site[MOST_MOVED], goal_sub[MOST_MOVED];
    int touched[2 * MOST_MOVED];
    int nets = 0, pins = 0;

    uint32_t random(uint32_t below) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return uint32_t(((state >> 32) * uint64_t(below)) >> 32);
    }
    double uniform() { return random(1u << 31) / double(1u << 31); }
    static double exponential(double x) { return x < -30 ? 0 : __builtin_exp(x); }

    int& at(int slice, int sub) { return p.occupant[slice * SUBS + sub]; }

    // ---- proposals ----

    bool take(int cell, int site, int sub) {
        if (count == MOST_MOVED)
            return false;
        moved[count] = {cell, p.site[cell], p.sub[cell]};
        goal_site[count] = site;
        goal_sub[count] = sub;
        count++;
        return true;
    }

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
            int slot = mate < 0 && p.inputs[cell] <= 5 && random(5) == 0 ? L5 : L6;
            if (p.srl[cell])
                slot = sub & 3;
            int goal = lane * 4 + slot;
            if (to == from && goal == sub)
                return false;
            int other = at(to, goal);
            if (other >= 0 && (p.rigid[other] || (p.mate[other] < 0) != (mate < 0)))
                return false;
            if (mate >= 0) {
                int ff = at(to, lane * 4 + FF);
                if (ff >= 0 && (other < 0 || ff != p.mate[other])) {
                    if (p.rigid[ff] || p.mate[ff] >= 0)
                        return false;
                    if (!take(ff, from, p.sub[mate]))
                        return false;
                }
                take(mate, to, lane * 4 + FF);
            }
            take(cell, to, goal);
            if (other >= 0) {
                take(other, from, sub);
                if (mate >= 0)
                    take(p.mate[other], from, (sub & ~3) + FF);
            }
            return true;
        }
        int goal = lane * 4 + (random(2) ? FF : FF2);
        if (to == from && goal == sub)
            return false;
        int other = at(to, goal);
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
        int other = at(to, goal), from = p.site[cell], sub = p.sub[cell];
        if (other >= 0 && (p.rigid[other] || p.mate[other] >= 0))
            return false;
        take(cell, to, goal);
        if (other >= 0)
            take(other, from, sub);
        return true;
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
        int guide = at(p.site[members[random(height)]], random(SUBS));
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
                if (p.rigid[cell] || sum)
                    step(cell, to, j);
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
                int goal = lane * 4 + (lut ? (i < 4 || mate >= 0 || p.inputs[cell] > 5 ? L6 : L5) : (i < 4 ? FF : FF2));
                if (at(to, goal) >= 0 || (mate >= 0 && at(to, lane * 4 + FF) >= 0))
                    continue;
                int before = count;
                if (count + 2 > MOST_MOVED)
                    return false;
                step(cell, to, goal);
                if (mate >= 0)
                    step(mate, to, lane * 4 + FF);
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

    void step(int cell, int site, int sub) {
        if (!take(cell, site, sub))
            return;
        clear(cell);
        put(cell, site, sub);
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

    // ---- placing and legality ----

    bool slice_site(int site) const { return site < p.slices; }

    void put(int cell, int site, int sub) {
        p.site[cell] = site;
        p.sub[cell] = sub;
        if (slice_site(site))
            at(site, sub) = cell;
        else
            p.block_at[site] = cell;
    }

    void clear(int cell) {
        if (slice_site(p.site[cell]))
            at(p.site[cell], p.sub[cell]) = -1;
        else
            p.block_at[p.site[cell]] = -1;
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

public:
    // Whether what is used agrees with what is wanted too; -1 is nothing.
    static bool agree(int& used, int wanted) {
        if (wanted < 0)
            return true;
        if (used >= 0 && used != wanted)
            return false;
        used = wanted;
        return true;
    }

    // What a slice of the 7 series can hold (UG474; the rules that nextpnr-xilinx checks itself).
    bool legal(int slice) {
        int control = -1, wclk = -1;
        bool big = false;
        int top = at(slice, 3 * 4 + L6), small = at(slice, 3 * 4 + L5);
        if (top >= 0 && p.ram[top] && !(small >= 0 && p.ram[small]))
            big = true;
        for (int lane = 0; lane < 4; lane++) {
            int l6 = at(slice, lane * 4 + L6), l5 = at(slice, lane * 4 + L5), ff = at(slice, lane * 4 + FF),
                ff2 = at(slice, lane * 4 + FF2), carry = at(slice, CARRY);
            if (l6 >= 0 && (p.ram[l6] || p.srl[l6]) && !p.memory[slice])
                return false;
            if (l5 >= 0 && (p.ram[l5] || p.srl[l5]) && !p.memory[slice])
                return false;
            if (l5 >= 0 && (p.inputs[l5] > 5 || p.outputs[l5] == 2))
                return false;
            if (l6 >= 0 && l5 >= 0) {
                if (p.ram[l6] != p.ram[l5] || p.srl[l6] != p.srl[l5])
                    return false;
                if (p.inputs[l6] == 6 || p.outputs[l6] == 2)
                    return false;
                if (p.inputs[l6] + p.inputs[l5] > 5) {
                    int shared = 0;
                    for (int i = 0; i < p.inputs[l5]; i++)
                        for (int j = 0; j < p.inputs[l6]; j++)
                            if (p.input[l5 * 6 + i] == p.input[l6 * 6 + j]) {
                                shared++;
                                break;
                            }
                    if (p.inputs[l6] + p.inputs[l5] - shared > 5)
                        return false;
                }
            }
            if (!agree(wclk, l6 < 0 ? -1 : p.wclk[l6]) || !agree(wclk, l5 < 0 ? -1 : p.wclk[l5]))
                return false;
            int bypass = l6 >= 0 ? p.data_in[l6] : -1;
            if (carry >= 0 && lane == 0 && !agree(bypass, p.carry_in[carry]))
                return false;
            if (ff >= 0 && p.data[ff] >= 0) {
                int driver = p.driver[p.data[ff]];
                bool direct = driver >= 0 && (driver == l6 || driver == l5);
                if (driver != UNDRIVEN && !direct && !agree(bypass, p.data[ff]))
                    return false;
            }
            if (ff2 >= 0 && p.data[ff2] >= 0) {
                int driver = p.driver[p.data[ff2]];
                if (driver != UNDRIVEN && (driver < 0 || driver != l5) && !agree(bypass, p.data[ff2]))
                    return false;
            }
            if (big && (lane == 1 || lane == 2) && bypass != p.write_msb[top * 2 + (lane == 2 ? 0 : 1)])
                return false;
            bool out = false;
            int fifth = -1;
            if (l6 >= 0 && p.outputs[l6] == 2)
                fifth = p.output[l6 * 2 + 1];
            else if (l5 >= 0 && !p.only_carry[l5])
                fifth = p.output[l5 * 2];
            if (fifth >= 0 &&
                (p.users[fifth] > 1 || ((ff < 0 || fifth != p.data[ff]) && (ff2 < 0 || fifth != p.data[ff2]))))
                out = true;
            if (carry >= 0 && (p.carry_outs[carry] >> lane & 1)) {
                if (out)
                    return false;
                out = true;
            }
            if (ff2 >= 0 && out)
                return false;
            if (!agree(control, ff < 0 ? -1 : p.control[ff]) || !agree(control, ff2 < 0 ? -1 : p.control[ff2]))
                return false;
        }
        return true;
    }

private:
    // ---- cost ----

    float connection(int net, int pin) const {
        if (p.direct[pin])
            return 0.f;
        int driver = p.driver[net], sink = p.pin_cell[pin], a = p.site[driver], b = p.site[sink];
        if (a == b) {
            if (!slice_site(a))
                return 0.f;
            int lane = p.kind[driver] == CHAIN ? p.carry_lane[net] : p.sub[driver] >> 2;
            return lane == p.sub[sink] >> 2 || p.kind[sink] == CHAIN ? p.same_lane : p.same_site;
        }
        int dx = p.x[a] - p.x[b], dy = p.y[a] - p.y[b];
        return p.delays[(dx < 0 ? -dx : dx) * p.delay_rows + (dy < 0 ? -dy : dy)];
    }

    void box_of(int net, Box& box) const {
        box = {32767, -1, 32767, -1, 0, 0, 0, 0};
        for (int pin = p.net_begin[net]; pin < p.net_begin[net + 1]; pin++) {
            int site = p.site[p.pin_cell[pin]];
            grow(box, p.x[site], p.y[site]);
        }
    }

    static void grow(Box& b, int x, int y) {
        if (x < b.left)
            b.left = x, b.lefts = 0;
        if (x > b.right)
            b.right = x, b.rights = 0;
        if (y < b.low)
            b.low = y, b.lows = 0;
        if (y > b.high)
            b.high = y, b.highs = 0;
        b.lefts += x == b.left;
        b.rights += x == b.right;
        b.lows += y == b.low;
        b.highs += y == b.high;
    }

    // False if an edge is left by its last pin: then the box has to be computed anew.
    static bool shift(Box& b, int x0, int y0, int x1, int y1) {
        grow(b, x1, y1);
        b.lefts -= x0 == b.left;
        b.rights -= x0 == b.right;
        b.lows -= y0 == b.low;
        b.highs -= y0 == b.high;
        return b.lefts && b.rights && b.lows && b.highs;
    }

    static float length(const Box& b) { return (b.right - b.left) + 2.f * (b.high - b.low); }

    void evaluate(double& wire, double& delay) {
        p.epoch++;
        nets = pins = 0;
        for (int i = 0; i < count; i++) {
            int cell = moved[i].cell, before = moved[i].site, now = goal_site[i];
            bool same = p.x[before] == p.x[now] && p.y[before] == p.y[now];
            for (int k = p.cell_begin[cell]; k < p.cell_begin[cell + 1]; k++) {
                int pin = p.cell_pin[k], net = p.pin_net[pin];
                if (!same && p.net_weight[net] > 0) {
                    if (p.net_epoch[net] != p.epoch) {
                        p.net_epoch[net] = p.epoch;
                        p.net_list[nets++] = net;
                        if (p.net_begin[net + 1] - p.net_begin[net] <= SMALL_NET) {
                            box_of(net, p.new_box[net]);
                            p.whole[net] = 1;
                        } else {
                            p.new_box[net] = p.box[net];
                            p.whole[net] = 0;
                        }
                    }
                    if (!p.whole[net] && !shift(p.new_box[net], p.x[before], p.y[before], p.x[now], p.y[now])) {
                        box_of(net, p.new_box[net]);
                        p.whole[net] = 1;
                    }
                }
                if (!p.timed[net])
                    continue;
                int first = p.net_begin[net];
                if (pin == first) {
                    for (int sink = first + 1; sink < p.net_begin[net + 1]; sink++)
                        retime(sink, net);
                } else {
                    retime(pin, net);
                }
            }
        }
        for (int i = 0; i < nets; i++) {
            int net = p.net_list[i];
            wire += p.net_weight[net] * (length(p.new_box[net]) - length(p.box[net]));
        }
        for (int i = 0; i < pins; i++) {
            int pin = p.pin_list[i];
            delay += p.weight[pin] * (p.new_delay[pin] - p.delay[pin]);
        }
    }

    void retime(int pin, int net) {
        if (p.pin_epoch[pin] == p.epoch)
            return;
        p.pin_epoch[pin] = p.epoch;
        p.pin_list[pins++] = pin;
        p.new_delay[pin] = connection(net, pin);
    }

    void accept() {
        for (int i = 0; i < nets; i++)
            p.box[p.net_list[i]] = p.new_box[p.net_list[i]];
        for (int i = 0; i < pins; i++)
            p.delay[p.pin_list[i]] = p.new_delay[p.pin_list[i]];
    }

public:
    double totals(double& delay) {
        double wire = 0;
        delay = 0;
        for (int net = 0; net < p.nets; net++) {
            if (p.net_weight[net] > 0) {
                box_of(net, p.box[net]);
                wire += p.net_weight[net] * length(p.box[net]);
            }
            if (!p.timed[net])
                continue;
            for (int pin = p.net_begin[net] + 1; pin < p.net_begin[net + 1]; pin++) {
                p.delay[pin] = connection(net, pin);
                delay += p.weight[pin] * p.delay[pin];
            }
        }
        return wire;
    }
};

}  // namespace

extern "C" {

__attribute__((visibility("default"))) void anneal(Problem* problem, uint64_t seed, int64_t moves, double temperature,
                                                   int range, double wire_share, double delay_share,
                                                   Statistics* statistics) {
    static thread_local Annealer* annealer = nullptr;
    alignas(Annealer) static thread_local char memory[sizeof(Annealer)];
    annealer = new (memory) Annealer(*problem, seed);
    *statistics = annealer->run(moves, temperature, range, wire_share, delay_share);
}

// Boxes, delays and sums of the placement as it is; the number of slices that are not legal.
__attribute__((visibility("default"))) int survey(Problem* problem, double* wire, double* delay) {
    alignas(Annealer) static thread_local char memory[sizeof(Annealer)];
    Annealer* annealer = new (memory) Annealer(*problem, 1);
    *wire = annealer->totals(*delay);
    int wrong = 0;
    for (int slice = 0; slice < problem->slices; slice++)
        wrong += !annealer->legal(slice);
    return wrong;
}

// Arrival times, then times to the end; each connection's weight from the length of the longest path through it.
// Returns the longest path.
__attribute__((visibility("default"))) float analyse(Problem* p, float exponent, float target) {
    float longest = 0;
    for (int i = 0; i < p->nets; i++) {
        int net = p->order[i];
        float at = p->launch[net];
        for (int k = p->arc_begin[net]; k < p->arc_begin[net + 1]; k++) {
            int pin = p->arc_pin[k];
            float t = p->arrival[p->pin_net[pin]] + p->delay[pin] + p->arc_delay[k];
            if (t > at)
                at = t;
        }
        p->arrival[net] = at;
    }
    for (int pin = 0; pin < p->pins; pin++)
        p->tail[pin] = p->setup[pin];
    for (int i = p->nets; i-- > 0;) {
        int net = p->order[i];
        float rest = -1e9f;
        for (int pin = p->net_begin[net] + 1; pin < p->net_begin[net + 1]; pin++) {
            float t = p->delay[pin] + p->tail[pin];
            if (t > rest)
                rest = t;
            float path = p->arrival[net] + t;
            if (p->timed[net] && path > longest)
                longest = path;
        }
        for (int k = p->arc_begin[net]; k < p->arc_begin[net + 1]; k++) {
            float t = rest + p->arc_delay[k];
            if (t > p->tail[p->arc_pin[k]])
                p->tail[p->arc_pin[k]] = t;
        }
    }
    float bound = longest > target ? longest : target;
    for (int net = 0; net < p->nets; net++) {
        if (!p->timed[net])
            continue;
        for (int pin = p->net_begin[net] + 1; pin < p->net_begin[net + 1]; pin++) {
            float path = p->arrival[net] + p->delay[pin] + p->tail[pin];
            p->weight[pin] = path > 0 ? __builtin_powf(path / bound, exponent) : 0;
        }
    }
    return longest;
}
}
