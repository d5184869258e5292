"""Test vectors of the csim testbench, from the golden model and a software model of the packets."""

from __future__ import annotations

import pathlib
from typing import TYPE_CHECKING

import numpy as np

from hls.design.kinds.add import AddProcess
from hls.design.kinds.shuffle import ShuffleProcess
from hls.packets.packets import ANSWER, COMMANDS, ERROR_ANSWER, ERRORS, MAGIC, identify_packet, tile_packet
from hls.packets.parameters import load_packet
from model.base.paths import atomic_write, make_folder
from model.graph.formats import MAX_SHIFT
from model.graph.weights import QuantLayer, QuantModel
from model.integer import golden
from model.integer.examples import random_input, random_model

if TYPE_CHECKING:
    from hls.design.config import Config
    from hls.design.dataflow import Joined
    from hls.design.stage import Stage


def requantise_vectors(rng: np.random.Generator, acc_bits: int) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Return accumulators, shifts and expected values: all shifts, the rounding edges, the extremes."""
    shift = np.repeat(np.arange(MAX_SHIFT + 1), 400)
    limit = 2 ** (acc_bits - 1)
    half = (1 << shift) >> 1
    acc = rng.integers(-limit, limit - half.max(), shift.size)
    near = (rng.integers(-2, 259, shift.size) << shift) + rng.choice([-1, 0, 1], shift.size) - half
    acc = np.where(rng.random(shift.size) < 0.5, near, acc)
    acc = np.clip(acc, -limit, limit - 1 - half)
    return acc, shift, [golden.requantise(a, s) for a, s in zip(acc, shift)]


def process_vectors(
    config: Config, joined: Joined, model: QuantModel, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Return the arrays of one process between parser and packer, by the names the testbench knows.

    Parameters, and per tile (odd sizes back to back, one that gives a single position) input, expected output, the
    size that the next process is told as (width, height), and of an addition the earlier tensor.
    """
    process, name = joined.process, joined.process.name
    if isinstance(process, AddProcess):
        arrays = {}
        for tile, shape in enumerate([(3, 6), (5, 3), (1, 1), (4, 2)]):
            arrays |= _addition_vectors(process, rng, tile, shape)
    elif isinstance(process, ShuffleProcess):
        arrays = {}
        for tile, shape in enumerate([(3, 6), (5, 3), (1, 1), (2, 2), (1, 5), (4, 1)]):
            x = _activations(rng, (*shape, process.position))
            arrays |= {f"{name}_input{tile}": x, f"{name}_expected{tile}": golden.depth_to_space(x, process.factor)}
    else:
        k, layer = process.stage.layer.k, model.layers[config.stages.index(process.stage)]
        arrays = stage_vectors(rng, process.stage, layer, [(k + 3, k + 6), (k + 5, k), (k, k), (k + 4, k + 1)])
    tile = 0
    while (given := arrays.get(f"{name}_input{tile}")) is not None:
        sides = [side * joined.onward.scale - joined.onward.shrink for side in given.shape[:2]]
        arrays[f"{name}_next{tile}"] = np.array([sides[1], sides[0]])
        tile += 1
    return arrays


def _activations(rng, shape):
    """Random activations, half of the rows extremes."""
    x = rng.integers(0, 256, shape).astype(np.uint8)
    x[: shape[0] // 2] = rng.choice([0, 255], (shape[0] // 2, *shape[1:]))
    return x


def _addition_vectors(process, rng, tile, shape):
    residual = rng.integers(-256, 256, (*shape, process.channels)).astype(np.int16)
    residual[: shape[0] // 2] = rng.choice([-256, -1, 0, 255], (shape[0] // 2, shape[1], process.channels))
    edge = 2 * process.crop
    earlier = _activations(rng, (shape[0] + edge, shape[1] + edge, process.earlier))
    return {
        f"{process.name}_input{tile}": residual,
        f"{process.name}_skip{tile}": earlier,
        f"{process.name}_expected{tile}": golden.add(residual, earlier),
    }


def stage_vectors(
    rng: np.random.Generator, stage: Stage, layer: QuantLayer, tile_shapes: list[tuple[int, int]]
) -> dict[str, np.ndarray]:
    """Return the arrays of a convolution's processes: parameters, and per tile input and expected output."""
    arrays = {f"{process.name}_params": process.param_words(layer).view(np.int64) for process in stage.processes}
    name = stage.layer.name
    for tile, (height, width) in enumerate(tile_shapes):
        x = _activations(rng, (height, width, stage.layer.in_ch))
        expected = golden.layer_output(layer, x, stage.layer.signed)
        arrays[f"{name}_input{tile}"] = x
        if stage.scatter:
            # every product plane is a 1x1 layer of its own: (o, kh, kw) as output channels
            planes = layer.weight.reshape(stage.mac_out_ch, 1, 1, stage.layer.in_ch)
            none = np.zeros(stage.mac_out_ch)
            arrays[f"{name}_expected{tile}"] = golden.accumulate(
                QuantLayer(planes, none.astype(np.int32), none.astype(np.uint8)), x
            )
            arrays[f"{name}_sum_input{tile}"] = arrays[f"{name}_expected{tile}"]
            arrays[f"{name}_sum_expected{tile}"] = expected
        else:
            arrays[f"{name}_expected{tile}"] = expected
    return arrays


class PacketModel:
    """What `srcnn_top` answers, in Python: builds input beats and the answer they have to give."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.input, self.expected = [], []

    def transfer(self, words: np.ndarray, answer: list[int], keep: np.ndarray | None = None) -> None:
        """Add a transfer of `words` that has to be answered by `answer` (words)."""
        for beats, target, keeps in ((words, self.input, keep), (answer, self.expected, None)):
            for i, word in enumerate(beats):
                target.append((int(word), 0xFF if keeps is None else int(keeps[i]), int(i + 1 == len(beats))))

    def header(self, command: str, low: int, tag: int, status: int = 0) -> list[int]:
        """Return the two header words of an answer."""
        code = ERROR_ANSWER if command == "error" else COMMANDS[command] | ANSWER
        return [MAGIC | code << 16 | status << 24 | self.config.config_id << 32, low | tag << 32]

    def tile_answer(self, model: QuantModel, tile: np.ndarray, tag: int) -> list[int]:
        """Return the answer to a tile."""
        out = golden.infer_valid(model, tile)
        words = np.zeros(-(-out.size // 8), np.uint64)
        words.view(np.uint8)[: out.size] = out.ravel()
        return [*self.header("tile", out.shape[1] | out.shape[0] << 16, tag), *words]

    def error(self, name: str, tag: int = 0) -> list[int]:
        """Return an error answer."""
        return self.header("error", 0, tag, ERRORS[name])


def cut_tile(tile: np.ndarray, words: int) -> np.ndarray:
    """Return what becomes of a tile whose packet ends after `words` words: zeros follow."""
    flat = np.zeros(tile.size, np.uint8)
    flat[: (words - 2) * 8] = tile.ravel()[: (words - 2) * 8]
    return flat.reshape(tile.shape)


TAG = 0x89ABCDEF  # of most tiles: every bit of a tag has to come back


def top_beats(
    config: Config, rng: np.random.Generator, short: bool = False
) -> tuple[list[tuple[int, int, int]], list[tuple[int, int, int]]]:
    """Return input and expected beats of whole transfers: every packet, every error, and recovery from each.

    With `short`, only every packet, two errors and what follows them: for simulators that are slow.
    """
    model = random_model(config.network, rng)
    other = random_model(config.network, rng, extreme=True)
    least = 2 * config.network.halo + 1
    tile = random_input(config.network, rng, least + 4, least + 8)
    small = random_input(config.network, rng, least, least)
    top = PacketModel(config)
    good = tile_packet(config, tile, TAG)
    load = load_packet(config, model, 3)
    tiny = tile_packet(config, small, 9)
    tiny_answer = top.tile_answer(model, small, 9)
    identity = [*top.header("identify", 0, 1), config.max_width | config.max_height << 16, config.param_beats]

    def broken(words, index, clear, bits):
        changed = words.copy()
        changed[index] = changed[index] & ~np.uint64(clear) | np.uint64(bits)
        return changed

    top.transfer(identify_packet(0, 1), identity)
    top.transfer(good, top.error("not_loaded", TAG))
    top.transfer(load, top.header("load", 0, 3))
    top.transfer(good, top.tile_answer(model, tile, TAG))
    # many packets in one transfer
    top.transfer(
        np.concatenate([tiny, identify_packet(7, 1), good, tiny]),
        [*tiny_answer, *identity, *top.tile_answer(model, tile, TAG), *tiny_answer],
    )
    if short:
        top.transfer(
            good[: len(good) // 2],
            [*top.tile_answer(model, cut_tile(tile, len(good) // 2), TAG), *top.error("truncated", TAG)],
        )
        top.transfer(tiny, tiny_answer)
        return top.input, top.expected
    # other parameters, and back, within a transfer
    top.transfer(
        np.concatenate([load_packet(config, other, 4), good, load, tiny]),
        [*top.header("load", 0, 4), *top.tile_answer(other, tile, TAG), *top.header("load", 0, 3), *tiny_answer],
    )
    # errors: each is followed by a tile that has to come out right
    faults = [
        (broken(good, 0, 0xFFFF, 0x1234), top.error("bad_magic")),
        (broken(good, 0, 0xFF0000, 0x770000), top.error("unknown_command")),
        (broken(good, 0, 0xFFFFFFFF00000000, (config.config_id ^ 1) << 32), top.error("wrong_config")),
        (broken(load, 1, 0xFFFFFFFF, config.param_beats - 1), top.error("bad_length", 3)),
        (broken(good, 1, 0xFFFF, 2 * config.network.halo), top.error("too_small", TAG)),
        (broken(good, 1, 0xFFFF0000, 0), top.error("too_small", TAG)),
        (broken(good, 1, 0xFFFF, config.max_width + 1), top.error("too_large", TAG)),
        (broken(good, 1, 0xFFFF0000, (config.max_height + 1) << 16), top.error("too_large", TAG)),
        (good[:1], top.error("truncated")),
        (good[:2], top.error("truncated", TAG)),
        (np.concatenate([good, [np.uint64(0)]]), [*top.tile_answer(model, tile, TAG), *top.error("bad_magic")]),
    ]
    for words, answer in faults:
        top.transfer(words, answer)
        top.transfer(tiny, tiny_answer)
    # tiles cut short at several places are finished with zeros and declared void
    for cut in (3, len(good) // 2, len(good) - 1):
        top.transfer(good[:cut], [*top.tile_answer(model, cut_tile(tile, cut), TAG), *top.error("truncated", TAG)])
        top.transfer(tiny, tiny_answer)
    # a beat that is not full: it counts, what follows does not
    keep = np.full(len(good), 0xFF)
    keep[4] = 0x0F
    flat = np.zeros(tile.size, np.uint8)
    flat[:24] = tile.ravel()[:24]
    top.transfer(good, [*top.tile_answer(model, flat.reshape(tile.shape), TAG), *top.error("bad_keep", TAG)], keep)
    keep[:] = 0xFF
    keep[0] = 0
    top.transfer(good, top.error("bad_keep"), keep)
    # parameters cut short are void until loaded again
    top.transfer(load[: -min(5, config.param_beats - 1)], top.error("truncated", 3))
    top.transfer(tiny, top.error("not_loaded", 9))
    top.transfer(load, top.header("load", 0, 3))
    top.transfer(tiny, tiny_answer)
    return top.input, top.expected


def write_vectors(config: Config, folder: pathlib.Path, seed: int, short: bool = False) -> pathlib.Path:
    """Write all vectors of a configuration into `folder` and return it; `short` as in `top_beats`."""
    rng = np.random.default_rng(seed)
    arrays = {}
    acc_bits = config.network.convs[-1].acc_bits
    arrays["requantise_acc"], arrays["requantise_shift"], arrays["requantise_expected"] = requantise_vectors(
        rng, acc_bits
    )
    k = config.network.convs[0].k
    image = rng.integers(0, 256, (k + 6, k + 20))
    windows = np.lib.stride_tricks.sliding_window_view(image, k, axis=0)
    arrays["line_image"], arrays["line_expected"] = image, windows
    model = random_model(config.network, rng)
    for joined in config.dataflow.joined:
        if joined.process.takes_commands and joined.source:
            if joined.process is not config.processes[-1]:
                arrays |= process_vectors(config, joined, model, rng)
    for name, beats in zip(("top_input", "top_expected"), top_beats(config, rng, short)):
        arrays[name] = np.array(beats, np.uint64).view(np.int64)
    make_folder(folder)
    lines = []
    for name, values in arrays.items():
        values = np.ascontiguousarray(values, np.int64)
        values.tofile(folder / f"{name}.bin")
        lines.append(" ".join(map(str, (name, values.ndim, *values.shape))))
    with atomic_write(folder / "index.txt") as temporary:
        temporary.write_text("\n".join(lines) + "\n")
    return folder
