// Stream -> memory: `s2mm_pack` makes bursts of beats, `s2mm_control` lets them go, `s2mm_write` writes them.
//
//     commands --> control --- what may go ---> write --> AW, W
//                  ^  ^  |                        ^
//                  |  |  +- what to take -> pack =+ <-- stream
//                  |  +------ full --------- +
//                  +--- B
//
// A burst begins only when all of its beats lie in the FIFO `==>`, so it ends whatever the sender does. That is what a
// reset relies on: it lets no further burst go, and waits for the answers to those that went.
#pragma once
#include "dma_types.hpp"

namespace dma {

struct order {        // control -> pack: take a packet
    ap_uint<9> word;  // where in its page it begins, in beats
    length_t length;  // bytes that there is room for
};

struct packed_beat {  // pack -> write
    data_t data;
    ap_uint<8> strb;
    ap_uint<1> last;  // of a burst
};

// pack -> control: the beats of a burst are there.
struct filled {
    ap_uint<4> len;
    ap_uint<8> bytes;
    bool final, wrong;  // ends the packet; the packet is longer than its room, or has a hole

    static constexpr int BITS = 4 + 8 + 2;
    ap_uint<BITS> pack() const {
#pragma HLS INLINE
        ap_uint<BITS> word = 0;
        word.range(3, 0) = len;
        word.range(11, 4) = bytes;
        word[12] = final;
        word[13] = wrong;
        return word;
    }
    static filled unpack(ap_uint<BITS> word) {
#pragma HLS INLINE
        filled x;
        x.len = word.range(3, 0);
        x.bytes = word.range(11, 4);
        x.final = word[12];
        x.wrong = word[13];
        return x;
    }
};
typedef ap_uint<filled::BITS> filled_t;

typedef hls_open::merged<command::BITS> s2mm_event_t;
typedef ap_uint<LENGTH_BITS - 3> bursts_t;

struct s2mm_control {
    static constexpr int COMMAND = 0, FILLED = 1, WRITTEN = 2;          // sources of events
    static constexpr int LISTEN = 0, JUDGE = 1, ACT = 2, ANNOUNCE = 3;  // states

    ap_uint<2> state = ANNOUNCE;
    address_t address = 0;
    length_t room = 0, received = 0;
    bursts_t open = 0;  // bursts without an answer
    filled next = filled();
    bool active = false, begins = false, full = false, closed = false, stopping = false, stopped = false;
    errors_t errors = 0;
    bool orders = false, goes = false, ends = false, stops = false;  // what to do, by JUDGE

    bool wants_event() const {
#pragma HLS INLINE
        return state == LISTEN;
    }
    void step(hls::stream<s2mm_event_t>& events, hls::stream<order>& packet, hls::stream<burst_address>& go,
              hls::stream<report_t>& reports) {
#pragma HLS INLINE
        report said;
        said.kind = report::READY;
        said.errors = errors;
        said.length = received;
        bool says = false;
        if (wants_event()) {
            const s2mm_event_t event = events.read();
            const command asked = command::unpack(event.word);
            if (event.source == WRITTEN) {
                open = open - 1;
                const errors_t failed = errors_of(event.word.range(1, 0));
                // PG021: any error of a write to memory is an internal error, too.
                errors = errors | failed | errors_t(failed == 0 ? 0 : INTERNAL_ERROR);
            } else if (event.source == FILLED) {
                next = filled::unpack(event.word.range(filled::BITS - 1, 0));
                full = true;
            } else if (asked.stop) {
                stopping = true;
            } else {
                address = asked.address;
                room = asked.length;
                received = 0;
                active = true;
                begins = true;
                closed = false;
                errors = asked.address.range(2, 0) == 0 ? 0 : INTERNAL_ERROR;
            }
            state = JUDGE;
        } else if (state == JUDGE) {
            const bool may = active && !stopping && errors == 0;
            orders = begins && may;
            goes = full && may;
            ends = active && !stopping && open == 0 && (closed || errors != 0);
            stops = stopping && !stopped && open == 0;
            state = ACT;
        } else if (state == ACT) {
            if (orders) {
                order out;
                out.word = address.range(11, 3);
                out.length = room;
                packet.write(out);
            }
            if (goes) {
                burst_address out;
                out.address = address;
                out.len = next.len;
                go.write(out);
                address = address + (next.len + 1) * WORD;
                received = received + next.bytes;
                open = open + 1;
                closed = next.final;
            }
            // Of a packet that is too long what there is room for is written, then the error is told.
            errors = ends && closed && next.wrong ? errors_t(errors | INTERNAL_ERROR) : errors;
            said.kind = stops ? report::STOPPED : report::ENDED;
            said.errors = errors;
            says = ends || stops;
            active = active && !ends;
            stopped = stopped || stops;
            begins = false;
            full = false;
            state = LISTEN;
        } else {
            says = true;
            state = LISTEN;
        }
        if (says) {
            reports.write(said.pack());
        }
    }
};

struct s2mm_pack {
    bool taking = false;
    ap_uint<9> word = 0;
    length_t left = 0;  // bytes that there is room for
    ap_uint<4> beats = 0;
    ap_uint<8> bytes = 0;  // of this burst, so far
    bool wrong = false;

    void step(hls::stream<order>& packet, hls::stream<beat_t>& in, hls::stream<packed_beat>& data,
              hls::stream<filled_t>& full) {
#pragma HLS INLINE
        if (!taking) {
            const order asked = packet.read();
            word = asked.word;
            left = asked.length;
            beats = 0;
            bytes = 0;
            wrong = false;
            taking = true;
        } else {
            const beat_t beat = in.read();
            const bool close = left <= WORD;  // this beat has the last bytes that there is room for
            const ap_uint<4> most = close ? ap_uint<4>(left) : ap_uint<4>(WORD);
            const ap_uint<8> room = (ap_uint<9>(1) << most) - 1;
            ap_uint<4> count = 0;
        count_bytes:
            for (int i = 0; i < WORD; i++) {
#pragma HLS UNROLL
                count = count + beat.keep[i];
            }
            const bool hole = (beat.keep & (beat.keep + 1)) != 0 || (!beat.last && beat.keep != 0xFF);
            const bool over = count > most || (close && !beat.last);
            const bool final = beat.last || close;
            const bool last = final || beats == BURST - 1 || word == PAGE / WORD - 1;
            wrong = wrong || hole || over;
            bytes = bytes + (count > most ? most : count);
            packed_beat out;
            out.data = beat.data;
            out.strb = beat.keep & room;
            out.last = last;
            data.write(out);
            if (last) {
                filled said;
                said.len = beats;
                said.bytes = bytes;
                said.final = final;
                said.wrong = wrong;
                full.write(said.pack());
                bytes = 0;
            }
            beats = last ? ap_uint<4>(0) : ap_uint<4>(beats + 1);
            word = word + 1;
            left = left - most;
            taking = !final;
        }
    }
};

struct s2mm_write {
    bool inside = false;  // of a burst

    void step(hls::stream<burst_address>& go, hls::stream<packed_beat>& data, hls::stream<burst_address>& aw,
              hls::stream<write_beat>& w) {
#pragma HLS INLINE
        if (!inside) {
            aw.write(go.read());
        }
        const packed_beat beat = data.read();
        write_beat out;
        out.data = beat.data;
        out.strb = beat.strb;
        out.last = beat.last;
        w.write(out);
        inside = !beat.last;
    }
};

}  // namespace dma
