// Memory -> stream: `mm2s_control` asks for bursts, `mm2s_fetch` takes what comes, `mm2s_send` passes it on.
//
//     commands --> control --> AR        R --> fetch ==> send --> stream
//                   ^ ^ |                        |        ^ |
//                   | | +--- what a burst is ----|--------+ |
//                   | +--------- arrived --------+          |
//                   +---------------- gone -----------------+
//
// A burst is asked for only when the FIFO `==>` has a place for all of its beats, so the memory never waits for the
// stream: an open burst always ends, whatever the receiver does. That is what a reset relies on.
#pragma once
#include "dma_types.hpp"

namespace dma {

struct burst_note {  // control -> send
    ap_uint<4> len;
    ap_uint<1> final;  // ends the transfer
    ap_uint<3> tail;   // bytes of the transfer's last beat; 0: all
};

struct fetched_beat {  // fetch -> send
    data_t data;
    ap_uint<1> bad;  // this beat or an earlier one came with an error
};

typedef hls_open::merged<command::BITS> mm2s_event_t;

struct mm2s_control {
    static constexpr int COMMAND = 0, ARRIVED = 1, GONE = 2;            // sources of events
    static constexpr int LISTEN = 0, JUDGE = 1, ACT = 2, ANNOUNCE = 3;  // states

    ap_uint<2> state = ANNOUNCE;
    address_t address = 0;
    beats_t left = 0;  // beats that are not asked for yet
    ap_uint<3> tail = 0;
    burst_t burst = 0;               // the next one's beats
    ap_uint<3> places = OPEN_READS;  // for bursts, in the FIFO
    ap_uint<3> open = 0;             // bursts that have not arrived, as far as is known
    bool active = false, stopping = false, stopped = false;
    errors_t errors = 0;
    bool asks = false, ends = false, stops = false;  // what to do, by JUDGE
    static_assert(OPEN_READS < 8, "counters have three bits");

    bool wants_event() const {
#pragma HLS INLINE
        return state == LISTEN;
    }
    void step(hls::stream<mm2s_event_t>& events, hls::stream<burst_address>& ar, hls::stream<burst_note>& notes,
              hls::stream<report_t>& reports) {
#pragma HLS INLINE
        report said;
        said.kind = report::READY;
        said.errors = errors;
        said.length = 0;
        bool says = false;
        if (wants_event()) {
            const mm2s_event_t event = events.read();
            const command asked = command::unpack(event.word);
            if (event.source == ARRIVED) {
                open = open - 1;
                errors = errors | errors_t(event.word.range(2, 0));
            } else if (event.source == GONE) {
                places = places + 1;
            } else if (asked.stop) {
                stopping = true;
            } else {
                address = asked.address;
                left = beats_of(asked.length);
                tail = asked.length.range(2, 0);
                active = true;
                errors = asked.address.range(2, 0) == 0 ? 0 : INTERNAL_ERROR;
            }
            state = JUDGE;
        } else if (state == JUDGE) {
            burst = burst_at(address, left);
            asks = active && !stopping && errors == 0 && left != 0 && places != 0 && open != OPEN_READS;
            ends = active && !stopping && (errors == 0 ? left == 0 && places == OPEN_READS : open == 0);
            stops = stopping && !stopped && open == 0;
            state = ACT;
        } else if (state == ACT) {
            if (asks) {
                const bool final = left == burst;
                burst_address out;
                out.address = address;
                out.len = burst - 1;
                ar.write(out);
                burst_note note;
                note.len = burst - 1;
                note.final = final;
                note.tail = tail;
                notes.write(note);
                address = address + burst * WORD;
                left = left - burst;
                places = places - 1;
                open = open + 1;
            }
            says = ends || stops;
            said.kind = stops ? report::STOPPED : report::ENDED;
            active = active && !ends;
            stopped = stopped || stops;
            state = asks ? JUDGE : LISTEN;
        } else {
            says = true;
            state = LISTEN;
        }
        if (says) {
            reports.write(said.pack());
        }
    }
};

struct mm2s_fetch {
    errors_t errors = 0;  // since the reset: a channel with an error is halted until the next

    void step(hls::stream<read_beat>& r, hls::stream<fetched_beat>& data, hls::stream<errors_t>& arrived) {
#pragma HLS INLINE
        const read_beat beat = r.read();
        errors = errors | errors_of(beat.resp);
        fetched_beat out;
        out.data = beat.data;
        out.bad = errors != 0;
        data.write(out);
        if (beat.last) {
            arrived.write(errors);
        }
    }
};

struct mm2s_send {
    ap_uint<4> left = 0;  // beats of the burst behind this one
    bool inside = false;  // of a burst
    burst_note note = burst_note();

    void step(hls::stream<burst_note>& notes, hls::stream<fetched_beat>& data, hls::stream<beat_t>& out,
              hls::stream<ap_uint<1> >& gone) {
#pragma HLS INLINE
        if (!inside) {
            note = notes.read();
            left = note.len;
        }
        const fetched_beat beat = data.read();
        const bool last = left == 0;
        if (!beat.bad) {  // behind an error nothing more goes out
            beat_t sent;
            sent.data = beat.data;
            sent.last = last && note.final;
            sent.keep = sent.last && note.tail != 0 ? ap_uint<8>((ap_uint<9>(1) << note.tail) - 1) : ap_uint<8>(0xFF);
            sent.strb = sent.keep;
            out.write(sent);
        }
        if (last) {
            gone.write(1);
        }
        left = left - 1;
        inside = !last;
    }
};

}  // namespace dma
