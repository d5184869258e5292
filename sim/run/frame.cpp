// Drives the Verilated srcnn_top at full speed: beats from a file into s_axis, those of m_axis into another.
//
//   frame INPUT OUTPUT EXPECTED IDLE BACKPRESSURE SEED PATIENCE
//
// INPUT holds rows of three 64-bit words (data, keep, last), OUTPUT gets rows of four, the last one the cycle in
// which the beat left. EXPECTED beats end the run; IDLE and BACKPRESSURE are shares of cycles without a beat to
// offer and without room for one. PATIENCE cycles without any beat end it as well, with exit code 3.
// Prints "progress <cycle> <beats in> <beats out>" now and then, then "done <cycles> <seconds>".
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "Vsrcnn_top.h"
#include "verilated.h"

namespace {

constexpr int RESET_CYCLES = 20;             // as sim/benches/top_bench.py
constexpr uint64_t REPORT_CYCLES = 1 << 12;  // often enough for small pictures on the fastest board
constexpr uint64_t TAIL_CYCLES = 1000;       // after the last expected beat: one more would be one too many

struct beat {
    uint64_t data, keep, last;
};
struct timed_beat {
    uint64_t data, keep, last, cycle;
};

// A pause in `share` of the cycles, the same ones for the same seed (xorshift64).
class pauses {
public:
    pauses(double share, uint64_t seed) : limit(share * 65536), state(seed * 0x9E3779B97F4A7C15u + 1) {}
    bool next() {
        if (limit == 0) {
            return false;
        }
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return (state >> 40 & 0xFFFF) < limit;
    }

private:
    uint64_t limit, state;
};

std::vector<beat> read_beats(const char* path) {
    std::vector<beat> beats;
    FILE* file = std::fopen(path, "rb");
    beat next;
    while (file && std::fread(&next, sizeof next, 1, file) == 1) {
        beats.push_back(next);
    }
    if (file) {
        std::fclose(file);
    }
    return beats;
}

bool write_beats(const char* path, const std::vector<timed_beat>& beats) {
    FILE* file = std::fopen(path, "wb");
    const bool written = file && std::fwrite(beats.data(), sizeof(timed_beat), beats.size(), file) == beats.size();
    return file && std::fclose(file) == 0 && written;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 8) {
        std::fprintf(stderr, "usage: frame INPUT OUTPUT EXPECTED IDLE BACKPRESSURE SEED PATIENCE\n");
        return 2;
    }
    const std::vector<beat> input = read_beats(argv[1]);
    const uint64_t expected = std::strtoull(argv[3], nullptr, 10), seed = std::strtoull(argv[6], nullptr, 10);
    const uint64_t patience = std::strtoull(argv[7], nullptr, 10);
    pauses idle(std::atof(argv[4]), 2 * seed + 1), backpressure(std::atof(argv[5]), 2 * seed + 2);

    VerilatedContext context;
    context.randSeed(int(seed & 0x7FFFFFFF) + 1);
    context.randReset(2);  // registers start with random values, so that nothing relies on them
    Vsrcnn_top top(&context);
    top.s_axis_tvalid = top.m_axis_tready = 0;
    for (int cycle = 0; cycle < RESET_CYCLES; cycle++) {
        top.rst = 1;
        top.clk = 0;
        top.eval();
        top.clk = 1;
        top.eval();
    }
    top.rst = 0;

    std::vector<timed_beat> output;
    uint64_t cycle = 0, last_beat = 0, sent = 0;
    const auto begin = std::chrono::steady_clock::now();
    while (cycle - last_beat < (output.size() < expected ? patience : TAIL_CYCLES)) {
        // AXI4-Stream: once valid, a beat stays until it is taken.
        if (!top.s_axis_tvalid && sent < input.size() && !idle.next()) {
            top.s_axis_tdata = input[sent].data;
            top.s_axis_tkeep = input[sent].keep;
            top.s_axis_tlast = input[sent].last;
            top.s_axis_tvalid = 1;
        }
        top.m_axis_tready = !backpressure.next();
        top.clk = 0;
        top.eval();
        const bool in = top.s_axis_tvalid && top.s_axis_tready, out = top.m_axis_tvalid && top.m_axis_tready;
        if (out) {
            output.push_back({top.m_axis_tdata, top.m_axis_tkeep, top.m_axis_tlast, cycle});
        }
        top.clk = 1;
        top.eval();
        if (in) {
            sent++;
            top.s_axis_tvalid = 0;
        }
        if (in || out) {
            last_beat = cycle;
        }
        if (++cycle % REPORT_CYCLES == 0) {
            std::printf("progress %llu %llu %llu\n", (unsigned long long)cycle, (unsigned long long)sent,
                        (unsigned long long)output.size());
            std::fflush(stdout);
        }
    }
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    top.final();
    if (!write_beats(argv[2], output)) {
        std::fprintf(stderr, "%s cannot be written\n", argv[2]);
        return 2;
    }
    std::printf("done %llu %.6f\n", (unsigned long long)cycle, seconds.count());
    return output.size() < expected ? 3 : 0;
}
