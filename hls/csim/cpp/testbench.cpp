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
            printf("): expected %" PRId64 ", actual %" PRId64 ", after %zu equal values\n", expected.values[at], actual,
                   at);
            exit(1);
        }
        at++;
    }
    ~checker() {
        if (at != expected.count) {
            printf("FAIL %s: %zu values, expected %zu: the kernel stopped early\n", kernel, at, expected.count);
            exit(1);
        }
        printf("pass %-12s %8zu values\n", kernel, at);
    }

private:
    const char* kernel;
    const array& expected;
    size_t at = 0;
};

static void test_requantise() {
    const array &acc = vector_named("requantise_acc"), &shift = vector_named("requantise_shift");
    checker check("requantise", vector_named("requantise_expected"));
    constexpr int ACC = OUT_ACC_BITS;
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
                const bool right =
                    low_product(product).to_int() - 128 * x == low * x && high_product(product).to_int() == high * x;
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
    printf("pass %-12s %8zu pairs of products, all there are\n", "pairs", count);
}

static void test_line_buffer() {
    const array& image = vector_named("line_image");
    constexpr int K = srcnn_first_cfg::K;
    static line_buffer<K, 8, srcnn_first_cfg::MAX_W> lines;
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

static void check_equal(const char* kernel, const char* what, uint64_t expected, uint64_t actual) {
    if (expected != actual) {
        printf("FAIL %s: %s, expected %" PRIu64 ", actual %" PRIu64 "\n", kernel, what, expected, actual);
        exit(1);
    }
}

static ctrl_t command(bool tile, const array& input) {
    stage_command command;
    command.tile = tile;
    command.last_y = tile ? input.shape[0] - 1 : 0;
    command.last_x = tile ? input.shape[1] - 1 : 0;
    return command.pack();
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

// A stage on its own: parameters, its own and some to pass on, then two tiles back to back. Words carry IN_WORD or
// OUT_WORD values.
template <class Stage, int IN_WORD, int IN_BITS, int OUT_WORD, int OUT_BITS, bool SIGNED_OUT>
static void test_stage(const char* name) {
    static Stage stage;
    hls::stream<ctrl_t> ctrl("ctrl"), next("next");
    hls::stream<typename Stage::in_t> in("in");
    hls::stream<typename Stage::out_t> out("out");
    const array& params = *find_array(name, "params", -1);
    ctrl.write(command(false, params));
    for (size_t i = 0; i < params.count; i++) {
        ctrl.write(ctrl_t(static_cast<uint64_t>(params.values[i])));
    }
    // Parameters of stages behind it: it has to pass them on.
    constexpr int REST = 3;
    for (int i = 0; i < REST; i++) {
        ctrl_t word = 1000 + i;
        word[64] = i == REST - 1;
        ctrl.write(word);
    }
    for (int tile = 0; find_array(name, "input", tile); tile++) {
        const array& input = *find_array(name, "input", tile);
        ctrl.write(command(true, input));
        for (size_t i = 0; i < input.count; i += IN_WORD) {
            typename Stage::in_t word = 0;
            for (int c = 0; c < IN_WORD; c++) {
                word.range(c * IN_BITS + IN_BITS - 1, c * IN_BITS) =
                    ap_int<IN_BITS + 1>(input.values[i + c]).range(IN_BITS - 1, 0);
            }
            in.write(word);
        }
    }
    run(stage, ctrl, in, next, out);
    check_equal(name, "a load is announced to the next stage", 0, next.read().range(63, 0).to_uint64());
    for (int i = 0; i < REST; i++) {
        const ctrl_t word = next.read();
        check_equal(name, "a parameter of the next stage", 1000 + i, word.range(63, 0).to_uint64());
        check_equal(name, "the last parameter of a load", i == REST - 1, word[64]);
    }
    for (int tile = 0; find_array(name, "expected", tile); tile++) {
        const array& expected = *find_array(name, "expected", tile);
        const stage_command size = stage_command::unpack(next.read());
        check_equal(name, "a tile is announced to the next stage", true, size.tile);
        check_equal(name, "its last row", expected.shape[0] - 1, size.last_y.to_uint());
        check_equal(name, "its last column", expected.shape[1] - 1, size.last_x.to_uint());
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
    if (!out.empty() || !in.empty() || !ctrl.empty() || !next.empty()) {
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
#define TEST_STAGE(NAME, IN_WORD, IN_BITS, OUT_WORD, OUT_BITS, SIGNED) \
    test_stage<NAME##_kernel, IN_WORD, IN_BITS, OUT_WORD, OUT_BITS, SIGNED>(#NAME);
        SRCNN_STAGES(TEST_STAGE)
    }
    test_top();
    return 0;
}
