"""What goes into a kernel's streams and what has to come out, as integers, from the golden model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from hls.csim.vectors import PacketModel, process_vectors
from hls.design.kinds.add import AddProcess, ForkProcess
from hls.packets.packets import COMMANDS, ERRORS, identify_packet, tile_packet
from hls.packets.parameters import load_packet
from model.integer import golden
from model.integer.examples import random_input, random_model

if TYPE_CHECKING:
    from hls.design.config import Config
    from hls.design.dataflow import Joined

FULL_BEAT = 0xFF << 64  # TKEEP of a beat as it lies in a stream: data, keep, last from bit 0
LAST = 1 << 72
END = 1 << 64  # the last word of a message
KINDS = {"tile": 0, "tile_end": 1, "load": 2, "identify": 3, "error": 4}  # answer_command.hpp


def pack(values: np.ndarray, per_word: int, bits: int) -> list[int]:
    """Pack integers into words of `per_word` values of `bits` bits each, the first in the lowest bits."""
    mask = (1 << bits) - 1
    values = [int(v) & mask for v in np.asarray(values).ravel()]
    return [
        sum(v << bits * i for i, v in enumerate(values[at : at + per_word])) for at in range(0, len(values), per_word)
    ]


def tile_message(width: int, height: int) -> int:
    """Return the command that announces a tile (stage_command.hpp)."""
    return 1 | width - 1 << 16 | height - 1 << 32 | END


def load_message(params: Sequence[int] | np.ndarray) -> list[int]:
    """Return the words that load parameters: a command, then the parameters."""
    return [0, *(int(word) & (1 << 64) - 1 for word in params[:-1]), int(params[-1]) & (1 << 64) - 1 | END]


def answer(kind: str, last: int = 0, error: int = 0, tag: int = 0) -> int:
    """Return an answer command (answer_command.hpp)."""
    return KINDS[kind] | last << 3 | error << 4 | tag << 12


def beats(words: Sequence[int] | np.ndarray) -> list[int]:
    """Return a transfer as stream words: full beats, TLAST on the last."""
    return [int(w) | FULL_BEAT | (LAST if i + 1 == len(words) else 0) for i, w in enumerate(words)]


def inner_words(config: Config, joined: Joined, rng: np.random.Generator, extreme: bool) -> dict[str, list[int]]:
    """Streams of a process between parser and packer that takes commands."""
    process = joined.process
    arrays = process_vectors(config, joined, random_model(config.network, rng, extreme), rng)
    others = [int(word) for word in rng.integers(0, 1 << 63, 5)]  # parameters of stages behind it
    words = {
        "ctrl": load_message([*arrays.get(f"{process.name}_params", []), *others]),
        "next": load_message(others),
        "in": [],
        "out": [],
    }
    streams = [("in", "input", process.in_word), ("out", "expected", process.out_word)]
    if isinstance(process, AddProcess):
        words["skip"] = []
        streams.append(("skip", "skip", process.skip_word))
    tile = 0
    while f"{process.name}_input{tile}" in arrays:
        given = arrays[f"{process.name}_input{tile}"]
        words["ctrl"].append(tile_message(given.shape[1], given.shape[0]))
        words["next"].append(tile_message(*(int(side) for side in arrays[f"{process.name}_next{tile}"])))
        for stream, what, word in streams:
            words[stream] += pack(arrays[f"{process.name}_{what}{tile}"], word.values, word.bits)
        tile += 1
    return words


def fork_words(process: ForkProcess, rng: np.random.Generator) -> dict[str, list[int]]:
    """Streams of a fork: any words, twice."""
    words = [int(word) for word in rng.integers(0, 1 << min(process.word.values * process.word.bits, 63), 300)]
    return {"in": words, "first": words, "second": words}


def parser_words(config: Config, rng: np.random.Generator) -> dict[str, list[int]]:
    """Streams of the parser: load, two tiles and identify in one transfer, then a tile with a wrong config id."""
    model = random_model(config.network, rng)
    halo = config.network.halo
    tiles = [
        random_input(config.network, rng, 2 * halo + height, 2 * halo + width) for height, width in ((2, 5), (1, 1))
    ]
    wrong = tile_packet(config, tiles[0], 9)
    wrong[0] ^= np.uint64(1 << 40)
    transfer = np.concatenate(
        [
            load_packet(config, model, 1),
            *(tile_packet(config, t, i + 2) for i, t in enumerate(tiles)),
            identify_packet(0, 4),
        ]
    )
    expected = {
        "in": beats(transfer) + beats(wrong),
        "pixel_out": [word for t in tiles for word in pack(t, config.network.in_ch, 8)],
        "answers": [answer("load", tag=1)],
    }
    for i in range(len(tiles)):
        expected["answers"] += [answer("tile", tag=i + 2), answer("tile_end", tag=i + 2)]
    expected["answers"] += [answer("identify", last=1, tag=4), answer("error", last=1, error=ERRORS["wrong_config"])]
    expected["ctrl"] = load_message(load_packet(config, model)[2:]) + [
        tile_message(t.shape[1], t.shape[0]) for t in tiles
    ]
    return expected


def packer_words(config: Config, rng: np.random.Generator) -> dict[str, list[int]]:
    """Streams of the packer: every kind of answer, a tile that ended well and one that did not."""
    halo, scale, top = config.network.halo, config.network.scale, PacketModel(config)
    model = random_model(config.network, rng)
    given = {"answers": [answer("load", tag=1), answer("identify", last=1, tag=2)], "ctrl": [], "in": [], "out": []}
    identity = [*top.header("identify", 0, 2), config.max_width | config.max_height << 16, config.param_beats]
    given["out"] += beats([*top.header("load", 0, 1), *identity])
    for tag, (height, width) in enumerate([(1, 1), (3, 7), (2, 8), (5, 5)], 3):
        tile = random_input(config.network, rng, height + 2 * halo, width + 2 * halo)
        error = tag == 5
        given["ctrl"].append(tile_message(width * scale, height * scale))
        given["answers"] += [
            answer("tile", tag=tag),
            answer("tile_end", last=1, error=ERRORS["truncated"] if error else 0, tag=tag),
        ]
        given["in"] += pack(golden.infer_valid(model, tile), config.processes[-1].word, 8)  # rows of whole words
        given["out"] += beats([*top.tile_answer(model, tile, tag), *(top.error("truncated", tag) if error else [])])
    given["answers"].append(answer("error", last=1, error=ERRORS["bad_magic"]))
    given["out"] += beats(top.error("bad_magic"))
    return given


def kernel_words(config: Config, kernel: str, seed: int, extreme: bool = False) -> dict[str, list[int]]:
    """Return {stream: words} of a kernel of the top by its process name: inputs and expected outputs."""
    rng = np.random.default_rng(seed)
    if kernel == "parser":
        return parser_words(config, rng)
    if kernel == "packer":
        return packer_words(config, rng)
    joined = next(joined for joined in config.dataflow.joined if joined.process.name == kernel)
    if isinstance(joined.process, ForkProcess):
        return fork_words(joined.process, rng)
    return inner_words(config, joined, rng, extreme)


assert set(COMMANDS) <= set(KINDS)
