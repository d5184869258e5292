"""The overlay on a PYNQ board: `srcnn_top` behind an AXI DMA, driven through PYNQ's public API.

One transfer carries many packets (docs/architecture.md, "Packets"). Two pairs of buffers take turns: while the
hardware works on one transfer, the next is packed and the last is handed on.

    host       pack 0 | start 0, pack 1 | start 1, hand on 0, pack 2 | start 2, hand on 1, ...
    hardware          | transfer 0      | transfer 1                 | transfer 2
"""

from __future__ import annotations

import contextlib
import importlib
import pathlib
import time
import types
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from hls.design.cycles import steady_cycles_per_pixel
from hls.packets import packets
from hls.packets.parameters import load_packet
from host.board.buffers import AGAIN, ERROR_WORDS, WORD, Slot
from host.board.overlay import lock_overlay, read_manifest
from host.board.processor import prepare
from model.base.errors import UserError

if TYPE_CHECKING:
    import numpy as np

    from model.graph.weights import QuantModel

BATCH_BYTES = 8 << 20  # of queued packets per transfer; PYNQ-Z2 has 128 MiB of contiguous memory in all
PATIENCE_S = 5.0  # of waiting beyond the computing time
# AXI DMA's registers (PG021): control and status of each channel. Either reset bit resets both channels.
_CONTROL, _STATUS = {"send": 0x00, "receive": 0x30}, {"send": 0x04, "receive": 0x34}
_RUN, _RESET = 0x1, 0x4
_STATUS_BITS = {4: "internal error", 5: "slave error", 6: "decode error"}
_RESET_S = 1.0  # a reset or start takes microseconds
_POLL_S = (1e-4, 1e-2)  # shortest and longest time between two looks at the DMA
_HINTS = {
    ("busy", "busy"): "the kernel takes no more words",
    ("idle", "busy"): "the kernel has taken all words, but its answer or the TLAST at its end is missing",
    ("idle", "internal error"): "the answer is longer than expected, or its TLAST is missing",
}
_abandoned = []  # buffers that a DMA may still write to: never freed, whoever is collected


class Driver:
    """Loads the overlay and the parameters once, then computes tiles.

    Parameters
    ----------
    folder : pathlib.Path
        With .bit, .hwh and manifest.json.
    model : QuantModel
    pynq : module, optional
        The `pynq` package, or a stand-in with its `Overlay` and `allocate`.
    batch_bytes : int
        Packets are queued up to this size per transfer; a larger tile travels alone.
    patience_s : float
        Seconds to wait for a transfer beyond four times its computing time.

    Raises
    ------
    UserError
        Whatever goes wrong with the board, here and in every method. The driver can be used again after it: the
        next `infer` resets the DMA, loads the bitstream anew and then the parameters.
    """

    def __init__(
        self,
        folder: pathlib.Path,
        model: QuantModel,
        *,
        pynq: types.ModuleType | None = None,
        batch_bytes: int = BATCH_BYTES,
        patience_s: float = PATIENCE_S,
    ) -> None:
        manifest = read_manifest(folder)
        self._config = manifest["config"]
        self._load = load_packet(self._config, model)
        self._patience_s = patience_s
        self._slots = ()
        self._tag = 0
        self._ready = False  # the overlay is identified and holds the parameters
        self._dirty = False  # a transfer may be under way, or the hardware out of step
        self._caller = None  # who computes: the last call of `infer`
        self._board = lock_overlay(folder)
        try:
            self._open(manifest, pynq, batch_bytes)
            self._prepare()
        except BaseException:
            self.close()
            raise

    def _open(self, manifest, pynq, batch_bytes):
        """Load the overlay, find its DMA."""
        try:
            pynq = pynq or importlib.import_module("pynq")
            self._overlay = pynq.Overlay(str(manifest["bit"]))
        except Exception as error:  # PYNQ raises many kinds: no root, no FPGA manager, no xclbinutil, ...
            raise UserError(
                f"the overlay {manifest['bit']} cannot be loaded ({error!r}); run as root on the board, with its PYNQ "
                f"image"
            ) from error
        self._pynq = pynq
        self._fclk0_mhz = manifest["fclk0_mhz"]
        self._settle()
        try:
            self._dma = getattr(self._overlay, manifest["dma"])
            self._send, self._recv = self._dma.sendchannel, self._dma.recvchannel
            most_bytes, parameters = int(self._dma.buffer_max_size), self._dma.description["parameters"]
            address_bits, direct = int(parameters.get("c_addr_width", 32)), int(parameters.get("c_include_sg", 0)) == 0
            if self._send is None or self._recv is None or not direct:
                raise ValueError("it has to send and to receive, without scatter-gather")
        except Exception as error:
            raise UserError(
                f"the overlay {manifest['bit']} has no DMA {manifest['dma']} for this driver ({error!r}); "
                "build or copy the overlay for this board again"
            ) from error
        self._most_words = most_bytes // WORD
        if self.largest_tile[0] < 1:
            raise UserError(
                f"the DMA of {manifest['bit']} transfers {most_bytes} bytes at most, too few for a tile; "
                "build the overlay with the widest length register (26 bits)"
            )
        self._batch_words = min(batch_bytes // WORD, self._most_words)
        self._slots = Slot(pynq.allocate, address_bits), Slot(pynq.allocate, address_bits)

    def _settle(self):
        """Give the overlay what it needs of the processor, if its manifest says so."""
        if self._fclk0_mhz is not None:
            prepare(self._pynq, self._fclk0_mhz)

    @property
    def largest_tile(self) -> tuple[int, int]:
        """Most rows and columns of a tile without halo: what the overlay takes and the DMA's length register holds."""
        network, width = self._config.network, self._config.max_width
        bytes_of_most = (self._most_words - 2) * WORD
        sent = bytes_of_most // (width * network.in_ch) - 2 * network.halo
        received = bytes_of_most // ((width - 2 * network.halo) * network.scale**2 * network.out_ch)
        return min(self._config.max_height - 2 * network.halo, sent, received), width - 2 * network.halo

    def infer(
        self, tiles: Iterable[np.ndarray], clock: Callable = lambda step: contextlib.nullcontext()
    ) -> Iterator[np.ndarray]:
        """Compute tiles; see `host.picture.backends.Backend.infer`. Results are views of a DMA buffer. Not for several
        threads at once.
        """
        self._caller = mine = object()
        if self._dirty:  # somebody stopped listening to an earlier call
            self._ready = False
        try:
            self._prepare()
            running, turn = None, 0
            for batch in self._batches(tiles):
                slot = self._slots[turn]
                turn = 1 - turn
                with clock("pack"):
                    self._tag = slot.pack(self._config, batch, self._tag)
                if running is not None:
                    with clock("compute"):
                        self._finish(running)
                self._start(slot)
                if running is not None:
                    yield from self._results(running, mine)
                running = slot
            if running is not None:
                with clock("compute"):
                    self._finish(running)
                yield from self._results(running, mine)
        except BaseException:  # also Ctrl-C, and a caller who stops listening
            if self._caller is mine:
                self._ready = False
            raise

    def _results(self, slot, mine):
        """Yield the results of a transfer, as long as nobody else has begun."""
        for result in slot.results():
            yield result
            if self._caller is not mine:
                raise UserError(
                    "another picture was begun on this board, or the driver closed, before this one was done; compute "
                    "one after the other"
                )

    def close(self) -> None:
        """Stop the DMA if it may be at work, free the buffers, leave the board to others; views of results end here."""
        self._ready = False
        try:
            if self._dirty:
                self._reset_dma()
        except UserError:  # there may be nobody to hear it, and an error before it
            _abandoned.extend(self._slots)
        else:
            for slot in self._slots:
                slot.free()
        self._slots, self._dirty, self._caller = (), False, None
        self._board.close()

    def _batches(self, tiles):
        """Group tiles so that the packets of each group fit one transfer."""
        batch, words = [], 0
        for tile in tiles:
            packets.check_tile(self._config, *tile.shape[:2])
            size = 2 + packets.tile_words(tile.shape[:2], self._config.network.in_ch)
            size = max(size, packets.answer_words(self._config, *tile.shape[:2]))  # of the larger of both transfers
            if size > self._most_words:
                raise UserError(
                    f"a tile of {tile.shape[1]}x{tile.shape[0]} pixels with halo takes {size * WORD} bytes, one DMA "
                    f"transfer at most "
                    f"{self._most_words * WORD}; choose a smaller --tile"
                )
            if batch and words + size > self._batch_words:
                yield batch
                batch, words = [], 0
            batch.append(tile)
            words += size
        if batch:
            yield batch

    def _prepare(self):
        """Make sure that the overlay is the right one and loaded; after a fault, from the bitstream on."""
        if self._ready:
            return
        if not self._slots:
            raise UserError("the driver is closed; open it again")
        if self._dirty:
            self._reset_dma()
            try:
                self._overlay.download()  # the kernel may be in the middle of a packet
                self._settle()
                self._start_channels()
            except Exception as error:
                raise UserError(
                    f"the overlay could not be loaded anew ({error!r}); power the board off and on"
                ) from error
        slot = self._slots[0]
        slot.put([packets.identify_packet(), self._load], answer_words=4 + 2)
        self._start(slot)
        self._finish(slot)
        commands = [answer.command for answer in slot.answers]
        if commands != ["identify", "load"]:
            raise UserError(f"the overlay answered identify and parameters with {', '.join(commands)}; {AGAIN}")
        self._ready = True

    def _start(self, slot):
        """Arm the receive, then send: the answer can't be lost."""
        self._dirty = True
        try:
            # The whole buffers, not slices: PYNQ 3.1 frees a buffer's memory with the last slice that anybody holds,
            # and a channel holds what it failed to transfer.
            self._recv.transfer(slot.rx, nbytes=(slot.answer_words + ERROR_WORDS) * WORD)
            self._send.transfer(slot.tx, nbytes=slot.words * WORD)
        except Exception as error:
            raise UserError(f"the DMA did not take a transfer ({error}); {self._state()}; {AGAIN}") from error
        cycles = slot.pixels * steady_cycles_per_pixel(self._config)
        computing_s = cycles / ((self._fclk0_mhz or self._config.clock_mhz) * 1e6)
        slot.expected_s = time.monotonic() + computing_s
        slot.deadline_s = slot.expected_s + 3 * computing_s + self._patience_s

    def _finish(self, slot):
        """Wait for both channels, no longer than the deadline, then check what came back."""
        for channel in (self._send, self._recv):
            try:
                late = False
                while not channel.idle:
                    failed = self._send.error or self._recv.error  # of one: the other would wait for ever
                    if failed or late:
                        what = "the DMA reported an error" if failed else "the DMA did not finish in time"
                        raise UserError(
                            f"{what} with {slot.words * WORD} bytes to send and {slot.answer_words * WORD} to receive; "
                            f"{self._state()}; {AGAIN}"
                        )
                    now = time.monotonic()
                    late = (
                        now > slot.deadline_s
                    )  # one more look: this process, not the DMA, may have been stopped for long
                    if not late:  # seldom looks while the end is far off, so that they don't slow other threads down
                        time.sleep(min(max(abs(slot.expected_s - now) / 8, _POLL_S[0]), _POLL_S[1]))
                channel.wait()  # returns at once; raises on errors, and makes the cache forget what the buffer held
            except UserError:
                raise
            except Exception as error:
                raise UserError(f"the DMA failed ({error}); {self._state()}; {AGAIN}") from error
        slot.parse(int(self._recv.transferred), self._config.config_id)
        self._dirty = False

    def _state(self):
        """Both channels in words, and what that hints at, for errors."""
        states, words = {}, []
        for name, channel in (("send", self._send), ("receive", self._recv)):
            try:
                status = int(self._dma.read(_STATUS[name]))
                bits = [text for bit, text in _STATUS_BITS.items() if status >> bit & 1]
                states[name] = ", ".join(bits) or (
                    "stopped" if not channel.running else "idle" if channel.idle else "busy"
                )
                words.append(f"{name} channel {states[name]} (status {status:#010x})")
            except Exception as error:
                words.append(f"{name} channel unreadable ({error})")
        hint = _HINTS.get((states.get("send"), states.get("receive")))
        return ", ".join(words) + (f": {hint}" if hint else "")

    def _reset_dma(self):
        """Make the DMA leave the memory alone, whatever it is doing (a stuck channel's `stop` would wait for ever)."""
        try:
            self._dma.write(_CONTROL["send"], _RESET)
            self._await("the reset bit stays set", lambda: not self._dma.read(_CONTROL["send"]) & _RESET)
        except Exception as error:
            raise UserError(f"the DMA cannot be reset ({error}); power the board off and on") from error

    def _start_channels(self):
        """Let both channels run again. PYNQ's `start` waits for that without end: it gets channels that do already."""
        for name, channel in (("send", self._send), ("receive", self._recv)):
            self._dma.write(_CONTROL[name], _RUN)
            self._await(f"the {name} channel does not start", lambda channel=channel: channel.running)
            channel.start()

    @staticmethod
    def _await(otherwise, reached):
        """Wait until `reached()`, a second at most."""
        deadline_s = time.monotonic() + _RESET_S
        while not reached():
            if time.monotonic() > deadline_s:
                raise TimeoutError(otherwise)
