"""The overlay on a PYNQ board: `srcnn_top` behind an AXI DMA, driven through PYNQ's public API.

One transfer carries many packets (docs/architecture.md, "Packets"). Two pairs of buffers take turns: while the
hardware works on one transfer, the next is packed and the last is handed on.

    host       pack 0 | start 0, pack 1 | start 1, hand on 0, pack 2 | start 2, hand on 1, ...
    hardware          | transfer 0      | transfer 1                 | transfer 2
"""

import contextlib
import importlib
import time

import numpy as np

from hls.config import load_config
from host import packets
from host.overlay import read_manifest
from model.errors import UserError

BATCH_BYTES = 8 << 20   # of queued packets per transfer; PYNQ-Z2 has 128 MiB of contiguous memory in all
PATIENCE_S = 5.0        # of waiting beyond the computing time
_WORD = 8               # bytes
_DMACR, _RESET = 0x00, 0x4   # AXI DMA's control register; its reset bit resets both channels
_RESET_S = 1.0
_POLL_S = 1e-4
_AGAIN = "run again, the overlay will be loaded anew, and if it stays so power the board off and on"


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

    def __init__(self, folder, model, *, pynq=None, batch_bytes=BATCH_BYTES, patience_s=PATIENCE_S):
        manifest = read_manifest(folder)
        self._config = load_config(manifest["network"], manifest["board"])
        self._load = packets.load_packet(self._config, model)
        self._patience_s = patience_s
        try:
            pynq = pynq or importlib.import_module("pynq")
            self._overlay = pynq.Overlay(str(manifest["bit"]))
            self._dma = getattr(self._overlay, manifest["dma"])
            self._send, self._recv = self._dma.sendchannel, self._dma.recvchannel
            self._most_words = int(self._dma.buffer_max_size) // _WORD
        except Exception as error:  # PYNQ raises many kinds: no root, no FPGA manager, no such IP, ...
            raise UserError(f"the overlay {manifest['bit']} cannot be loaded ({error!r}); run as root on the board, with its PYNQ image") from error
        if self.largest_tile[0] < 1:
            raise UserError(f"the DMA of {manifest['bit']} transfers {self._dma.buffer_max_size} bytes at most, too few for a tile; "
                            "build the overlay with the widest length register (26 bits)")
        self._batch_words = min(batch_bytes // _WORD, self._most_words)
        self._slots = (_Slot(pynq.allocate), _Slot(pynq.allocate))
        self._tag = 0
        self._ready = False   # the overlay is identified and holds the parameters
        self._dirty = False   # a transfer may be under way, or the hardware out of step
        try:
            self._prepare()
        except BaseException:
            self.close()
            raise

    @property
    def largest_tile(self):
        """Most rows and columns of output pixels: what the overlay takes and the DMA's length register holds."""
        halo, width = self._config.network.halo, self._config.max_width
        rows = min(self._config.max_height, (self._most_words - 2) * _WORD // width)
        return rows - 2 * halo, width - 2 * halo

    def infer(self, tiles, clock=lambda step: contextlib.nullcontext()):
        """Compute tiles; see `host.backends.Backend.infer`. Results are views of a DMA buffer."""
        self._prepare()
        running, turn = None, 0
        try:
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
                    yield from running.results()
                running = slot
            if running is not None:
                with clock("compute"):
                    self._finish(running)
                yield from running.results()
        except BaseException:  # also Ctrl-C, and a caller who stops listening
            self._ready = False
            raise

    def close(self):
        """Stop the DMA if it may be at work, then free the buffers; views of results end here."""
        self._ready = False
        if self._dirty:
            with contextlib.suppress(UserError):  # there may be nobody to hear it, and an error before it
                self._reset_dma()
        for slot in self._slots:
            slot.free()

    def _batches(self, tiles):
        """Group tiles so that the packets of each group fit one transfer."""
        batch, words = [], 0
        for tile in tiles:
            packets.check_tile(self._config, *tile.shape)
            size = 2 + packets.tile_words(tile.shape)
            if size > self._most_words:
                raise UserError(f"a tile of {tile.shape[1]}x{tile.shape[0]} pixels with halo takes {size * _WORD} bytes, one DMA transfer at most "
                                f"{self._most_words * _WORD}; choose a smaller --tile")
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
        if self._dirty:
            self._reset_dma()
            try:
                self._overlay.download()  # the kernel may be in the middle of a packet
                self._send.start()
                self._recv.start()
            except Exception as error:
                raise UserError(f"the overlay could not be loaded anew ({error!r}); power the board off and on") from error
        slot = self._slots[0]
        slot.put([packets.identify_packet(), self._load], answer_words=4 + 2)
        self._start(slot)
        self._finish(slot)
        commands = [answer.command for answer in slot.answers]
        if commands != ["identify", "load"]:
            raise UserError(f"the overlay answered identify and parameters with {', '.join(commands)}; {_AGAIN}")
        self._ready = True

    def _start(self, slot):
        """Arm the receive, then send: the answer can't be lost."""
        self._dirty = True
        try:
            self._recv.transfer(slot.rx[:slot.answer_words])
            self._send.transfer(slot.tx[:slot.words])
        except Exception as error:
            raise UserError(f"the DMA did not take a transfer ({error}); {self._state()}; {_AGAIN}") from error
        cycles = slot.pixels * max(stage.fold for stage in self._config.stages)
        slot.deadline_s = time.monotonic() + self._patience_s + 4 * cycles / (self._config.clock_mhz * 1e6)

    def _finish(self, slot):
        """Wait for both channels, no longer than the deadline, then check what came back."""
        for channel in (self._send, self._recv):
            try:
                while not channel.idle:
                    failed = self._send.error or self._recv.error  # either stops both
                    if failed or time.monotonic() > slot.deadline_s:
                        what = "reported an error" if failed else "did not finish in time"
                        raise UserError(f"the DMA {what} with {slot.words * _WORD} bytes to send and {slot.answer_words * _WORD} to receive; "
                                        f"{self._state()}; {_AGAIN}")
                    time.sleep(_POLL_S)
                channel.wait()  # returns at once; raises on errors, and makes the cache forget what the buffer held
            except UserError:
                raise
            except Exception as error:
                raise UserError(f"the DMA failed ({error}); {self._state()}; {_AGAIN}") from error
        slot.parse(int(self._recv.transferred), self._config.config_id)
        self._dirty = False

    def _state(self):
        """Both channels in words, for errors."""
        words = []
        for name, channel in (("send", self._send), ("receive", self._recv)):
            try:
                state = "error" if channel.error else "stopped" if not channel.running else "idle" if channel.idle else "busy"
            except Exception as error:
                state = f"unreadable ({error})"
            words.append(f"{name} channel {state}")
        return ", ".join(words)

    def _reset_dma(self):
        """Make the DMA leave the memory alone, whatever it is doing (a stuck channel's `stop` would wait for ever)."""
        try:
            self._dma.write(_DMACR, _RESET)
            deadline_s = time.monotonic() + _RESET_S
            while self._dma.read(_DMACR) & _RESET:
                if time.monotonic() > deadline_s:
                    raise TimeoutError("the reset bit stays set")
        except Exception as error:
            raise UserError(f"the DMA cannot be reset ({error}); power the board off and on") from error


class _Slot:
    """A pair of DMA buffers, and the transfer that lies in them."""

    def __init__(self, allocate):
        self._allocate = allocate
        self.tx = self.rx = None
        self.words = self.answer_words = self.pixels = 0
        self.deadline_s = 0.0
        self.answers = []
        self._expected = []   # (tag, shape) of each tile

    def pack(self, config, batch, tag):
        """Write the packets of a batch of tiles; return the next unused tag."""
        self._reserve(sum(2 + packets.tile_words(tile.shape) for tile in batch),
                      sum(packets.answer_words(config, *tile.shape) for tile in batch))
        halo, at, self._expected = config.network.halo, 0, []
        for tile in batch:
            at += len(packets.tile_packet(config, tile, tag, out=self.tx[at:]))
            self._expected.append((tag, (tile.shape[0] - 2 * halo, tile.shape[1] - 2 * halo)))
            tag = (tag + 1) % 2**32
        self.pixels = sum(tile.size for tile in batch)
        return tag

    def put(self, words, answer_words):
        """Write ready-made packets."""
        words = np.concatenate(words)
        self._reserve(len(words), answer_words)
        self.tx[:len(words)] = words
        self._expected, self.pixels = [], len(words)

    def parse(self, received, config_id):
        """Parse an answer of `received` bytes and compare it with what was asked of the overlay with this config id."""
        whole = min(received // _WORD, len(self.rx))
        self.answers = packets.parse_answers(np.asarray(self.rx[:whole]))
        for answer in self.answers:
            if answer.config_id != config_id:  # before errors: it explains them
                raise UserError(f"the board runs an overlay with config id {answer.config_id:#010x}, its manifest says {config_id:#010x}; "
                                "build or copy the overlay for this board again")
            if answer.command == "error":
                text = packets.ERROR_TEXT.get(answer.status, f"code {answer.status} is unknown to this host; {_AGAIN}")
                raise UserError(f"the overlay reported an error: {text}")
        if received != self.answer_words * _WORD:
            raise UserError(f"the overlay answered {received} bytes where {self.answer_words * _WORD} were expected; {_AGAIN}")
        for answer, (tag, shape) in zip(self.answers, self._expected):
            if answer.command != "tile" or answer.tag != tag or answer.pixels.shape != shape:
                raise UserError(f"the overlay's answers are out of step (expected tile {tag} of {shape[1]}x{shape[0]} pixels, "
                                f"got {answer.command} {answer.tag}); {_AGAIN}")

    def results(self):
        """Yield the tiles' outputs: views of the receive buffer."""
        for answer in self.answers:
            yield answer.pixels

    def free(self):
        """Give the buffers back; PYNQ unmaps them at once."""
        self.answers = []
        for buffer in (self.tx, self.rx):
            if buffer is not None:
                buffer.freebuffer()
        self.tx = self.rx = None

    def _reserve(self, words, answer_words):
        """Have buffers of at least this size; they stay for the next transfers."""
        self.words, self.answer_words = words, answer_words
        if self.tx is not None and len(self.tx) >= words and len(self.rx) >= answer_words:
            return
        sizes = [max(n, 0 if old is None else len(old)) for n, old in ((words, self.tx), (answer_words, self.rx))]
        self.free()
        try:
            self.tx = self._allocate(shape=(sizes[0],), dtype=np.uint64, cacheable=1)
            self.rx = self._allocate(shape=(sizes[1],), dtype=np.uint64, cacheable=1)
            self.rx.flush()  # no dirty line may be written back over what the DMA will write
        except Exception as error:
            self.free()
            raise UserError(f"there is no contiguous memory for buffers of {sum(sizes) * _WORD} bytes ({error}); choose a smaller --tile, "
                            "or close other notebooks and programs that use the board") from error
