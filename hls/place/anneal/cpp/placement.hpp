// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Where cells are, and what a slice of the 7 series can hold.
#pragma once
#include "anneal.hpp"

class Placement {
public:
    explicit Placement(Problem& problem) : p(problem) {}

    // Whether what is used agrees with what is wanted too; -1 is nothing.
    static bool agree(int& used, int wanted) {
        if (wanted < 0)
            return true;
        if (used >= 0 && used != wanted)
            return false;
        used = wanted;
        return true;
    }

    // What a slice of the 7 series can hold (UG474; what nextpnr-xilinx checks, without the multiplexers F7 and F8).
    bool legal(int slice) {
        int control = -1, wclk = -1, clock = -1;
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
            for (int i = 0; i < 2; i++) {
                int f = i ? ff2 : ff;
                if (f < 0)
                    continue;
                if (i && p.latch[f])
                    return false;
                if (!agree(control, p.control[f]))
                    return false;
                clock = p.clock[f];
            }
        }
        // A RAM's or a shift register's clock is that of the flip-flops.
        return wclk < 0 || clock < 0 || wclk == clock;
    }

protected:
    Problem& p;

    int& at(int slice, int sub) { return p.occupant[slice * SUBS + sub]; }

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
};
