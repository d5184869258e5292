"""A cocotb test of `dma_top` that writes down all words of its streams and the order in which its merges took them."""

from __future__ import annotations

import json
import os
import pathlib
from typing import TYPE_CHECKING

import cocotb
from cocotb.triggers import Combine, RisingEdge
from cocotbext.axi import AxiResp

from hls.dma.model import MERGES
from sim.benches.dma_bench import CONTROL, HALTED, RECEIVE, RUN, SEND, STATUS, Bench

if TYPE_CHECKING:
    from cocotb.handle import HierarchyObject

# Stream -> prefix of its handshake, its fields from the low bits on with their widths.
PORTS = {
    "lite_aw": ("s_axi_lite_aw", (("addr", 10),)),
    "lite_w": ("s_axi_lite_w", (("data", 32),)),
    "lite_ar": ("s_axi_lite_ar", (("addr", 10),)),
    "r": ("m_axi_r", (("data", 64), ("resp", 2), ("last", 1))),
    "b": ("m_axi_b", (("resp", 2),)),
    "s2mm": ("s_axis_s2mm_t", (("data", 64), ("keep", 8), ("last", 1))),
    "lite_r": ("s_axi_lite_r", (("data", 32),)),
    "lite_b": ("s_axi_lite_b", (("resp", 2),)),
    "ar": ("m_axi_ar", (("addr", 32), ("len", 4))),
    "aw": ("m_axi_aw", (("addr", 32), ("len", 4))),
    "w": ("m_axi_w", (("data", 64), ("strb", 8), ("last", 1))),
    "mm2s": ("m_axis_mm2s_t", (("data", 64), ("keep", 8), ("last", 1))),
}


class Record:
    """What went through, from the first cycle behind the reset on."""

    def __init__(self, dut: HierarchyObject) -> None:
        self.words = {name: [] for name in (*PORTS, *MERGES)}
        self.dut = dut
        parts = {"register_events": dut.registers, "mm2s_events": dut.movers, "s2mm_events": dut.movers}
        self._merges = {name: getattr(part, f"{name}_i").merge for name, part in parts.items()}
        cocotb.start_soon(self._watch())

    async def _watch(self):
        while True:
            await RisingEdge(self.dut.aclk)
            if not int(self.dut.aresetn.value):
                continue
            for name, (prefix, fields) in PORTS.items():
                if int(getattr(self.dut, f"{prefix}valid").value) and int(getattr(self.dut, f"{prefix}ready").value):
                    word, low = 0, 0
                    for field, width in fields:
                        word |= (int(getattr(self.dut, prefix + field).value) & (1 << width) - 1) << low
                        low += width
                    self.words[name].append(word)
            for name, merge in self._merges.items():
                if int(merge.out_valid.value) and int(merge.out_ready.value):
                    self.words[name].append(int(merge.out_data.value) >> len(merge.out_data) - 2)


@cocotb.test()
async def record(dut: HierarchyObject) -> None:
    """Transfers both ways at once with gaps everywhere, a packet that is too long, and an error of the memory."""
    bench = Bench(dut, lazy=0.5)
    record = Record(dut)
    await bench.reset()
    await bench.run()
    await bench.write(SEND + CONTROL, RUN | 0x5000)
    for _ in range(8):
        sizes = [bench.rng.randrange(1, 700) for _ in range(2)]
        await Combine(
            cocotb.start_soon(bench.send(8 * bench.rng.randrange(1024), bench.bytes(sizes[0]))),
            cocotb.start_soon(bench.receive(0xC000 + 8 * bench.rng.randrange(512), bench.bytes(sizes[1]))),
        )
    await bench.begin(RECEIVE, 0x5FC0, 333)
    await bench.source.send(bench.bytes(338))
    await bench.until(RECEIVE, HALTED)
    bench.memory.bad = lambda address: AxiResp.SLVERR if address == 0x3100 else AxiResp.OKAY
    await bench.begin(SEND, 0x3000, 1000)
    await bench.until(SEND, HALTED)
    await bench.read(RECEIVE + STATUS)
    await bench.cycles(200)
    assert bench.rules.quiet() and min(map(len, record.words.values())) > 8
    pathlib.Path(os.environ["SIM_RECORD"]).write_text(json.dumps(record.words))
