// FIFOs of the library (fifo_queue.sv) against queues, word for word and cycle for cycle, with random writers, readers
// and resets.
//
//   fifo_queue SEED CYCLES LATENCY LATENCY LATENCY
//
// A word is offered LATENCY cycles after it was put. Prints per FIFO in how many cycles it was full, and empty; exit
// code 1 at the first difference.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <random>

#include "Vfifo_queue.h"
#include "verilated.h"

constexpr int COUNT = 3, WIDTH = 18, DEPTH[COUNT] = {5, 2, 300}, ROOM[COUNT] = {3, 1, 17};
constexpr uint64_t MASK = (1 << WIDTH) - 1;

struct word {
    uint64_t data;
    long cycle;
};

struct model {
    std::deque<word> queue;
    int before = 0;          // words a cycle ago
    int push = 0, pop = 0;   // per cent
    long full = 0, empty = 0;
};

int main(int argc, char** argv) {
    if (argc != 3 + COUNT) {
        return 2;
    }
    const unsigned seed = std::strtoul(argv[1], nullptr, 10);
    const long cycles = std::atol(argv[2]);
    std::mt19937_64 random(seed);
    VerilatedContext context;
    context.randSeed(seed + 1);
    context.randReset(2);
    Vfifo_queue dut(&context);
    model models[COUNT];
    bool was_reset = true;
    dut.rst = 1;
    dut.clk = dut.in_valid = dut.out_ready = 0;
    dut.eval();
    dut.clk = 1;
    dut.eval();
    for (long cycle = 0; cycle < cycles; cycle++) {
        const bool reset = random() % 2000 == 0;
        dut.clk = dut.in_valid = dut.out_ready = 0;
        dut.rst = reset;
        dut.in_data = random() & ((uint64_t(1) << (COUNT * WIDTH)) - 1);
        for (int i = 0; i < COUNT; i++) {
            model& m = models[i];
            if (cycle % 500 == 0) {  // phases: it fills, it empties, it is passed through
                m.push = random() % 101;
                m.pop = random() % 101;
            }
            const bool put = int(m.queue.size()) < DEPTH[i] && int(random() % 100) < m.push;
            dut.in_valid |= put << i;
            dut.out_ready |= (int(random() % 100) < m.pop) << i;
        }
        dut.eval();
        for (int i = 0; i < COUNT; i++) {
            model& m = models[i];
            const bool offered = !m.queue.empty() && m.queue.front().cycle + std::atol(argv[3 + i]) <= cycle;
            const bool room = !was_reset && m.before + ROOM[i] <= DEPTH[i];
            const bool valid = dut.out_valid >> i & 1, has_room = dut.room >> i & 1;
            const uint64_t data = dut.out_data >> (i * WIDTH) & MASK;
            if (valid != offered || has_room != room || (offered && data != m.queue.front().data)) {
                std::printf("FIFO %d, cycle %ld, seed %u, %zu words: offered %d, expected %d; room %d, expected %d\n",
                            i, cycle, seed, m.queue.size(), int(valid), int(offered), int(has_room), int(room));
                return 1;
            }
            m.before = m.queue.size();
            m.full += m.before == DEPTH[i];
            m.empty += m.before == 0;
            if (reset) {
                m.queue.clear();
                continue;
            }
            if (offered && (dut.out_ready >> i & 1)) {
                m.queue.pop_front();
            }
            if (dut.in_valid >> i & 1) {
                m.queue.push_back({dut.in_data >> (i * WIDTH) & MASK, cycle});
            }
        }
        was_reset = reset;
        dut.clk = 1;
        dut.eval();
    }
    dut.final();
    for (const model& m : models) {
        std::printf("%ld %ld\n", m.full, m.empty);
    }
}
