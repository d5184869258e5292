// From the processor's AXI3 port for registers (M_AXI_GP0: bursts of up to 16 beats, 12-bit IDs) to AXI-Lite.
//
//     ar --> read_burst ---> lite_ar        lite_r --> read_answer --> r
//                 |                                        ^
//                 +---------- ID, last beat? --------------+
//
//     aw, w --> write_burst ---> lite_aw, lite_w        lite_b --> write_answer --> b
//                    |                                                  ^
//                    +------------------- ID, last beat? ---------------+
//
// A burst becomes one access per beat. Answers keep the order of the requests, which AXI allows for any IDs.
#pragma once
#include <ap_int.h>
#include <dataflow.h>
#include <hls_stream.h>

namespace bridge {

constexpr int ID_BITS = 12;
constexpr int FIXED = 0, WRAP = 2;  // kinds of bursts; all others count up
constexpr int QUEUE = 8;            // answers that may be awaited before the next request stops

typedef ap_uint<32> address_t;
typedef ap_uint<ID_BITS> id_t;
typedef ap_uint<2> resp_t;

// Channels, signal by signal from the low bits on.
struct request {  // AR, AW
    address_t address;
    ap_uint<4> len;  // beats, less one
    ap_uint<2> size;  // bytes of a beat, as a power of two
    ap_uint<2> burst;
    id_t id;
};
struct read_beat {  // R
    ap_uint<32> data;
    resp_t resp;
    ap_uint<1> last;
    id_t id;
};
struct write_beat {  // W; its ID and its last say nothing that AW has not said
    ap_uint<32> data;
    ap_uint<4> strb;
};
struct write_done {  // B
    resp_t resp;
    id_t id;
};
struct lite_answer {  // R of AXI-Lite
    ap_uint<32> data;
    resp_t resp;
};
struct note {  // about an access under way
    ap_uint<1> last;
    id_t id;
};

// Where a burst is.
struct walker {
    address_t address = 0;
    ap_uint<4> left = 0;  // beats behind the next one
    ap_uint<2> size = 0, burst = 0;
    ap_uint<4> len = 0;
    id_t id = 0;
    bool inside = false;  // of a burst: its first beat has gone

    // Takes a new burst where one is due.
    void take(const request& asked) {
#pragma HLS INLINE
        address = asked.address;
        left = asked.len;
        len = asked.len;
        size = asked.size;
        burst = asked.burst;
        id = asked.id;
    }

    // The access that is due; behind it the next one.
    note advance(address_t& at) {
#pragma HLS INLINE
        at = address;
        note now;
        now.last = left == 0;
        now.id = id;
        const ap_uint<3> bytes = size == 0 ? 1 : size == 1 ? 2 : 4;
        const ap_uint<6> span = size == 0 ? ap_uint<6>(len) : size == 1 ? ap_uint<6>((len << 1) | 1) : ap_uint<6>((len << 2) | 3);
        const address_t up = address + bytes;
        const ap_uint<6> wrapped = (address.range(5, 0) & ~span) | (up.range(5, 0) & span);
        if (burst == WRAP) {
            address.range(5, 0) = wrapped;
        } else if (burst != FIXED) {
            address = up;
        }
        inside = left != 0;
        left = left - 1;
        return now;
    }
};

struct read_burst {
    walker at = walker();

    void step(hls::stream<request>& ar, hls::stream<address_t>& lite_ar, hls::stream<note>& notes) {
#pragma HLS INLINE
        if (!at.inside) {
            at.take(ar.read());
        }
        address_t address = 0;
        notes.write(at.advance(address));
        lite_ar.write(address);
    }
};

struct read_answer {
    void step(hls::stream<lite_answer>& lite_r, hls::stream<note>& notes, hls::stream<read_beat>& r) {
#pragma HLS INLINE
        const lite_answer answer = lite_r.read();
        const note asked = notes.read();
        read_beat beat;
        beat.data = answer.data;
        beat.resp = answer.resp;
        beat.last = asked.last;
        beat.id = asked.id;
        r.write(beat);
    }
};

struct write_burst {
    walker at = walker();

    void step(hls::stream<request>& aw, hls::stream<write_beat>& w, hls::stream<address_t>& lite_aw,
              hls::stream<write_beat>& lite_w, hls::stream<note>& notes) {
#pragma HLS INLINE
        if (!at.inside) {
            at.take(aw.read());
        }
        address_t address = 0;
        notes.write(at.advance(address));
        lite_aw.write(address);
        lite_w.write(w.read());
    }
};

struct write_answer {
    resp_t worst = 0;  // of the burst's answers up to now

    void step(hls::stream<resp_t>& lite_b, hls::stream<note>& notes, hls::stream<write_done>& b) {
#pragma HLS INLINE
        const resp_t answer = lite_b.read();
        const note asked = notes.read();
        const resp_t all = answer > worst ? answer : worst;
        if (asked.last) {
            write_done done;
            done.resp = all;
            done.id = asked.id;
            b.write(done);
        }
        worst = asked.last ? resp_t(0) : all;
    }
};

inline void ask_reads(hls::stream<request>& ar, hls::stream<address_t>& lite_ar, hls::stream<note>& notes) {
    read_burst kernel;
    hls_open::run(kernel, ar, lite_ar, notes);
}

inline void answer_reads(hls::stream<lite_answer>& lite_r, hls::stream<note>& notes, hls::stream<read_beat>& r) {
    read_answer kernel;
    hls_open::run(kernel, lite_r, notes, r);
}

inline void ask_writes(hls::stream<request>& aw, hls::stream<write_beat>& w, hls::stream<address_t>& lite_aw,
                       hls::stream<write_beat>& lite_w, hls::stream<note>& notes) {
    write_burst kernel;
    hls_open::run(kernel, aw, w, lite_aw, lite_w, notes);
}

inline void answer_writes(hls::stream<resp_t>& lite_b, hls::stream<note>& notes, hls::stream<write_done>& b) {
    write_answer kernel;
    hls_open::run(kernel, lite_b, notes, b);
}

inline void axi3_bridge(hls::stream<request>& ar, hls::stream<read_beat>& r, hls::stream<request>& aw,
                        hls::stream<write_beat>& w, hls::stream<write_done>& b, hls::stream<address_t>& lite_ar,
                        hls::stream<lite_answer>& lite_r, hls::stream<address_t>& lite_aw,
                        hls::stream<write_beat>& lite_w, hls::stream<resp_t>& lite_b) {
#pragma HLS DATAFLOW
    hls::stream<note, QUEUE> reads("reads"), writes("writes");
    ask_reads(ar, lite_ar, reads);
    answer_reads(lite_r, reads, r);
    ask_writes(aw, w, lite_aw, lite_w, writes);
    answer_writes(lite_b, writes, b);
}

}  // namespace bridge
