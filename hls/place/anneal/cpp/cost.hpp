// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What a move costs: half perimeters of the boxes of its nets, and delays of its connections.
#pragma once
#include "moves.hpp"

constexpr int SMALL_NET = 5;  // pins up to which a box is computed anew

class Cost : public Moves {
public:
    Cost(Problem& problem, uint64_t seed) : Moves(problem, seed) {}

    // Bring boxes and delays up to date; their sums.
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

protected:
    int nets = 0, pins = 0;

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
};
