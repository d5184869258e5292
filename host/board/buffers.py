"""DMA buffers of one transfer: the packets that go to the overlay, and the answers that come back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from hls.packets import packets
from model.base.errors import UserError

if TYPE_CHECKING:
    from hls.design.config import Config

WORD = 8  # bytes
# PYNQ 3.1 can place buffers of less than 4 KiB above 4 GiB, where not every DMA reaches (XRT 2.17).
LEAST_BYTES = 8192
ERROR_WORDS = 2  # an error answer comes on top of what is expected: room for it, or the DMA would fail and hide it
AGAIN = "run again, the overlay will be loaded anew, and if it stays so power the board off and on"


class Slot:
    """A pair of buffers, and the transfer that lies in them.

    The host writes `tx` and reads `rx`, never the other way round, and both are cached: the processor reads uncached
    memory word by word, without bursts. So the cache needs care in three places. `tx` is flushed when it is sent, by
    PYNQ's `transfer`. `rx` is flushed once, when it is new: no line that the kernel's zeroes left dirty may be written
    back over what the DMA will write. And `rx` is invalidated after each transfer, by PYNQ's `wait`: the processor may
    have prefetched lines of it meanwhile.

    Parameters
    ----------
    allocate : callable
        `pynq.allocate`.
    address_bits : int
        Of the DMA: it reaches addresses below 2 ** address_bits.

    Attributes
    ----------
    words, answer_words, pixels : int
        Of the transfer: 64-bit words to send and to receive, positions to compute.
    expected_s, deadline_s : float
        When the transfer will end by its computing time, and when the driver's patience ends.
    answers : list of hls.packets.packets.Answer
        Of the last transfer that ended well; pixels are views of `rx`.
    """

    def __init__(self, allocate: Callable, address_bits: int) -> None:
        self._allocate, self._address_bits = allocate, address_bits
        self.tx = self.rx = None
        self.words = self.answer_words = self.pixels = 0
        self.expected_s = self.deadline_s = 0.0
        self.answers = []
        self._expected = []  # (tag, shape) of each tile
        self._channels = 1  # bytes of a pixel of an answer

    def pack(self, config: Config, batch: list[np.ndarray], tag: int) -> int:
        """Write the packets of a batch of tiles; return the next unused tag."""
        self._reserve(
            sum(2 + packets.tile_words(tile.shape[:2], config.network.in_ch) for tile in batch),
            sum(packets.answer_words(config, *tile.shape[:2]) for tile in batch),
        )
        at, self._expected, self._channels = 0, [], config.network.out_ch
        words = np.asarray(self.tx)  # a plain array: see `Driver._start`
        for tile in batch:
            at += len(packets.tile_packet(config, tile, tag, out=words[at:]))
            self._expected.append((tag, packets.answer_shape(config, *tile.shape[:2])))
            tag = (tag + 1) % 2**32
        self.pixels = sum(tile.shape[0] * tile.shape[1] for tile in batch)
        return tag

    def put(self, words: list[np.ndarray], answer_words: int) -> None:
        """Write ready-made packets."""
        words = np.concatenate(words)
        self._reserve(len(words), answer_words)
        self.tx[: len(words)] = words
        self._expected, self.pixels = [], len(words)

    def parse(self, received: int, config_id: int) -> None:
        """Parse an answer of `received` bytes and compare it with what was asked of the overlay with this config id."""
        self.answers = packets.parse_answers(np.asarray(self.rx)[: received // WORD], self._channels)
        for answer in self.answers:
            if answer.config_id != config_id:  # before errors: it explains them
                raise UserError(
                    f"the board runs an overlay with config id {answer.config_id:#010x}, its manifest says "
                    f"{config_id:#010x}; "
                    "build or copy the overlay for this board again"
                )
            if answer.command == "error":
                text = packets.ERROR_TEXT.get(answer.status, f"code {answer.status} is unknown to this host; {AGAIN}")
                raise UserError(f"the overlay reported an error: {text}")
        if received != self.answer_words * WORD:
            raise UserError(
                f"the overlay answered {received} bytes where {self.answer_words * WORD} were expected; {AGAIN}"
            )
        for answer, (tag, shape) in zip(self.answers, self._expected):
            if answer.command != "tile" or answer.tag != tag or answer.pixels.shape != shape:
                raise UserError(
                    f"the overlay's answers are out of step (expected tile {tag} of {shape[1]}x{shape[0]} pixels, "
                    f"got {answer.command} {answer.tag}); {AGAIN}"
                )

    def results(self) -> Iterator[np.ndarray]:
        """Yield the tiles' outputs: views of the receive buffer."""
        for answer in self.answers:
            yield answer.pixels

    def free(self) -> None:
        """Give the buffers back; PYNQ unmaps them at once."""
        self.answers = []
        for buffer in (self.tx, self.rx):
            if buffer is not None:
                buffer.freebuffer()
        self.tx = self.rx = None

    def _reserve(self, words, answer_words):
        """Have buffers of at least this size; they stay for the next transfers."""
        self.words, self.answer_words = words, answer_words
        room = answer_words + ERROR_WORDS
        if self.tx is not None and len(self.tx) >= words and len(self.rx) >= room:
            return
        sizes = [
            max(n, LEAST_BYTES // WORD, 0 if old is None else len(old))
            for n, old in ((words, self.tx), (room, self.rx))
        ]
        self.free()
        try:
            self.tx = self._allocate(shape=(sizes[0],), dtype=np.uint64, cacheable=1)
            self.rx = self._allocate(shape=(sizes[1],), dtype=np.uint64, cacheable=1)
            self.rx.flush()
        except AttributeError as error:
            self.free()
            raise UserError(
                f"PYNQ cannot make buffers ({error}) with numpy {np.__version__}; it needs numpy below 2: pip install "
                f"'numpy<2'"
            ) from error
        except Exception as error:
            self.free()
            raise UserError(
                f"there is no contiguous memory for buffers of {sum(sizes) * WORD} bytes ({error}); choose a smaller "
                f"--tile, "
                "or close other notebooks and programs that use the board"
            ) from error
        for buffer in (self.tx, self.rx):
            last = buffer.physical_address + buffer.nbytes - 1
            if last >> self._address_bits:  # the DMA would drop the upper bits and write over somebody else's memory
                self.free()
                raise UserError(
                    f"a buffer ends at address {last:#x}, the DMA reaches {self._address_bits} bits; build the "
                    f"overlay with a wider address"
                )
