"""AXI's rules on the ports of `dma_top`, looked at in every cycle of a simulation, and what is open on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cocotb
from cocotb.triggers import RisingEdge

if TYPE_CHECKING:
    from cocotb.handle import HierarchyObject

PAGE, WORD, MOST_BEATS = 4096, 8, 16
# What a port drives, by its `valid`.
DRIVEN = {
    "m_axi_ar": ("addr", "len"),
    "m_axi_aw": ("addr", "len"),
    "m_axi_w": ("data", "strb", "last"),
    "m_axis_mm2s_t": ("data", "keep", "last"),
    "s_axi_lite_r": ("data",),
    "s_axi_lite_b": (),
}


class AxiRules:
    """Watches until it is told to stop; a broken rule fails the test. Ports that a bench has not are left out: one of a
    bitstream that was read back has only those of memory.

    Attributes
    ----------
    open_reads, open_writes : list of int
        Beats that are still to come of each burst that was asked for; writes without their answer.
    most_open : int
        Reads that were open at once.
    bursts : list of tuple
        ("read" or "write", address, beats).
    sent : list of int
        Data of the beats that left for the kernel.
    """

    def __init__(self, dut: HierarchyObject) -> None:
        self.dut, self.bursts, self.sent, self.most_open = dut, [], [], 0
        self._driven = {port: signals for port, signals in DRIVEN.items() if hasattr(dut, f"{port}valid")}
        assert {"m_axi_ar", "m_axi_aw", "m_axi_w"} <= set(self._driven)
        self._resets = hasattr(dut, "axis_resetn")
        self.open_reads, self.open_writes = [], 0
        self._announced, self._written, self._beats = [], [], 0  # beats of writes without their data, without address
        cocotb.start_soon(self._watch())

    def quiet(self) -> bool:
        """Return whether no burst is open and none is offered."""
        offered = any(int(getattr(self.dut, f"m_axi_{channel}valid").value) for channel in ("ar", "aw", "w"))
        return not (self.open_reads or self.open_writes or self._beats or self._announced or self._written or offered)

    def _is(self, signal):
        return int(getattr(self.dut, signal).value)

    def _taken(self, port):
        return self._is(f"{port}valid") and self._is(f"{port}ready")

    async def _watch(self):
        waiting = {}
        while True:
            await RisingEdge(self.dut.aclk)
            if not self._is("aresetn"):
                waiting.clear()
                continue
            for port, signals in self._driven.items():
                valid = self._is(f"{port}valid")
                if not valid and port not in waiting:
                    continue
                values = tuple(self._is(port + s) for s in signals)
                if port in waiting:
                    assert valid, f"{port}valid went away before it was taken"
                    assert values == waiting.pop(port), f"{port} changed while it waited"
                if not self._is(f"{port}ready"):
                    waiting[port] = values
                elif port == "m_axis_mm2s_t":
                    self.sent.append(values[0])
            if self._resets and not self._is("axis_resetn"):  # of the memory's channels nothing may wait then
                assert self.quiet(), "a reset before all bursts had ended"
                waiting.pop("m_axis_mm2s_t", None)
            self._bursts()

    def _bursts(self):
        """Bursts are right, data belongs to bursts, and answers come to whole ones."""
        for port, kind in (("m_axi_ar", "read"), ("m_axi_aw", "write")):
            if self._taken(port):
                address, beats = self._is(f"{port}addr"), self._is(f"{port}len") + 1
                kinds = self._is(f"{port}size"), self._is(f"{port}burst")
                assert kinds == (3, 1) and beats <= MOST_BEATS and address % WORD == 0, (kind, address, beats)
                assert address // PAGE == (address + beats * WORD - 1) // PAGE, f"{kind} crosses a page: {address:#x}"
                self.bursts.append((kind, address, beats))
                (self.open_reads if kind == "read" else self._announced).append(beats)
                self.most_open = max(self.most_open, len(self.open_reads))
        if self._taken("m_axi_r"):
            self.open_reads[0] -= 1
            if not self.open_reads[0]:
                self.open_reads.pop(0)
        else:  # or the memory would have to wait for the kernel
            assert not self._is("m_axi_rvalid"), "data of a read was not taken at once"
        if self._taken("m_axi_w"):
            self._beats += 1
            if self._is("m_axi_wlast"):
                self._written.append(self._beats)
                self._beats = 0
        while self._announced and self._written:  # AXI lets data come in front of its address
            announced, written = self._announced.pop(0), self._written.pop(0)
            assert announced == written, f"a burst of {announced} beats has its WLAST at beat {written}"
            self.open_writes += 1
        if self._taken("m_axi_b"):
            assert self.open_writes, "an answer to no write"
            self.open_writes -= 1
