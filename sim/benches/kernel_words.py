"""What goes into a kernel's streams and what has to come out, as integers, from the golden model."""

import numpy as np

from hls.csim.vectors import PacketModel, stage_vectors
from hls.packets.packets import COMMANDS, ERRORS, identify_packet, tile_packet
from hls.packets.parameters import load_packet, weight_words
from model.integer import golden
from model.integer.examples import random_model, random_picture

FULL_BEAT = 0xFF << 64  # TKEEP of a beat as it lies in a stream: data, keep, last from bit 0
LAST = 1 << 72
KINDS = {"tile": 0, "tile_end": 1, "load": 2, "identify": 3, "error": 4}  # answer_command.hpp


def pack(values, per_word, bits):
    """Pack integers into words of `per_word` values of `bits` bits each, the first in the lowest bits."""
    mask = (1 << bits) - 1
    values = [int(v) & mask for v in np.asarray(values).ravel()]
    return [sum(v << bits * i for i, v in enumerate(values[at:at + per_word])) for at in range(0, len(values), per_word)]


def command(tile, width=1, height=1):
    """Return a stage command (stage_command.hpp)."""
    return int(tile) | width - 1 << 16 | height - 1 << 32


def answer(kind, last=0, error=0, width=0, height=0, tag=0):
    """Return an answer command (answer_command.hpp)."""
    return KINDS[kind] | last << 3 | error << 4 | width << 16 | height << 32 | tag << 48


def beats(words):
    """Return a transfer as stream words: full beats, TLAST on the last."""
    return [int(w) | FULL_BEAT | (LAST if i + 1 == len(words) else 0) for i, w in enumerate(words)]


def layer_words(config, index, rng, extreme):
    """Streams of a layer's MAC stage and, if it is transposed, of its sum stage: ({...}, {...} or None)."""
    stage = config.stages[index]
    layer = random_model(config.network, rng, extreme).layers[index]
    k = stage.layer.k
    shapes = [(k + 2, k + 5), (k, k), (k + 4, k + 1)]  # odd sizes, one single output, back to back
    arrays = {name: np.asarray(value) for name, value in stage_vectors(rng, stage, layer, shapes).items()}
    name = stage.layer.name
    raw = stage.raw_bits if stage.transposed else 8
    mac = {"ctrl": [command(False), *arrays[f"{name}_params"]], "in": [], "out": []}
    total = {"ctrl": [command(False), *arrays["sum_params"]], "in": [], "out": []} if stage.transposed else None
    for tile, (height, width) in enumerate(shapes):
        mac["ctrl"].append(command(True, width, height))
        mac["in"] += pack(arrays[f"{name}_input{tile}"], stage.in_word, 8)
        products = pack(arrays[f"{name}_expected{tile}"], stage.pe, raw)
        mac["out"] += products
        if total:
            total["ctrl"].append(command(True, width, height))
            total["in"] += products
            total["out"] += pack(arrays[f"sum_expected{tile}"], stage.layer.out_ch, 8)
    for streams in (mac, total):
        if streams:
            streams["ctrl"] = [int(w) & (1 << 64) - 1 for w in streams["ctrl"]]
    return mac, total


def parser_words(config, rng):
    """Streams of the parser: load, two tiles and identify in one transfer, then a tile with a wrong config id."""
    model = random_model(config.network, rng)
    halo = config.network.halo
    tiles = [random_picture(rng, 2 * halo + 2, 2 * halo + 5), random_picture(rng, 2 * halo + 1, 2 * halo + 1)]
    wrong = tile_packet(config, tiles[0], 9)
    wrong[0] ^= np.uint64(1 << 40)
    transfer = np.concatenate([load_packet(config, model, 1), *(tile_packet(config, t, i + 2) for i, t in enumerate(tiles)), identify_packet(0, 4)])
    expected = {"in": beats(transfer) + beats(wrong), "pixel_out": [int(p) for t in tiles for p in t.ravel()], "answers": [answer("load", tag=1)]}
    for i, tile in enumerate(tiles):
        expected["answers"] += [answer("tile", width=tile.shape[1] - 2 * halo, height=tile.shape[0] - 2 * halo, tag=i + 2), answer("tile_end", tag=i + 2)]
    expected["answers"] += [answer("identify", last=1, tag=4), answer("error", last=1, error=ERRORS["wrong_config"])]
    shrink, number = 0, 0
    for stage, layer in zip(config.stages, model.layers):
        bias = [int(b) & 0xFFFFFFFF | int(s) << 32 for b, s in zip(layer.bias, layer.shift)]
        weights = [int(w) for w in weight_words(stage, layer.weight)]
        for params in ([weights, bias] if stage.transposed else [weights + bias]):
            expected[f"ctrl{number}"] = [command(False), *params] + [command(True, t.shape[1] - shrink, t.shape[0] - shrink) for t in tiles]
            number += 1
        shrink += stage.layer.k - 1
    return expected


def packer_words(config, rng):
    """Streams of the packer: every kind of answer, a tile that ended well and one that did not."""
    halo, top = config.network.halo, PacketModel(config)
    model = random_model(config.network, rng)
    given = {"answers": [answer("load", tag=1), answer("identify", last=1, tag=2)], "in": [], "out": []}
    identity = [*top.header("identify", 0, 2), config.max_width | config.max_height << 16, config.param_beats]
    given["out"] += beats([*top.header("load", 0, 1), *identity])
    for tag, (height, width) in enumerate([(1, 1), (3, 7), (2, 8), (5, 5)], 3):
        tile = random_picture(rng, height + 2 * halo, width + 2 * halo)
        error = tag == 5
        given["answers"] += [answer("tile", width=width, height=height, tag=tag), answer("tile_end", last=1, error=ERRORS["truncated"] if error else 0, tag=tag)]
        given["in"] += [int(p) for p in golden.infer_valid(model, tile).ravel()]
        given["out"] += beats([*top.tile_answer(model, tile, tag), *(top.error("truncated", tag) if error else [])])
    given["answers"].append(answer("error", last=1, error=ERRORS["bad_magic"]))
    given["out"] += beats(top.error("bad_magic"))
    return given


def kernel_words(config, kernel, seed, extreme=False):
    """Return {stream: words} of a kernel of the top by its process name: inputs and expected outputs."""
    rng = np.random.default_rng(seed)
    if kernel == "parser":
        return parser_words(config, rng)
    if kernel == "packer":
        return packer_words(config, rng)
    names = [stage.layer.name for stage in config.stages]
    base = kernel.removesuffix("_sum")
    return layer_words(config, names.index(base), rng, extreme)[kernel.endswith("_sum")]


assert set(COMMANDS) <= set(KINDS)
