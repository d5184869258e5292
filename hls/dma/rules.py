"""What the DMA's kernels owe AXI and each other, as claims beside the proof of each stage (`hls/open/prove/stage.py`).

Written from AMBA's AXI specification: bursts (A3.4.1: no more beats than AXI3 has, no 4 KiB border crossed), data of
a burst (A3.4: as many beats as were announced, the last one marked), dependencies of channels (a transfer is done when
all answers are there). A stage's own proof has the handshakes: VALID stays until READY, nothing changes meanwhile
(A3.2.1).

What a kernel takes for granted of its inputs is what the kernel in front of it is shown to give: an assumption here is
a property there, and the FIFOs between leave words and their order alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from hls.open.pipeline.claims import Claim

if TYPE_CHECKING:
    from hls.open.prove.bench import Bench

JUDGE, ACT = 1, 2  # states of both controls
ENDED, STOPPED = 1, 2  # kinds of a report


def _always(bench, *lines):
    bench.body += lines


def _holds(bench, name, expression, says):
    """An invariant of the state that a step begins with, from the first reset on."""
    bench.invariants.append(Claim(name, f"!started || ({expression})", says))


def _shows(bench, name, expression, says):
    bench.properties.append(Claim(name, f"!started || ({expression})", says))


def _takes(bench, name, expression, says):
    bench.assumptions.append(Claim(name, expression, says))


def _every_word(bench, port, name, fits, says):
    """Every word that leaves a port fits: the stage's proof marks any one."""
    _holds(bench, f"{name}_kept", f"{port}_where == 0 || {fits(f'{port}_word')}", says)
    _shows(bench, name, f"!{port}_leaves || {fits(f'{port}_data')}", says)


def _burst_fits(address_bits):
    """Of AR and AW: whole beats, inside a page."""
    return lambda word: (
        f"({word}[2:0] == 0 && 32'({word}[11:3]) + 32'({word}[{address_bits + 3}:{address_bits}]) <= 511)"
    )


def _reports(bench, name, kind, allowed, says):
    _shows(
        bench, name, f"!(begins && m0_reports_out_does && m0_reports_out_word[30:29] == {kind}) || ({allowed})", says
    )


def mm2s_control(bench: Bench, address_bits: int) -> None:
    """Reads: where bursts begin and end, and that the data of all open ones has its place."""
    source = address_bits + 27
    _always(
        bench,
        "wire listens = begins && m0_events_in_does;",
        f"wire [1:0] source = events_data[{source + 1}:{source}];",
        "wire asked = begins && m0_ar_out_does;",
        "wire arrived = listens && source == 1; wire gone = listens && source == 2;",
        "reg [2:0] unplaced, unread; reg told;  // bursts asked for: that have not gone; that have not arrived",
        "always @(posedge clk) begin",
        "    unplaced <= rst ? 0 : unplaced + asked - gone;",
        "    unread <= rst ? 0 : unread + asked - arrived;",
        f"    told <= !rst && (told || (begins && m0_reports_out_does && m0_reports_out_word[30:29] == {STOPPED}));",
        "end",
    )
    _takes(bench, "gone_of_some", "!gone || unplaced != 0", "send says `gone` once per burst (mm2s_send: gone_once)")
    _takes(bench, "arrived_of_some", "!arrived || unread != 0", "memory ends each burst once (AXI: RLAST)")
    _holds(bench, "places", "32'(k0_s_places) + 32'(unplaced) == 4", "places that are free, and bursts that have one")
    _holds(bench, "opens", "k0_s_open == unread && unread <= 4", "open bursts are counted")
    _holds(bench, "aligned", "!k0_s_active || k0_s_errors[0] || k0_s_address[2:0] == 0", "other addresses are an error")
    _holds(
        bench,
        "judged",
        f"!(k0_s_state == {ACT} && k0_s_asks) || (k0_s_active && !k0_s_stopping && k0_s_errors == 0 && "
        "k0_s_places != 0 && k0_s_open != 4 && k0_s_burst != 0 && k0_s_burst <= 16 && "
        "32'(k0_s_burst) <= 32'(k0_s_left) && 32'(k0_s_address[11:3]) + 32'(k0_s_burst) <= 512)",
        "what is asked for was judged by what still holds",
    )
    _holds(
        bench,
        "judged_end",
        f"k0_s_state != {ACT} || ((!k0_s_ends || (!k0_s_stopping && (k0_s_errors != 0 || k0_s_places == 4))) && "
        "(!k0_s_stops || (k0_s_stopping && k0_s_open == 0 && !k0_s_asks)))",
        "an end was judged by what still holds",
    )
    _holds(bench, "tells_once", "told == k0_s_stopped && (!k0_s_stopped || k0_s_stopping)", "stopped is stopped")
    _every_word(
        bench,
        "ar",
        "ar_in_page",
        _burst_fits(address_bits),
        "ARADDR is a multiple of 8, and no burst crosses 4 KiB",
    )
    _shows(bench, "reads_have_places", "!asked || unplaced < 4", "no burst is asked for whose beats have no place")
    _reports(
        bench, "done_means_gone", ENDED, "m0_reports_out_word[28:26] != 0 || unplaced == 0", "done: all has gone on"
    )
    _reports(bench, "stopped_means_closed", STOPPED, "unread == 0", "stopped: no read is open")
    _shows(bench, "none_after_stop", "!told || !asked", "and none will be")
    bench.cover.append(Claim("four_open", "started && unread == 4", "four reads are open"))


def mm2s_send(bench: Bench, address_bits: int) -> None:
    """The stream out: a burst's beats are counted, TLAST and TKEEP come at a packet's end only."""
    _always(
        bench,
        "reg [3:0] passed, len; reg closing;  // beats of the burst that have passed",
        "wire [3:0] len_now = passed == 0 ? notes_data[3:0] : len;",
        "wire final_now = passed == 0 ? notes_data[4] : closing;",
        "wire ends = passed == len_now;",
        "always @(posedge clk) begin",
        "    passed <= rst || (begins && ends) ? 0 : passed + begins;",
        "    if (begins) begin len <= len_now; closing <= final_now; end",
        "end",
    )
    _holds(
        bench,
        "counts",
        "k0_s_inside == (passed != 0) && (passed == 0 || (passed <= len && 32'(k0_s_left) + 32'(passed) == 32'(len) && "
        "k0_s_note_len == len && k0_s_note_final == closing))",
        "the kernel counts as the note says",
    )
    _shows(bench, "gone_once", "!begins || m0_gone_out_does == ends", "`gone` comes with a burst's last beat, once")
    _shows(bench, "note_once", "!begins || m0_notes_in_does == (passed == 0)", "a note is for one burst")
    _shows(
        bench,
        "tlast_at_end",
        "!(begins && m0_out_out_does) || m0_out_out_word[72] == (final_now && ends)",
        "TLAST comes with the last beat of a transfer and no other",
    )
    _every_word(
        bench,
        "out",
        "tkeep",
        lambda w: f"(({w}[72] || {w}[71:64] == 8'hFF) && {w}[64] && ({w}[71:64] & ({w}[71:64] + 8'd1)) == 0)",
        "TKEEP is all ones but at the end, where it has no hole",
    )


def s2mm_control(bench: Bench, address_bits: int) -> None:
    """Writes: where bursts begin and end, and that nothing is done before all answers are there."""
    source = address_bits + 27
    _always(
        bench,
        "wire listens = begins && m0_events_in_does;",
        f"wire [1:0] source = events_data[{source + 1}:{source}];",
        f"wire starts = listens && source == 0 && !events_data[{source - 1}];",
        "wire filled = listens && source == 1; wire answered = listens && source == 2;",
        "wire [3:0] len = events_data[3:0]; wire closes = events_data[12];",
        "wire ordered = begins && m0_packet_out_does; wire went = begins && m0_go_out_does;",
        "reg [8:0] word; reg taking;  // of the page: where pack's next burst begins, as the orders and its words say",
        "reg [22:0] unanswered; reg told;",
        "always @(posedge clk) begin",
        "    taking <= !rst && (ordered || (taking && !(filled && closes)));",
        "    if (ordered) word <= k0_s_address[11:3]; else if (filled) word <= word + 9'(len) + 9'd1;",
        "    unanswered <= rst ? 0 : unanswered + went - answered;",
        f"    told <= !rst && (told || (begins && m0_reports_out_does && m0_reports_out_word[30:29] == {STOPPED}));",
        "end",
    )
    _takes(bench, "three_sources", "!listens || source != 3", "the merge in front has three sources")
    _takes(
        bench,
        "filled_in_page",
        "!filled || (taking && 32'(word) + 32'(len) <= 511)",
        "pack tells of bursts of the packet that it was told to take, inside their pages (s2mm_pack: filled_in_page)",
    )
    _takes(bench, "answer_to_some", "!answered || unanswered != 0", "memory answers each write once (AXI: B)")
    _takes(
        bench,
        "start_when_idle",
        "!starts || (!k0_s_active && k0_s_errors == 0 && !k0_s_stopping)",
        "no transfer is begun before the last one has ended well, nor after a stop (registers: starts_when_idle)",
    )
    may = "k0_s_active && k0_s_errors == 0 && !k0_s_stopping"
    acts = f"k0_s_state == {ACT}"
    _holds(bench, "counts", "k0_s_open == unanswered", "writes without an answer are counted")
    _holds(bench, "aligned", "!k0_s_active || k0_s_errors[0] || k0_s_address[2:0] == 0", "other addresses are an error")
    _holds(
        bench,
        "pending",
        f"(!(k0_s_full || k0_s_begins) || k0_s_state == {JUDGE} || {acts}) && !(k0_s_full && k0_s_begins)",
        "what an event asks for is done before the next event",
    )
    _holds(
        bench,
        "together",
        f"!({may} && taking && !k0_s_full) || k0_s_address[11:3] == word",
        "control and pack agree where the next burst begins",
    )
    _holds(
        bench,
        "together_full",
        f"!({may} && k0_s_full) || (32'(k0_s_address[11:3]) + 32'(k0_s_next_len) <= 511 && "
        "word == k0_s_address[11:3] + 9'(k0_s_next_len) + 9'd1 && taking == !k0_s_next_final)",
        "and where the burst that is full did",
    )
    _holds(
        bench,
        "judged",
        f"!({acts}) || (k0_s_goes == (k0_s_full && {may}) && (!k0_s_orders || (k0_s_begins && {may})) && "
        "(!k0_s_ends || (k0_s_active && !k0_s_stopping && k0_s_open == 0 && !k0_s_goes && !k0_s_orders && "
        "(k0_s_closed || k0_s_errors != 0))) && "
        "(!k0_s_stops || (k0_s_stopping && k0_s_open == 0 && !k0_s_goes)))",
        "what is done was judged by what still holds",
    )
    _holds(
        bench,
        "closed",
        f"(!({may} && k0_s_closed) || (!taking && !k0_s_full && !k0_s_begins)) && "
        "(!(!k0_s_active && k0_s_errors == 0 && !k0_s_stopping) || (!taking && !k0_s_full && !k0_s_begins)) && "
        "(!k0_s_begins || !taking || k0_s_stopping)",
        "behind a packet's last burst none of it comes",
    )
    _holds(bench, "tells_once", "told == k0_s_stopped && (!k0_s_stopped || k0_s_stopping)", "stopped is stopped")
    _every_word(
        bench,
        "go",
        "aw_in_page",
        _burst_fits(address_bits),
        "AWADDR is a multiple of 8, and no burst crosses 4 KiB",
    )
    _reports(bench, "done_means_answered", ENDED, "unanswered == 0", "done: every write has its answer")
    _reports(bench, "stopped_means_closed", STOPPED, "unanswered == 0", "stopped: no write is open")
    _shows(bench, "none_after_stop", "!told || !went", "and none will be")


def s2mm_pack(bench: Bench, address_bits: int) -> None:
    """Beats to bursts: their lengths are true, no burst leaves its page, no byte lies beyond the room."""
    _always(
        bench,
        "reg [8:0] start; reg [4:0] beats; reg [25:0] room; reg taking;",
        "wire beat = begins && m0_data_out_does; wire fills = begins && m0_full_out_does;",
        "wire ordered = begins && m0_packet_in_does;",
        "always @(posedge clk) begin",
        "    if (ordered) begin start <= packet_data[8:0]; room <= packet_data[34:9]; end",
        "    else if (beat) begin",
        "        room <= room - (room < 8 ? room : 26'd8);",
        "        if (fills) start <= start + 9'(beats) + 9'd1;",
        "    end",
        "    beats <= rst || ordered || fills ? 0 : beats + beat;",
        "    taking <= !rst && (ordered || (taking && !(fills && m0_full_out_word[12])));",
        "end",
    )
    _takes(bench, "some_room", "!ordered || packet_data[34:9] != 0", "registers begin no transfer of no bytes")
    _holds(
        bench,
        "counts",
        "k0_s_taking == taking && (!taking || (k0_s_word == start + 9'(beats) && 32'(k0_s_beats) == 32'(beats) && "
        "beats < 16 && 32'(start) + 32'(beats) <= 511 && k0_s_left == room && room != 0))",
        "the kernel counts as the order says",
    )
    _shows(
        bench,
        "filled_in_page",
        "!fills || (taking && 32'(m0_full_out_word[3:0]) == 32'(beats) && 32'(start) + 32'(beats) <= 511)",
        "a burst has as many beats as is told of it, and stays in its page",
    )
    _shows(
        bench, "last_marked", "!beat || m0_data_out_word[72] == fills", "the last beat of a burst is marked, no other"
    )
    _shows(
        bench,
        "inside_room",
        "!beat || room >= 8 || (m0_data_out_word[71:64] >> room[2:0]) == 0",
        "no byte is written beyond the length that was given",
    )
    _shows(bench, "packet_once", "!begins || m0_packet_in_does == !taking", "a packet is taken after an order, and one")


def s2mm_write(bench: Bench, address_bits: int) -> None:
    """AW and W: as many beats as were announced, the last one marked."""
    low = address_bits
    _always(
        bench,
        "reg [3:0] beats, len;",
        f"wire [3:0] len_now = beats == 0 ? go_data[{low + 3}:{low}] : len;",
        "always @(posedge clk) begin",
        "    beats <= rst || (begins && beats == len_now) ? 0 : beats + begins;",
        "    if (begins) len <= len_now;",
        "end",
    )
    _takes(
        bench,
        "last_is_last",
        "!begins || data_data[72] == (beats == len_now)",
        "a burst has as many beats as was told of it (s2mm_pack: filled_in_page, last_marked)",
    )
    _holds(
        bench, "counts", "k0_s_inside == (beats != 0) && (beats == 0 || beats <= len)", "the kernel knows where it is"
    )
    _shows(
        bench, "aw_first", "!begins || m0_aw_out_does == (beats == 0)", "an address for each burst, not after its data"
    )
    _shows(bench, "aw_as_told", "!(begins && m0_aw_out_does) || m0_aw_out_word == go_data", "the one that was judged")
    _shows(
        bench,
        "wlast",
        "!begins || (m0_w_out_does && m0_w_out_word[72] == (beats == len_now))",
        "WLAST comes with the beat that AWLEN says",
    )


def registers(bench: Bench, address_bits: int) -> None:
    """AXI-Lite's answers, and when a transfer may begin."""
    stop = address_bits + 26
    _always(bench, "wire [1:0] source = events_data[43:42];")
    _shows(
        bench, "b_once", "!begins || m0_b_out_does == (source == 0)", "each write has one answer, and nothing else has"
    )
    _shows(
        bench, "r_once", "!begins || m0_r_out_does == (source == 1)", "each read has one answer, and nothing else has"
    )
    for number, name in ((2, "mm2s"), (3, "s2mm")):
        said, word = f"begins && source == {number}", f"m0_to_{name}_out_word"
        _always(
            bench,
            f"wire {name}_starts = begins && m0_to_{name}_out_does && !{word}[{stop}];",
            f"wire {name}_stops = begins && m0_to_{name}_out_does && {word}[{stop}];",
            f"reg {name}_works, {name}_failed;",
            "always @(posedge clk) begin",
            f"    {name}_works <= !rst && !{name}_stops && ({name}_starts || ({name}_works && "
            f"!({said} && events_data[30:29] == {ENDED})));",
            f"    {name}_failed <= !rst && !{name}_stops && ({name}_failed || "
            f"({said} && k0_s_awaited == 0 && events_data[30:29] == {ENDED} && events_data[28:26] != 0));",
            "end",
        )
        _holds(
            bench,
            f"{name}_state",
            f"k0_s_awaited != 0 || (k0_s_{name}_busy == {name}_works && (k0_s_{name}_errors != 0) == {name}_failed && "
            f"!({name}_works && {name}_failed))",
            "the registers say whether the channel works, and whether it failed",
        )
        _holds(
            bench,
            f"{name}_halts",
            f"k0_s_{name}_errors == 0 || !k0_s_{name}_run",
            "a channel with an error doesn't run",
        )
        _holds(
            bench,
            f"{name}_awaited",
            f"k0_s_awaited == 0 || (!k0_s_{name}_busy && k0_s_{name}_errors == 0 && !{name}_works && !{name}_failed)",
            "during a reset nothing works",
        )
        _takes(
            bench,
            f"{name}_ends_once",
            f"!({said} && events_data[30:29] == {ENDED} && k0_s_awaited == 0) || {name}_works",
            "a channel reports the end of what was begun",
        )
        _shows(
            bench,
            f"{name}_starts_when_idle",
            f"!{name}_starts || (k0_s_awaited == 0 && !{name}_works && !{name}_failed && "
            f"{word}[{stop - 1}:{stop - 26}] != 0)",
            "a transfer, of some bytes, is begun when the last one has ended well, and never during a reset",
        )
        _shows(
            bench, f"{name}_stops_once", f"!{name}_stops || k0_s_awaited == 0", "a channel is stopped once per reset"
        )
    _shows(
        bench,
        "restart_when_stopped",
        "!(begins && m0_restart_out_does) || (k0_s_stopping && k0_s_awaited == 1 && source >= 2 && "
        f"events_data[30:29] == {STOPPED})",
        "what moves data is reset when both channels have said that they are stopped",
    )


RULES: dict[str, Callable[[Bench, int], None]] = {
    "registers": registers,
    "mm2s_control": mm2s_control,
    "mm2s_send": mm2s_send,
    "s2mm_control": s2mm_control,
    "s2mm_pack": s2mm_pack,
    "s2mm_write": s2mm_write,
}
