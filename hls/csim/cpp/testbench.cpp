// C simulation: every kernel on its own, then whole transfers through srcnn_top, against golden vectors.
//
// Prints per kernel how many values were compared; ends with exit code 1 at the first mismatch, with its
// coordinate, or if a kernel gave fewer or more values than expected.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "srcnn_top.hpp"
#include "vectors.hpp"

using namespace srcnn;

// Compares values one by one in the order of `expected`, whose last dimensions name the coordinate.
class checker {
public:
    checker(const char* kernel, const array& expected) : kernel(kernel), expected(expected) {}
    void take(int64_t actual) {
        if (at >= expected.count) {
            printf("FAIL %s: more values than the %zu expected\n", kernel, expected.count);
            exit(1);
        }
        if (actual != expected.values[at]) {
            printf("FAIL %s at (", kernel);
            size_t rest = at, block = expected.count;
            for (int i = 0; i < expected.dims; i++) {
                block /= expected.shape[i];
                printf("%s%zu", i ? ", " : "", rest / block);
                rest %= block;
            }
            printf("): expected %" PRId64 ", actual %" PRId64 ", after %zu equal values\n",
                        expected.values[at], actual, at);
            exit(1);
        }
        at++;
    }
    ~checker() {
        if (at != expected.count) {
            printf("FAIL %s: %zu values, expected %zu: the kernel stopped early\n", kernel, at, expected.count);
            exit(1);
        }
        printf("pass %-10s %8zu values\n", kernel, at);
    }

private:
    const char* kernel;
    const array& expected;
    size_t at = 0;
};

static void test_requantise() {
    const array &acc = vector_named("requantise_acc"), &shift = vector_named("requantise_shift");
    checker check("requantise", vector_named("requantise_expected"));
    constexpr int ACC = conv3_sum_cfg::ACC_BITS;
    for (size_t i = 0; i < acc.count; i++) {
        check.take(requantise<ACC>(ap_int<ACC>(acc.values[i]), shift_t(shift.values[i])).to_uint());
    }
}

// Every activation with every pair of weights: 2^24 products. Counts the pairs that differ from two plain products.
static void test_pairs() {
    size_t wrong = 0, count = 0;
    for (int low = -128; low < 128; low++) {
        for (int high = -128; high < 128; high++) {
            const packed_weight_t weights = pack_weights(weight_t(low), weight_t(high));
            for (int x = 0; x < 256; x++, count++) {
                const packed_product_t product = multiply_pair(weights, act_t(x));
                const bool right = low_product(product).to_int() - 128 * x == low * x && high_product(product).to_int() == high * x;
                if (!right && wrong++ == 0) {
                    printf("first wrong pair: weights %d and %d, activation %d\n", low, high, x);
                }
            }
        }
    }
    if (wrong) {
        printf("FAIL pairs: %zu of %zu pairs of products are wrong\n", wrong, count);
        exit(1);
    }
    printf("pass %-10s %8zu pairs of products, all there are\n", "pairs", count);
}

static void test_line_buffer() {
    const array& image = vector_named("line_image");
    constexpr int K = conv1_cfg::K;
    static line_buffer<K, 8, conv1_cfg::MAX_W> lines;
    checker check("line_buffer", vector_named("line_expected"));
    for (int y = 0; y < image.shape[0]; y++) {
        for (int x = 0; x < image.shape[1]; x++) {
            ap_uint<8 * K> column = lines.push(x, ap_uint<8>(image.values[y * image.shape[1] + x]));
            for (int r = 0; r < K && y >= K - 1; r++) {
                check.take(column.range(8 * r + 7, 8 * r).to_uint());
            }
        }
    }
}

static void send_command(hls::stream<ctrl_t>& ctrl, bool tile, const array& input) {
    stage_command command;
    command.tile = tile;
    command.last_y = tile ? input.shape[0] - 1 : 0;
    command.last_x = tile ? input.shape[1] - 1 : 0;
    ctrl.write(command.pack());
}

// "<stage>_<what><tile>", without the number if it is negative; null if there is none.
static const array* find_array(const char* stage, const char* what, int tile) {
    char name[64];
    if (tile < 0) {
        snprintf(name, sizeof name, "%s_%s", stage, what);
    } else {
        snprintf(name, sizeof name, "%s_%s%d", stage, what, tile);
    }
    return find_vector(name);
}

// A stage on its own: parameters, then two tiles back to back. Words carry IN_WORD or `out_word` values.
template <class Stage, int IN_WORD, int IN_BITS, int OUT_WORD, int OUT_BITS, bool SIGNED_OUT>
static void test_stage(const char* name) {
    static Stage stage;
    hls::stream<ctrl_t> ctrl("ctrl");
    hls::stream<typename Stage::in_t> in("in");
    hls::stream<typename Stage::out_t> out("out");
    const array& params = *find_array(name, "params", -1);
    send_command(ctrl, false, params);
    for (size_t i = 0; i < params.count; i++) {
        ctrl.write(ctrl_t(static_cast<uint64_t>(params.values[i])));
    }
    for (int tile = 0; find_array(name, "input", tile); tile++) {
        const array& input = *find_array(name, "input", tile);
        send_command(ctrl, true, input);
        for (size_t i = 0; i < input.count; i += IN_WORD) {
            typename Stage::in_t word = 0;
            for (int c = 0; c < IN_WORD; c++) {
                word.range(c * IN_BITS + IN_BITS - 1, c * IN_BITS) = ap_int<IN_BITS + 1>(input.values[i + c]).range(IN_BITS - 1, 0);
            }
            in.write(word);
        }
    }
    run(stage, ctrl, in, out);
    for (int tile = 0; find_array(name, "expected", tile); tile++) {
        const array& expected = *find_array(name, "expected", tile);
        checker check(name, expected);
        for (size_t i = 0; i < expected.count && !out.empty(); i += OUT_WORD) {
            const typename Stage::out_t word = out.read();
            for (int c = 0; c < OUT_WORD; c++) {
                const ap_uint<OUT_BITS> bits = word.range(c * OUT_BITS + OUT_BITS - 1, c * OUT_BITS);
                const ap_int<OUT_BITS> as_signed = bits;
                check.take(SIGNED_OUT ? as_signed.to_int64() : int64_t(bits.to_uint64()));
            }
        }
    }
    if (!out.empty() || !in.empty() || !ctrl.empty()) {
        printf("FAIL %s: values are left in its streams\n", name);
        exit(1);
    }
}

// Whole transfers: beats are (data, keep, last); the answers have to be the expected beats.
static void test_top() {
    hls::stream<beat_t> in("in"), out("out");
    const array& beats = vector_named("top_input");
    for (int i = 0; i < beats.shape[0]; i++) {
        beat_t beat;
        beat.data = static_cast<uint64_t>(beats.values[3 * i]);
        beat.keep = beats.values[3 * i + 1];
        beat.strb = beat.keep;
        beat.last = beats.values[3 * i + 2];
        in.write(beat);
    }
    srcnn_top(in, out);
    checker check("srcnn_top", vector_named("top_expected"));
    while (!out.empty()) {
        const beat_t beat = out.read();
        check.take(static_cast<int64_t>(beat.data.to_uint64()));
        check.take(beat.keep.to_uint());
        check.take(beat.last.to_uint());
    }
}

int main(int argc, char** argv) {
    const bool only_top = argc == 3 && strcmp(argv[2], "top") == 0;  // co-simulation replaces srcnn_top alone
    if (argc != 2 && !only_top) {
        fprintf(stderr, "usage: testbench VECTORS [top]\n");
        return 2;
    }
    load_vectors(argv[1]);
    if (!only_top) {
        test_pairs();
        test_requantise();
        test_line_buffer();
        test_stage<conv1_stage, 1, 8, conv1_cfg::PE, 8, false>("conv1");
        test_stage<conv2_stage, conv2_cfg::IN_WORD, 8, conv2_cfg::PE, 8, false>("conv2");
        test_stage<conv3_stage, conv3_cfg::IN_WORD, 8, conv3_cfg::PE, conv3_cfg::ACC_BITS, true>("conv3");
        test_stage<conv3_sum_stage, conv3_sum_cfg::IN_WORD, conv3_sum_cfg::RAW_BITS, 1, 8, false>("sum");
    }
    test_top();
    return 0;
}
