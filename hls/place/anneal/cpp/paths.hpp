// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The longest path, and how critical each connection is.
#pragma once
#include "anneal.hpp"

// Arrival times, then times to the end; each connection's weight from the length of the longest path through it.
// Returns the longest path.
inline float longest_path(Problem* p, float exponent) {
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
    for (int net = 0; net < p->nets; net++) {
        if (!p->timed[net])
            continue;
        for (int pin = p->net_begin[net] + 1; pin < p->net_begin[net + 1]; pin++) {
            float path = p->arrival[net] + p->delay[pin] + p->tail[pin];
            p->weight[pin] = path > 0 ? __builtin_powf(path / longest, exponent) : 0;
        }
    }
    return longest;
}
