"""The packets of `srcnn_top` as 64-bit words (docs/architecture.md, "Packets"): made and parsed here only."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from model.base.errors import UserError

if TYPE_CHECKING:
    from hls.design.config import Config

MAGIC = 0x5253
COMMANDS = {"identify": 1, "load": 2, "tile": 3}
ANSWER = 0x80  # set in the command of an answer
ERROR_ANSWER = 0xFF
_HEADER_BYTES = 16
# Errors an answer can report, with what the host tells the user.
ERRORS = {
    "bad_magic": 1,
    "unknown_command": 2,
    "wrong_config": 3,
    "bad_length": 4,
    "too_small": 5,
    "too_large": 6,
    "not_loaded": 7,
    "truncated": 8,
    "bad_keep": 9,
}
ERROR_TEXT = {
    1: "a packet does not start with the magic number; the transfer is out of step, send whole packets",
    2: "a packet has an unknown command; host and overlay are of different versions",
    3: "the packet is for another configuration than the overlay's; load the overlay that belongs to this network",
    4: "a load packet has the wrong number of parameter words; quantise and pack for this network again",
    5: "a tile is smaller than the network's window; use larger tiles",
    6: "a tile is larger than the overlay takes; use smaller tiles",
    7: "a tile came before the parameters; send a load packet first",
    8: "the transfer ended in the middle of a packet; send whole packets",
    9: "a beat of the transfer was not full; pad transfers to 8 bytes",
}


@dataclasses.dataclass(frozen=True)
class Answer:
    """One answer of the overlay.

    Attributes
    ----------
    command : str
        "identify", "load", "tile" or "error".
    status : int
        0, or a code of `ERRORS`.
    config_id, tag : int
    pixels : ndarray of uint8 (H, W) or None
        Of a tile.
    info : tuple of int or None
        Of identify: (largest tile width and height with halo, parameter words).
    """

    command: str
    status: int
    config_id: int
    tag: int
    pixels: np.ndarray = None
    info: tuple = None


def _header_words(config_id, command, low, tag):
    return MAGIC | command << 16 | int(config_id) << 32, low | int(tag) << 32


def header(config_id: int, command: str, low: int, tag: int) -> np.ndarray:
    """Return the two words that every packet begins with."""
    return np.array(_header_words(config_id, command, low, tag), np.uint64)


def identify_packet(config_id: int = 0, tag: int = 0) -> np.ndarray:
    """Return the two words that ask for the config id; the overlay does not check theirs."""
    return header(config_id, COMMANDS["identify"], 0, tag)


def tile_words(shape: tuple[int, int], channels: int = 1) -> int:
    """Return how many 64-bit words hold a tile's pixels, of `channels` bytes each."""
    return -(-shape[0] * shape[1] * channels // 8)


def tile_packet(config: Config, tile: np.ndarray, tag: int = 0, out: np.ndarray | None = None) -> np.ndarray:
    """Return the words of a tile.

    Parameters
    ----------
    config : hls.design.config.Config
    tile : ndarray of uint8, shape (H, W), or (H, W, C) if the network takes C > 1 channels
        Halo included.
    tag : int
        32 bits, echoed in the answer.
    out : ndarray of uint64, optional
        Where to write them, e.g. a view of a DMA buffer; at least 2 + tile_words((H, W), C) words.

    Raises
    ------
    UserError
        If the tile does not fit the line buffers or gives no output pixel.
    """
    height, width = tile.shape[:2]
    check_tile(config, height, width)
    count = tile_words((height, width), config.network.in_ch)
    words = np.empty(2 + count, np.uint64) if out is None else out[: 2 + count]
    words[0], words[1] = _header_words(config.config_id, COMMANDS["tile"], width | height << 16, tag)
    words[-1] = 0
    words.view(np.uint8)[_HEADER_BYTES : _HEADER_BYTES + tile.size].reshape(tile.shape)[...] = tile
    return words


def check_tile(config: Config, height: int, width: int) -> None:
    """Raise `UserError` unless a tile of this size, halo included, fits the hardware."""
    least = 2 * config.network.halo + 1
    if min(height, width) < least:
        raise UserError(
            f"a tile of {width}x{height} pixels with halo is too small; {config.network.name} needs at least "
            f"{least}x{least}"
        )
    if width > config.max_width:
        raise UserError(
            f"a tile {width} pixels wide with halo is wider than the line buffers ({config.max_width}); use narrower "
            f"tiles"
        )
    if height > config.max_height:
        raise UserError(
            f"a tile {height} pixels high with halo is over the limit of {config.max_height}; use lower tiles"
        )


def answer_words(config: Config, height: int, width: int) -> int:
    """Return how many words the answer to a tile of this size (halo included) has."""
    return 2 + tile_words(answer_shape(config, height, width)[:2], config.network.out_ch)


def answer_shape(config: Config, height: int, width: int) -> tuple[int, ...]:
    """Return the shape of the answer's pixels to a tile of this size (halo included): (H, W), or (H, W, C)."""
    network = config.network
    sides = tuple((side - 2 * network.halo) * network.scale for side in (height, width))
    return sides if network.out_ch == 1 else (*sides, network.out_ch)


def parse_answers(words: np.ndarray, channels: int = 1) -> list[Answer]:
    """Parse all answers of one transfer.

    Parameters
    ----------
    words : ndarray of uint64
    channels : int
        Of the network's output: bytes of a position.

    Returns
    -------
    list of Answer
        `pixels` are views into `words`, uint8 (H, W), or (H, W, channels) if there are several.

    Raises
    ------
    UserError
        If the words are no sequence of whole answers.
    """
    words = np.ascontiguousarray(words, np.uint64)
    names = {code | ANSWER: name for name, code in COMMANDS.items()} | {ERROR_ANSWER: "error"}
    answers, at = [], 0
    while at < len(words):
        head = [int(w) for w in words[at : at + 2]]
        if len(head) < 2 or head[0] & 0xFFFF != MAGIC or (head[0] >> 16) & 0xFF not in names:
            raise UserError(
                f"word {at} of the {len(words)} words received is no answer header: the overlay is out of step; run "
                f"again, it will be loaded anew"
            )
        command = names[(head[0] >> 16) & 0xFF]
        status, config_id, tag = (head[0] >> 24) & 0xFF, head[0] >> 32, head[1] >> 32
        pixels = info = None
        at += 2
        if command == "tile":
            width, height = head[1] & 0xFFFF, (head[1] >> 16) & 0xFFFF
            count, shape = (
                tile_words((height, width), channels),
                (height, width) if channels == 1 else (height, width, channels),
            )
            if at + count > len(words):
                raise UserError(
                    f"a tile answer of {count} words was cut short after {len(words) - at}; run again, the overlay "
                    f"will be loaded anew"
                )
            pixels = words[at : at + count].view(np.uint8)[: height * width * channels].reshape(shape)
            at += count
        elif command == "identify":
            if at + 2 > len(words):
                raise UserError(
                    f"an identify answer was cut short after {len(words)} words; run again, the overlay will be "
                    f"loaded anew"
                )
            size, params = (int(w) for w in words[at : at + 2])
            info = (size & 0xFFFF, size >> 16, params)
            at += 2
        answers.append(Answer(command, status, config_id, tag, pixels, info))
    return answers
