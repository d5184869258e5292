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

// Every activation with every weight, without a multiplier.
static void test_products_in_luts() {
    for (int w = -128; w < 128; w++) {
        for (int x = 0; x < 256; x++) {
            const int product = raised_product(weight_t(w), act_t(x), triple_of(act_t(x))).to_int() - 128 * x;
            if (product != w * x) {
                printf("FAIL in_luts: %d * %d is %d\n", w, x, product);
                exit(1);
            }
        }
    }
    printf("pass %-12s %8d products, all there are\n", "in_luts", 256 * 256);
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

static ctrl_t command(const array& input) {
    stage_command command;
    command.tile = true;
    command.last_y = input.shape[0] - 1;
    command.last_x = input.shape[1] - 1;
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

// Write an array as words of WORD values of BITS bits each.
template <int WORD, int BITS> static void write_words(hls::stream<ap_uint<WORD * BITS> >& stream, const array& values) {
    for (size_t i = 0; i < values.count; i += WORD) {
        ap_uint<WORD * BITS> word = 0;
        for (int c = 0; c < WORD; c++) {
            word.range(c * BITS + BITS - 1, c * BITS) = ap_int<BITS + 1>(values.values[i + c]).range(BITS - 1, 0);
        }
        stream.write(word);
    }
}

// Words of WORD values against an array.
template <int WORD, int BITS, bool SIGNED>
static void check_words(const char* name, hls::stream<ap_uint<WORD * BITS> >& stream, const array& expected) {
    checker check(name, expected);
    for (size_t i = 0; i < expected.count && !stream.empty(); i += WORD) {
        const ap_uint<WORD * BITS> word = stream.read();
        for (int c = 0; c < WORD; c++) {
            const ap_uint<BITS> bits = word.range(c * BITS + BITS - 1, c * BITS);
            const ap_int<BITS> as_signed = bits;
            check.take(SIGNED ? as_signed.to_int64() : int64_t(bits.to_uint64()));
        }
    }
}

constexpr int REST = 3;  // parameters of stages behind the one that is tested, which it has to pass on

// A load: a stage's own parameters, if it has any, then REST.
static void write_load(const char* name, hls::stream<ctrl_t>& ctrl) {
    ctrl.write(ctrl_t(0));
    const array* params = find_array(name, "params", -1);
    for (size_t i = 0; params && i < params->count; i++) {
        ctrl.write(ctrl_t(static_cast<uint64_t>(params->values[i])));
    }
    for (int i = 0; i < REST; i++) {
        ctrl_t word = 1000 + i;
        word[64] = i == REST - 1;
        ctrl.write(word);
    }
}

static void check_load(const char* name, hls::stream<ctrl_t>& next) {
    check_equal(name, "a load is announced to the next stage", 0, next.read().range(63, 0).to_uint64());
    for (int i = 0; i < REST; i++) {
        const ctrl_t word = next.read();
        check_equal(name, "a parameter of the next stage", 1000 + i, word.range(63, 0).to_uint64());
        check_equal(name, "the last parameter of a load", i == REST - 1, word[64]);
    }
}

// What a stage says to the next one about a tile: "<stage>_next<tile>", width and height.
static void check_size(const char* name, hls::stream<ctrl_t>& next, int tile) {
    const stage_command size = stage_command::unpack(next.read());
    const array& expected = *find_array(name, "next", tile);
    check_equal(name, "a tile is announced to the next stage", true, size.tile);
    check_equal(name, "its last column", expected.values[0] - 1, size.last_x.to_uint());
    check_equal(name, "its last row", expected.values[1] - 1, size.last_y.to_uint());
}

// A stage on its own: parameters, its own and some to pass on, then its tiles back to back. Words carry IN_WORD or
// OUT_WORD values.
template <class Stage, int IN_WORD, int IN_BITS, int OUT_WORD, int OUT_BITS, bool SIGNED_OUT>
static void test_stage(const char* name) {
    static Stage stage;
    hls::stream<ctrl_t> ctrl("ctrl"), next("next");
    hls::stream<typename Stage::in_t> in("in");
    hls::stream<typename Stage::out_t> out("out");
    write_load(name, ctrl);
    for (int tile = 0; find_array(name, "input", tile); tile++) {
        const array& input = *find_array(name, "input", tile);
        ctrl.write(command(input));
        write_words<IN_WORD, IN_BITS>(in, input);
    }
    run(stage, ctrl, in, next, out);
    check_load(name, next);
    for (int tile = 0; find_array(name, "expected", tile); tile++) {
        check_size(name, next, tile);
        check_words<OUT_WORD, OUT_BITS, SIGNED_OUT>(name, out, *find_array(name, "expected", tile));
    }
    if (!out.empty() || !in.empty() || !ctrl.empty() || !next.empty()) {
        printf("FAIL %s: values are left in its streams\n", name);
        exit(1);
    }
}

// The same of an addition, which reads an earlier tensor besides.
template <class Stage, int IN_WORD, int IN_BITS, int OUT_WORD, int OUT_BITS, int SKIP_WORD, int SKIP_BITS>
static void test_addition(const char* name) {
    static Stage stage;
    hls::stream<ctrl_t> ctrl("ctrl"), next("next");
    hls::stream<typename Stage::in_t> in("in");
    hls::stream<typename Stage::skip_t> skip("skip");
    hls::stream<typename Stage::out_t> out("out");
    write_load(name, ctrl);
    for (int tile = 0; find_array(name, "input", tile); tile++) {
        const array& input = *find_array(name, "input", tile);
        ctrl.write(command(input));
        write_words<IN_WORD, IN_BITS>(in, input);
        write_words<SKIP_WORD, SKIP_BITS>(skip, *find_array(name, "skip", tile));
    }
    run(stage, ctrl, in, skip, next, out);
    check_load(name, next);
    for (int tile = 0; find_array(name, "expected", tile); tile++) {
        check_size(name, next, tile);
        check_words<OUT_WORD, OUT_BITS, false>(name, out, *find_array(name, "expected", tile));
    }
    if (!out.empty() || !in.empty() || !skip.empty() || !ctrl.empty() || !next.empty()) {
        printf("FAIL %s: values are left in its streams\n", name);
        exit(1);
    }
}

// A fork: every word leaves twice.
template <class Stage> static void test_fork(const char* name) {
    static Stage stage;
    hls::stream<typename Stage::in_t> in("in");
    hls::stream<typename Stage::out_t> first("first"), second("second");
    constexpr int WORDS = 50;
    for (int i = 0; i < WORDS; i++) {
        in.write(typename Stage::in_t(i * 0x9E3779B1u));
    }
    run(stage, in, first, second);
    for (int i = 0; i < WORDS; i++) {
        const typename Stage::in_t expected = i * 0x9E3779B1u;
        check_equal(name, "a word of the first reader", true, !first.empty() && first.read() == expected);
        check_equal(name, "a word of the second reader", true, !second.empty() && second.read() == expected);
    }
    check_equal(name, "words left over", true, first.empty() && second.empty());
    printf("pass %-12s %8d words, twice\n", name, WORDS);
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
        test_products_in_luts();
        test_requantise();
        test_line_buffer();
#define TEST_STAGE(NAME, IN_WORD, IN_BITS, OUT_WORD, OUT_BITS, SIGNED) \
    test_stage<NAME##_kernel, IN_WORD, IN_BITS, OUT_WORD, OUT_BITS, SIGNED>(#NAME);
        SRCNN_STAGES(TEST_STAGE)
#define TEST_ADDITION(NAME, IN_WORD, IN_BITS, OUT_WORD, OUT_BITS, SIGNED, SKIP_WORD, SKIP_BITS) \
    test_addition<NAME##_kernel, IN_WORD, IN_BITS, OUT_WORD, OUT_BITS, SKIP_WORD, SKIP_BITS>(#NAME);
        SRCNN_ADDITIONS(TEST_ADDITION)
#define TEST_FORK(NAME) test_fork<NAME##_kernel>(#NAME);
        SRCNN_FORKS(TEST_FORK)
    }
    test_top();
    return 0;
}
