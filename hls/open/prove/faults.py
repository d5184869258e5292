"""Planted faults: a text that is changed in one place, and a bench that has to find a counterexample from reset."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hls.open.pipeline.netlist import stage_module
from hls.open.prove import templates
from hls.open.prove.campaign import SEARCH, small_stages
from hls.open.prove.engine import prove, refute
from hls.open.prove.stage import stage_bench
from hls.open.prove.system import read_system

if TYPE_CHECKING:
    from hls.open.prove.bench import Bench


@dataclass(frozen=True)
class Fault:
    """A mistake that breaks a property: `pattern` has to be found exactly once in the text, `put` goes there instead (`re.sub`)."""

    name: str
    breaks: str
    says: str
    pattern: str
    put: str
    text: Callable[[], str]
    bench: Callable[[str], Bench]


def plant(fault: Fault) -> str:
    """Return the text with the fault in it.

    Raises
    ------
    ValueError
        If the place isn't there, or not the only one.
    """
    text, count = re.subn(fault.pattern, fault.put, fault.text())
    if count != 1:
        raise ValueError(f"the fault '{fault.name}' applies {count} times, not once")
    return text


def catch(fault: Fault, timeout_s: float = 600) -> dict:
    """Return a row: whether the proof fails, and after how many cycles a counterexample breaks the property."""
    started = time.monotonic()
    bench = fault.bench(plant(fault))
    system = read_system(bench)
    failing = prove(system, 1, timeout_s=timeout_s)
    found = refute(system, {fault.breaks}, SEARCH, timeout_s, bench.show)
    return {
        "fault": fault.name,
        "says": fault.says,
        "module": bench.module,
        "proof": failing.verdict,
        "broken": fault.breaks if found.failed else None,
        "cycles": found.k if found.failed else None,
        "seconds": round(time.monotonic() - started, 2),
        "trace": found.trace,
    }


def _library(module, bench):
    return lambda: templates.library(module), bench


def _pipeline(kernel):
    def bench(text):
        return stage_bench(small_stages()[kernel], change={f"k_{kernel}": text})

    return lambda: small_stages()[kernel].text, bench


def _netlist(kernel):
    def bench(text):
        return stage_bench(small_stages()[kernel], change={f"k_{kernel}_stage": text})

    return lambda: stage_module(small_stages()[kernel]), bench


_FIFO = _library("hls_open_fifo", lambda text: templates.fifo(4, 3, 2, text))
_DEEP = _library("hls_open_deep_fifo", lambda text: templates.fifo(4, 3, 2, text, deep=True))
_WRITER = _library("hls_open_fifo", lambda text: templates.fifo_room(4, 7, 4, text))
_LUTS = _library("hls_open_ram", lambda text: templates.ram(4, 4, 2, 64, 0, text))
_BLOCK = _library("hls_open_ram", lambda text: templates.ram(4, 5, 3, 2, 0, text))
_FORWARD = _library("hls_open_ram", lambda text: templates.ram(4, 4, 2, 64, 1, text))
_MULTIPLY = _library("hls_open_arithmetic", lambda text: templates.multiply(4, 3, 7, text))
_MERGE = _library("hls_open_merge", lambda text: templates.merge(3, 4, text))
_ENTRY = _library("hls_open_entry", lambda text: templates.entry(4, text))
_STEP_OF_RAM = r"if \(wr_en\) (mem\[wr_addr\] <= wr_data;\s+stored <= mem\[rd_addr\];\s+end\s+end{})"

FAULTS = [
    Fault("head-wraps-late", "in_order", "FIFO: the read pointer leaves the memory", r"head == PTR'\(DEPTH - 1\)", "head == PTR'(DEPTH)", *_FIFO),
    Fault("tail-wraps-early", "in_order", "FIFO: the write pointer skips the last word", r"tail == PTR'\(DEPTH - 1\)", "tail == PTR'(DEPTH - 2)", *_FIFO),
    Fault("count-put-and-take", "there", "FIFO: the counter goes up when a word comes and one goes", r"in_valid != take", "in_valid || take", *_FIFO),
    Fault("take-unasked", "stable", "FIFO: a word is gone before it is taken", r"out_valid && out_ready", "out_valid", *_FIFO),
    Fault("data-not-stable", "stable", "FIFO: the word changes while it waits", r"mem\[head\]", "out_ready ? mem[head] : mem[tail]", *_FIFO),
    Fault("reset-keeps-count", "there", "FIFO: the counter survives a reset", r"count <= '0;", "", *_FIFO),
    Fault("room-off-by-one", "no_overflow", "FIFO: room for one word more than there is", r"\+ ROOM <= DEPTH", "+ ROOM <= DEPTH + 1", *_WRITER),
    Fault("next-a-word-late", "in_order", "deep FIFO: the word that was just taken is offered again", r"mem\[next\]", "mem[head]", *_DEEP),
    Fault("offers-unwritten", "in_order", "deep FIFO: a word is offered before the memory can give it", r"out_valid <= put", "out_valid <= put || in_valid", *_DEEP),
    Fault("counts-nothing", "there", "deep FIFO: the counter of what can be given goes up when a word comes and one goes", r"put != take", "put || take", *_DEEP),
    Fault("write-lost-luts", "reads", "RAM of LUTs: no write to the address that is read", _STEP_OF_RAM.format(" else"), r"if (wr_en && wr_addr != rd_addr) \1", *_LUTS),
    Fault("write-lost-block", "reads", "block RAM: no write to the last address", _STEP_OF_RAM.format(r"\s+if \(FORWARD"), r"if (wr_en && wr_addr != DEPTH - 1) \1", *_BLOCK),
    Fault("no-forward", "reads", "RAM: the word of before, though it should be forwarded", r"hit \? written : stored", "stored", *_FORWARD),
    Fault("forwards-unwritten", "reads", "RAM: forwards what isn't written", r"hit <= wr_en && ", "hit <= ", *_FORWARD),
    Fault("product-early", "three_later", "multiplier: a register is missing", r"p <= product\[P-1:0\]", "p <= a_in * b_in", *_MULTIPLY),
    Fault("merge-by-number", "fair", "merge: the lowest number first, always", r"\|first \? first : in_valid", "in_valid", *_MERGE),
    Fault("merge-takes-twice", "at_once", "merge: a word is taken though the last one still waits", r"load \? chosen : '0", "chosen", *_MERGE),
    Fault("merge-wrong-source", "unchanged", "merge: the number of the source that was served before", r"2'\(i\)", "2'(behind)", *_MERGE),
    Fault("entry-one-too-many", "no_overflow", "entry: `ready` without a place for the word that is under way", r"\.ROOM\(2\)", ".ROOM(1)", *_ENTRY),
    Fault("room-of-stage", "out_no_overflow", "stage: asks for two words less than may be in flight", r"\.ROOM\(3\)", ".ROOM(1)", *_netlist("pass")),
    Fault("step-survives-reset", "out_none_extra", "stage: a valid bit that no reset clears", r"valid\[2\] <= !rst && ", "valid[2] <= ", *_pipeline("mac")),
    Fault("step-skips", "out_none_extra", "stage: a valid bit comes a stage early", r"(valid\[3\] <= !rst && )valid\[2\]", r"\1valid[1]", *_pipeline("mac")),
    Fault("state-runs-free", "out_in_order", "stage: a register changes without a step", r"end else if \(valid\[3\]\) begin", "end else begin", *_pipeline("mac")),
    Fault("reads-unasked", "in_taken", "stage: an input word is taken by a step that doesn't read", r"assign in_ready = valid_0 & \w+", "assign in_ready = valid_0", *_pipeline("some")),
    Fault("writes-unasked", "out_none_extra", "stage: every step writes", r"(assign out_valid = valid\[\d\]) & \w+", r"\1", *_pipeline("some")),
    Fault("begins-without-word", "begins_if_able", "stage: a step begins before its word is there", r"\(b_valid \| !", "(1'b1 | !", *_pipeline("split")),
    Fault("one-room-of-two", "begins_if_able", "stage: begins with room behind one of two outputs", r"wire start = \w+ & ", "wire start = ", *_netlist("split")),
    Fault("stale-word", "out_in_order", "stage: no forwarding where the next step reads what is just written", r"\.FORWARD\(1\)", ".FORWARD(0)", *_netlist("histogram")),
]  # fmt: skip
