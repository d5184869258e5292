// The registers of AXI DMA's direct register mode (PG021), behind AXI-Lite. Reads, writes and what the channels report
// arrive in one stream, so the status of a running channel is a matter of the order in which things arrived.
#pragma once
#include "dma_types.hpp"

namespace dma {

// AXI-Lite's two write channels are one request.
struct register_request {
    void step(hls::stream<register_address_t>& aw, hls::stream<register_t>& w, hls::stream<register_write_t>& out) {
#pragma HLS INLINE
        register_write_t request = 0;
        request.range(31, 0) = w.read();
        request.range(31 + REGISTER_BITS, 32) = aw.read();
        out.write(request);
    }
};

typedef hls_open::merged<32 + REGISTER_BITS> register_event_t;

// One channel's registers.
struct channel_registers {
    bool run = false, halted = true, idle = false, busy = false;
    bool complete = false, failed = false;                // interrupts that wait for being cleared
    bool complete_enable = false, failed_enable = false;  // and that reach the processor
    errors_t errors = 0;
    address_t address = 0;
    length_t length = 0;
};

struct registers {
    static constexpr int WRITE = 0, READ = 1, MM2S = 2, S2MM = 3;  // sources of events
    // Words of a channel's registers; S2MM's begin SECOND words behind MM2S'.
    static constexpr int CONTROL = 0, STATUS = 1, ADDRESS = 6, ADDRESS_HIGH = 7, LENGTH = 10, SECOND = 12, END = 24;

    channel_registers mm2s = channel_registers(), s2mm = channel_registers();
    // A reset: both channels stop, all but this starts anew, both are there again. After power-up only the last.
    bool stopping = false;
    ap_uint<2> awaited = 2;  // channels whose next report the reset waits for

    void step(hls::stream<register_event_t>& events, hls::stream<register_answer>& r, hls::stream<resp_t>& b,
              hls::stream<command_t>& to_mm2s, hls::stream<command_t>& to_s2mm, hls::stream<ap_uint<1> >& restart,
              hls::stream<ap_uint<2> >& interrupts) {
#pragma HLS INLINE
        const register_event_t event = events.read();
        const bool write = event.source == WRITE, read = event.source == READ, reset = awaited != 0;
        const register_address_t at = write ? event.word.range(31 + REGISTER_BITS, 32) : event.word.range(9, 0);
        const ap_uint<8> word = at.range(9, 2);
        const bool second = word >= SECOND;
        const ap_uint<8> offset = second ? ap_uint<8>(word - SECOND) : word;
        const register_t value = event.word.range(31, 0);
        const bool resets = write && !reset && offset == CONTROL && value[2] && word < END;

        const report said = report::unpack(event.word.range(report::BITS - 1, 0));
        const bool first_said = event.source == MM2S, second_said = event.source == S2MM;
        const bool counts =
            (first_said || second_said) && reset && said.kind == (stopping ? report::STOPPED : report::READY);
        const bool restarts = counts && stopping && awaited == 1;

        const ap_uint<2> before = raised();
        const bool starts_first = written(mm2s, write && !reset && !second, offset, value);
        const bool starts_second = written(s2mm, write && !reset && second && word < END, offset, value);
        ended(mm2s, first_said && !reset && said.kind == report::ENDED, said, false);
        ended(s2mm, second_said && !reset && said.kind == report::ENDED, said, true);
        if (read) {
            register_answer answer;
            answer.data = word >= END ? register_t(0) : seen(second ? s2mm : mm2s, offset, reset);
            r.write(answer);
        }
        if (write) {
            b.write(0);
        }
        if (starts_first || resets) {
            to_mm2s.write(start(mm2s, resets));
        }
        if (starts_second || resets) {
            to_s2mm.write(start(s2mm, resets));
        }
        if (restarts) {
            restart.write(1);
        }
        if (resets || restarts) {
            mm2s = channel_registers();
            s2mm = channel_registers();
        }
        if (before != raised()) {
            interrupts.write(raised());
        }
        awaited = resets || restarts ? ap_uint<2>(2) : counts ? ap_uint<2>(awaited - 1) : awaited;
        stopping = resets || (stopping && !restarts);
    }

    ap_uint<2> raised() const {
#pragma HLS INLINE
        ap_uint<2> lines = 0;
        lines[0] = (mm2s.complete && mm2s.complete_enable) || (mm2s.failed && mm2s.failed_enable);
        lines[1] = (s2mm.complete && s2mm.complete_enable) || (s2mm.failed && s2mm.failed_enable);
        return lines;
    }

    // A register is written; true if that begins a transfer.
    static bool written(channel_registers& channel, bool write, ap_uint<8> offset, register_t value) {
#pragma HLS INLINE
        bool begins = false;
        if (write && offset == CONTROL) {
            channel.run = value[0] && channel.errors == 0;
            channel.complete_enable = value[12];
            channel.failed_enable = value[14];
            // A channel at work stops when it is done.
            channel.halted = !channel.run && (channel.halted || !channel.busy);
            channel.idle = channel.idle && channel.run;
        } else if (write && offset == STATUS) {
            channel.complete = channel.complete && !value[12];
            channel.failed = channel.failed && !value[14];
        } else if (write && offset == ADDRESS) {
            channel.address.range(31, 0) = value;
        } else if (write && offset == ADDRESS_HIGH) {
            ap_uint<64> wide = channel.address;
            wide.range(63, 32) = value;
            channel.address = wide;  // of the upper bits as many as there are
        } else if (write && offset == LENGTH && !channel.busy) {
            channel.length = value.range(LENGTH_BITS - 1, 0);
            begins = channel.length != 0 && channel.run;
            channel.busy = begins;
            channel.idle = channel.idle && !begins;
        }
        return begins;
    }

    // A channel reports the end of a transfer.
    static void ended(channel_registers& channel, bool ends, const report& said, bool counted) {
#pragma HLS INLINE
        if (ends) {
            channel.busy = false;
            channel.errors = said.errors;
            channel.failed = channel.failed || said.errors != 0;
            channel.complete = channel.complete || said.errors == 0;
            channel.run = channel.run && said.errors == 0;
            channel.halted = !channel.run;
            channel.idle = channel.run;
            if (counted) {
                channel.length = said.length;
            }
        }
    }

    static command_t start(const channel_registers& channel, bool stop) {
#pragma HLS INLINE
        command out;
        out.address = channel.address;
        out.length = channel.length;
        out.stop = stop;
        return out.pack();
    }

    static register_t seen(const channel_registers& channel, ap_uint<8> offset, bool reset) {
#pragma HLS INLINE
        register_t value = 0;
        if (offset == CONTROL) {
            value[0] = channel.run;
            value[1] = 1;
            value[2] = reset;
            value[12] = channel.complete_enable;
            value[14] = channel.failed_enable;
            value[16] = 1;  // the interrupt threshold of scatter-gather, as PG021 has it after a reset
        } else if (offset == STATUS) {
            value[0] = channel.halted;
            value[1] = channel.idle;
            value.range(6, 4) = channel.errors;
            value[12] = channel.complete;
            value[14] = channel.failed;
        } else if (offset == ADDRESS) {
            value = channel.address.range(31, 0);
        } else if (offset == ADDRESS_HIGH) {
            value = ap_uint<64>(channel.address).range(63, 32);
        } else if (offset == LENGTH) {
            value = channel.length;
        }
        return value;
    }
};

}  // namespace dma
