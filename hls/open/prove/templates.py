"""What the library's modules promise: FIFO, RAM and multiplier against plain models of them."""

from __future__ import annotations

from pathlib import Path

from hls.open.pipeline.claims import Claim, DeepFifo, Fifo, bits, inside, pick
from hls.open.pipeline.netlist import DEEP_FIFO, RTL
from hls.open.prove.bench import RESET_FIRST, STARTED, Bench


def library(name: str) -> str:
    """Return the text of a module of the library."""
    return (Path(RTL) / f"{name}.sv").read_text()


def _module(deep):
    return DEEP_FIFO if deep else "hls_open_fifo"


def fifo(width: int, depth: int, room: int, source: str | None = None, deep: bool = False) -> Bench:
    """Return the bench of the FIFO against a queue: a marked word leaves right behind those in front of it.

    Which word is marked is left open, so what holds for it holds for every word. `deep`: the FIFO in block RAM, which
    offers a word a cycle later.
    """
    dut = (DeepFifo if deep else Fifo)("dut", width, depth, room)
    offered = "words != fresh" if deep else "words != 0"
    counter = (depth + 1).bit_length() + 1
    return Bench(
        _module(deep),
        f"WIDTH={width} DEPTH={depth} ROOM={room}",
        [source or library(_module(deep))],
        {"in_data": width, "in_valid": 1, "out_ready": 1, "mark": 1},
        dut.looks(),
        [
            STARTED,
            f"wire {bits(width)}out_data; wire out_valid, room;",
            f"{_module(deep)} #(.WIDTH({width}), .DEPTH({depth}), .ROOM({room})) dut (.clk(clk), .rst(rst), "
            ".room(room), .in_data(in_data), .in_valid(in_valid), .out_data(out_data), .out_valid(out_valid), "
            ".out_ready(out_ready));",
            "wire put = in_valid && !rst; wire take = out_valid && out_ready && !rst;",
            f"reg {bits(counter)}words; reg had_room;  // words put and not yet taken",
            f"always @(posedge clk) begin words <= rst ? 0 : words + put - take;"
            f" had_room <= !rst && words + {room} <= {depth}; end",
            "reg fresh; always @(posedge clk) fresh <= put;  // a word came in the cycle before",
            f"reg marked, waited; reg {bits(counter)}ahead; reg {bits(width)}word;",
            "wire leaves = marked && take && ahead == 0;",
            "always @(posedge clk) begin",
            "    if (rst || leaves) marked <= 1'b0;",
            "    else if (put && mark && !marked) marked <= 1'b1;",
            "    if (!marked) begin ahead <= words - take; word <= in_data; waited <= words != 0; end",
            "    else if (take) ahead <= ahead - 1'b1;",
            "end",
            f"reg held; reg {bits(width)}last_data;",
            "always @(posedge clk) begin held <= out_valid && !out_ready && !rst; last_data <= out_data; end",
        ],
        [
            RESET_FIRST,
            Claim(
                "never_into_full",
                f"!started || rst || !in_valid || words < {depth}",
                "no word is put while DEPTH words are in the FIFO (proved for writers that ask for room)",
            ),
        ],
        [
            *dut.invariants(),
            Claim("counts_words", f"!started || {dut.count} == words", "the counter is the number of words"),
            Claim(
                "keeps_marked",
                f"!started || !marked || (ahead < words && {dut.word('ahead')} == word)",
                "the marked word lies unchanged behind those in front of it",
            ),
        ],
        [
            Claim(
                "in_order", "!started || !leaves || out_data == word", "no word is lost, doubled, reordered, changed"
            ),
            Claim(
                "there",
                f"!started || out_valid == ({offered})",
                "a word is offered while there is one" + (", from the second cycle on" if deep else ""),
            ),
            Claim("stable", "!started || !held || rst || (out_valid && out_data == last_data)", "stable until taken"),
            Claim("space", f"!started || words <= {depth}", "never more than DEPTH words"),
            Claim("tells_room", "!started || room == had_room", "room is what was true of the cycle before"),
        ],
        [
            Claim(
                "passes",
                f"started && leaves && word != 0{' && waited' if depth > 1 else ''}",
                "a marked word passes",
            ),
            Claim("full", f"started && words == {depth}", "the FIFO is full"),
        ],
        ("rst", "in_valid", "in_data", "mark", "room", "words", "marked", "out_valid", "out_ready", "out_data"),
    )


def fifo_room(width: int, depth: int, room: int, source: str | None = None, deep: bool = False) -> Bench:
    """Return the bench of a FIFO behind a writer that never stalls: it begins when there is room, and never overflows.

    The writer begins a step in any cycle with room; ROOM - 2 cycles later it may put a word, or not.
    """
    dut, stages = (DeepFifo if deep else Fifo)("dut", width, depth, room), room - 2
    flight = " + ".join(f"flight[{i}]" for i in range(1, stages + 1))
    return Bench(
        _module(deep),
        f"WIDTH={width} DEPTH={depth} ROOM={room}, writer of {stages} stages",
        [source or library(_module(deep))],
        {"in_data": width, "out_ready": 1, "begins": 1, "writes": 1},
        dut.looks(),
        [
            STARTED,
            f"wire {bits(width)}out_data; wire out_valid, room;",
            f"reg [{stages}:1] flight = 0;",
            f"wire in_valid = flight[{stages}] && writes;",
            "always @(posedge clk) begin",
            "    flight[1] <= begins && room && !rst;",
            *(f"    flight[{k}] <= flight[{k - 1}] && !rst;" for k in range(2, stages + 1)),
            "end",
            f"{_module(deep)} #(.WIDTH({width}), .DEPTH({depth}), .ROOM({room})) dut (.clk(clk), .rst(rst), "
            ".room(room), .in_data(in_data), .in_valid(in_valid), .out_data(out_data), .out_valid(out_valid), "
            ".out_ready(out_ready));",
            f"wire [31:0] claimed = 32'({dut.count}) + {flight};  // words in the FIFO and on their way",
        ],
        [
            RESET_FIRST,
            Claim("writer", "1'b1", "a step begins only with room, and writes at most one word ROOM - 2 cycles later"),
        ],
        [
            *dut.invariants(),
            Claim("never_negative", f"!started || claimed <= {depth}", "words in the FIFO and in flight have a place"),
        ],
        [
            Claim(
                "no_overflow",
                f"!started || rst || !in_valid || {dut.count} != {depth}",
                "no word is put into a full FIFO",
            )
        ],
        [
            Claim("passes", "started && out_valid && out_ready", "a word passes"),
            Claim("full", f"started && {dut.count} == {depth}", "all of the FIFO is used"),
        ],
        ("rst", "begins", "room", "flight", "in_valid", "claimed", "out_valid", "out_ready"),
    )


def ram(width: int, depth: int, address: int, shallow: int, forward: int = 0, source: str | None = None) -> Bench:
    """Return the bench of the RAM: what any one address holds, and what a read of it gives."""
    form = "g_luts" if depth <= shallow else "g_block"
    words = [inside(f"dut.{form}.mem[{i}]") for i in range(depth)]
    return Bench(
        "hls_open_ram",
        f"WIDTH={width} DEPTH={depth} FORWARD={forward}, {'LUTs' if depth <= shallow else 'block'}",
        [source or library("hls_open_ram")],
        {"rd_addr": address, "wr_en": 1, "wr_addr": address, "wr_data": width},
        {f"dut.{form}.mem[{i}]": bits(width) for i in range(depth)},
        [
            f"wire {bits(width)}rd_data;",
            f"hls_open_ram #(.WIDTH({width}), .DEPTH({depth}), .BITS({address}), .SHALLOW({shallow}), "
            f".FORWARD({forward})) dut (.clk(clk), "
            ".rd_addr(rd_addr), .rd_data(rd_data), .wr_en(wr_en), .wr_addr(wr_addr), .wr_data(wr_data));",
            f"(* anyconst *) reg {bits(address)}place;",
            f"reg {bits(width)}value = 0; reg {bits(width)}old; reg asked = 1'b0, written = 1'b0;",
            "always @(posedge clk) begin",
            "    asked <= rd_addr == place; old <= "
            + ("wr_en && wr_addr == place ? wr_data : " if forward else "")
            + "value;",
            "    if (wr_en && wr_addr == place) begin value <= wr_data; written <= 1'b1; end",
            "end",
        ],
        [Claim("inside", f"place < {depth}", "an address below DEPTH, any one")],
        [Claim("holds", f"{pick('place', words)} == value", "the memory holds what was written there last, or 0")],
        [
            Claim(
                "reads",
                "!asked || rd_data == old",
                "a read gives, a cycle later, what was there "
                + ("after the write of its own cycle" if forward else "before the write of its own cycle"),
            )
        ],
        [
            Claim(
                "passes",
                "asked && old != 0 && rd_data == old" + ("" if forward else " && written"),
                "a written word is read",
            )
        ],
        ("wr_en", "wr_addr", "wr_data", "rd_addr", "rd_data", "place"),
    )


def multiply(a: int, b: int, p: int, source: str | None = None) -> Bench:
    """Return the bench of the multiplier: the sum of partial products, three cycles ago."""
    whole = a + b
    partial = [f"({{{whole}{{b[{i}]}}}} & ({{{{{whole - a}{{a[{a - 1}]}}}}, a}} << {i}))" for i in range(b)]
    sum_ = " + ".join(partial[:-1] or [f"{whole}'d0"]) + f" - {partial[-1]}"  # the uppermost bit counts below 0
    return Bench(
        "hls_open_multiply",
        f"A={a} B={b} P={p}",
        [source or library("hls_open_arithmetic")],
        {"a": a, "b": b},
        {f"dut.{n}": bits(w) for n, w in (("a_in", a), ("b_in", b), ("product", whole))},
        [
            f"wire {bits(p)}p;",
            f"hls_open_multiply #(.A({a}), .B({b}), .P({p})) dut (.clk(clk), .a(a), .b(b), .p(p));",
            f"wire {bits(whole)}now = {sum_}; reg {bits(whole)}first, second, third; reg [2:0] since = 0;",
            "always @(posedge clk) begin first <= now; second <= first; third <= second;",
            "since <= {since[1:0], 1'b1}; end",
        ],
        [],
        [],
        [Claim("three_later", f"!since[2] || p == third[{p - 1}:0]", "three cycles later p is the product")],
        [Claim("passes", f"since[2] && third != 0 && p == third[{p - 1}:0]", "a product other than 0 comes out")],
        ("a", "b", "p", "third"),
    )


def merge(sources: int, width: int, source: str | None = None) -> Bench:
    """Return the bench of the merge by arrival: what is taken is offered next, once, and nobody waits for long.

    Which source is looked at for its waiting is left open.
    """
    lines = [f"in_valid[{i}] && in_ready[{i}] ? {{2'd{i}, in_data[{i * width} +: {width}]}} : " for i in range(sources)]
    behind = inside("dut.behind")
    masks = [((1 << sources) - 1) >> k << k for k in range(1, sources + 1)]
    some = " || ".join(f"{behind} == {sources}'d{mask}" for mask in masks)
    ones = " + ".join(f"32'({behind}[{k}])" for k in range(sources))
    return Bench(
        "hls_open_merge",
        f"SOURCES={sources} WIDTH={width}",
        [source or library("hls_open_merge")],
        {"in_data": sources * width, "in_valid": sources, "out_ready": 1},
        {"dut.behind": bits(sources)},
        [
            STARTED,
            f"wire {bits(sources)}in_ready; wire {bits(width + 2)}out_data; wire out_valid;",
            f"hls_open_merge #(.SOURCES({sources}), .WIDTH({width})) dut (.clk(clk), .rst(rst), .in_data(in_data), "
            ".in_valid(in_valid), .in_ready(in_ready), .out_data(out_data), .out_valid(out_valid), "
            ".out_ready(out_ready));",
            f"wire {bits(sources)}takes = rst ? {sources}'d0 : in_valid & in_ready;",
            f"wire {bits(width + 2)}taken = {''.join(lines)}{width + 2}'d0;",
            f"reg came, held; reg {bits(width + 2)}word;",
            "always @(posedge clk) begin came <= |takes; held <= out_valid && !out_ready && !rst;"
            " if (!held_now) word <= taken; end",
            "wire held_now = out_valid && !out_ready;",
            "(* anyconst *) reg [1:0] who;",
            "wire waits = in_valid[who] && !in_ready[who]; reg waited; reg [2:0] others;",
            "always @(posedge clk) begin",
            "    waited <= waits && !rst;",
            "    others <= rst || !waits ? 3'd0 : others + (|takes);",
            "end",
        ],
        [RESET_FIRST, Claim("somebody", f"who < {sources}", "a source, any one")],
        [
            Claim("turn", f"!started || {some}", "first come the sources behind the one that was served last"),
            Claim("nobody", "!started || waited || others == 0", "who doesn't wait has not been passed"),
            *(
                Claim(
                    f"waits_{k}",
                    f"!started || !waited || who != {k} || 32'(others) + {ones} <= "
                    f"({behind}[{k}] ? {2 * sources - 1 - k} : {sources - 1 - k})",
                    "who waits has been passed by those alone that its turn lies behind",
                )
                for k in range(sources)
            ),
        ],
        [
            Claim(
                "once",
                "(in_ready & (in_ready - 1'b1)) == 0 && (in_ready & ~in_valid) == 0",
                "one word is taken, and one that is there",
            ),
            Claim(
                "offered",
                "!started || out_valid == (came || held)",
                "what was taken is offered in the next cycle, nothing else is",
            ),
            Claim(
                "unchanged",
                "!started || !out_valid || out_data == word",
                "with the number of its source, unchanged and until it is taken",
            ),
            Claim(
                "at_once",
                "!started || (|takes) == (!rst && (|in_valid) && (!out_valid || out_ready))",
                "whenever there is a place and a word, one is taken",
            ),
            Claim("fair", f"!started || others < {sources}", f"a word waits for {sources - 1} others at most"),
        ],
        [
            Claim("passes", "started && out_valid && word != 0 && came", "a word passes"),
            Claim("waits_longest", f"started && waited && others == {sources - 1}", "a word waits for as many others"),
        ],
        ("rst", "in_valid", "in_ready", "out_valid", "out_ready", "who", "others"),
    )


def entry(width: int, source: str | None = None) -> Bench:
    """Return the bench of a stream's way in: nothing is put into its full FIFO, and `ready` is a register's word."""
    dut = Fifo("dut.fifo", width, 4, 2)
    return Bench(
        "hls_open_entry",
        f"WIDTH={width}",
        [library("hls_open_fifo"), source or library("hls_open_entry")],
        {"in_data": width, "in_valid": 1, "out_ready": 1},
        dut.looks(),
        [
            STARTED,
            f"wire {bits(width)}out_data; wire in_ready, out_valid;",
            f"hls_open_entry #(.WIDTH({width})) dut (.clk(clk), .rst(rst), .in_data(in_data), .in_valid(in_valid), "
            ".in_ready(in_ready), .out_data(out_data), .out_valid(out_valid), .out_ready(out_ready));",
            "reg [3:0] words;",
            "always @(posedge clk) words <= rst ? 0 : words + (in_valid && in_ready) - (out_valid && out_ready);",
        ],
        [RESET_FIRST],
        [
            *dut.invariants(),
            Claim("counts_words", f"!started || {dut.count} == words", "the counter is the number of words"),
        ],
        [
            Claim(
                "no_overflow", "!started || rst || !(in_valid && in_ready) || words < 4", "what is taken has a place"
            ),
            Claim("registered", f"in_ready == {dut.room}", "`ready` is a register"),
            Claim("there", "!started || out_valid == (words != 0)", "a word is offered while there is one"),
        ],
        [Claim("passes", "started && out_valid && out_ready && words == 3", "words pass")],
        ("rst", "in_valid", "in_ready", "words", "out_valid", "out_ready"),
    )
