// Words of the DMA's streams: AXI channels, and what its processes tell each other.
#pragma once
#include <ap_axi_sdata.h>
#include <ap_int.h>
#include <hls_stream.h>
#include <merge.h>

#ifndef DMA_ADDRESS_BITS
#define DMA_ADDRESS_BITS 32
#endif

namespace dma {

constexpr int ADDRESS_BITS = DMA_ADDRESS_BITS;
constexpr int LENGTH_BITS = 26;  // of a transfer in bytes, the widest that PG021 has
constexpr int BURST = 16;        // most beats of a burst: AXI3
constexpr int WORD = 8;          // bytes of a beat
constexpr int PAGE = 4096;       // bytes; no burst crosses a multiple of it
constexpr int OPEN_READS = 4;    // most read bursts that are under way; the data of all of them has its place
constexpr int BUFFER = OPEN_READS * BURST;
static_assert(ADDRESS_BITS > 32 && ADDRESS_BITS <= 64 || ADDRESS_BITS == 32, "addresses have 32 to 64 bits");

typedef ap_uint<ADDRESS_BITS> address_t;
typedef ap_uint<LENGTH_BITS> length_t;
typedef ap_uint<LENGTH_BITS - 2> beats_t;  // of a transfer, rounded up
typedef ap_uint<5> burst_t;                // beats of a burst: 1..16
typedef ap_uint<64> data_t;
typedef ap_axiu<64, 0, 0, 0> beat_t;  // of an AXI4-Stream

// AXI's channels, signal by signal from the low bits on; what never changes (size, burst, cache, ...) is not here.
struct burst_address {  // AR and AW
    address_t address;
    ap_uint<4> len;  // beats, less one
};
struct read_beat {  // R
    data_t data;
    ap_uint<2> resp;
    ap_uint<1> last;
};
struct write_beat {  // W
    data_t data;
    ap_uint<8> strb;
    ap_uint<1> last;
};
typedef ap_uint<2> resp_t;  // B
constexpr int SLVERR = 2, DECERR = 3;

// Errors as the status register has them, from bit 4 on.
typedef ap_uint<3> errors_t;
constexpr int INTERNAL_ERROR = 1, SLAVE_ERROR = 2, DECODE_ERROR = 4;

inline errors_t errors_of(resp_t resp) {
#pragma HLS INLINE
    return resp == SLVERR ? errors_t(SLAVE_ERROR) : resp == DECERR ? errors_t(DECODE_ERROR) : errors_t(0);
}

// AXI-Lite, as a word of the merge in front of the registers.
constexpr int REGISTER_BITS = 10;  // of an address
typedef ap_uint<32> register_t;
typedef ap_uint<REGISTER_BITS> register_address_t;
typedef ap_uint<32 + REGISTER_BITS> register_write_t;  // data, address above it
struct register_answer {                               // R of AXI-Lite; its resp is always OKAY
    register_t data;
};

// Registers -> a channel's control: begin a transfer, or leave the memory alone from now on.
struct command {
    address_t address;
    length_t length;
    bool stop;

    static constexpr int BITS = ADDRESS_BITS + LENGTH_BITS + 1;
    ap_uint<BITS> pack() const {
#pragma HLS INLINE
        ap_uint<BITS> word = 0;
        word.range(ADDRESS_BITS - 1, 0) = address;
        word.range(ADDRESS_BITS + LENGTH_BITS - 1, ADDRESS_BITS) = length;
        word[BITS - 1] = stop;
        return word;
    }
    static command unpack(ap_uint<BITS> word) {
#pragma HLS INLINE
        command x;
        x.address = word.range(ADDRESS_BITS - 1, 0);
        x.length = word.range(ADDRESS_BITS + LENGTH_BITS - 1, ADDRESS_BITS);
        x.stop = word[BITS - 1];
        return x;
    }
};
typedef ap_uint<command::BITS> command_t;

// A channel's control -> registers.
struct report {
    // There after a reset; a transfer has ended, with `errors` or as it should; no burst is open and none will be.
    static constexpr int READY = 0, ENDED = 1, STOPPED = 2;
    ap_uint<2> kind;
    errors_t errors;
    length_t length;  // bytes that were received

    static constexpr int BITS = 2 + 3 + LENGTH_BITS;
    ap_uint<BITS> pack() const {
#pragma HLS INLINE
        ap_uint<BITS> word = 0;
        word.range(LENGTH_BITS - 1, 0) = length;
        word.range(LENGTH_BITS + 2, LENGTH_BITS) = errors;
        word.range(BITS - 1, BITS - 2) = kind;
        return word;
    }
    static report unpack(ap_uint<BITS> word) {
#pragma HLS INLINE
        report x;
        x.length = word.range(LENGTH_BITS - 1, 0);
        x.errors = word.range(LENGTH_BITS + 2, LENGTH_BITS);
        x.kind = word.range(BITS - 1, BITS - 2);
        return x;
    }
};
typedef ap_uint<report::BITS> report_t;

// The largest burst that may begin at an address: no more beats than `left`, than BURST, than the page has.
inline burst_t burst_at(address_t address, beats_t left) {
#pragma HLS INLINE
    const ap_uint<9> word = address.range(11, 3);
    const bool near = word > PAGE / WORD - BURST;  // fewer than BURST beats of the page are left
    const burst_t most = near ? burst_t(PAGE / WORD - word) : burst_t(BURST);
    return left < most ? burst_t(left) : most;
}

inline beats_t beats_of(length_t bytes) {
#pragma HLS INLINE
    return beats_t((ap_uint<LENGTH_BITS + 1>(bytes) + (WORD - 1)) >> 3);
}

}  // namespace dma
