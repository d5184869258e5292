"""Cycles of tiles queued back to back, from the Verilog, against those of the model; rows of cycles.json."""

from __future__ import annotations

import json
import pathlib
from typing import TYPE_CHECKING

import numpy as np

from hls.packets.packets import answer_words, parse_answers, tile_packet
from hls.packets.parameters import load_packet
from model.base.cache import build_lock
from model.base.paths import BUILD
from model.base.report import write_report
from model.integer import golden
from model.integer.examples import random_input, random_model
from sim.run.frame import HEADER, check_beats, patience
from sim.run.harness import rows_of, simulate

if TYPE_CHECKING:
    from hls.design.config import Config

COUNT = 3  # tiles of a queue
WIDER = 32  # columns that the other queue's tiles have more


def measure(config: Config, program: pathlib.Path, height: int, width: int, seed: int = 1) -> tuple[dict, list[int]]:
    """Simulate two queues of tiles, the second with wider ones, of a random model.

    Parameters
    ----------
    config : Config
    program : pathlib.Path
        Of `sim.run.harness.build_harness`.
    height, width : int
        Of a tile, in pixels of the network's input, without halo; `width` a multiple of 8, so that every row of a
        result begins with a beat.
    seed : int

    Returns
    -------
    row : dict
        Of cycles.json. `cycles_per_pixel_steady` is what a further pixel of a row takes: how much longer it is from
        row to row in the wider tiles, so that no edge counts. `cycles_per_pixel_tile` counts all of them.
    spent : list of int
        Cycles of each tile of the first queue, from answer to answer.
    """
    assert width % 8 == 0
    rng, halo = np.random.default_rng(seed), config.network.halo
    model = random_model(config.network, rng)
    tiles = [
        random_input(config.network, rng, height + 2 * halo, columns + 2 * halo) for columns in (width, width + WIDER)
    ]
    packets = [tile_packet(config, tile) for tile in tiles for _ in range(COUNT)]
    words = [answer_words(config, *tile.shape[:2]) for tile in tiles]
    expected = HEADER + COUNT * sum(words)
    beats = np.concatenate([rows_of(load_packet(config, model)), rows_of(np.concatenate(packets))])
    run = simulate(program, beats, expected, patience(config), seed)
    check_beats(run, expected)
    answers = parse_answers(run.data[HEADER:], config.network.out_ch)
    made = [golden.infer_valid(model, tile) for tile in tiles]
    spent = np.diff(run.cycle[1 : HEADER + COUNT * words[0] : words[0]].astype(int))
    narrow, wide = (
        _row_cycles(run.cycle[HEADER + start : HEADER + start + length], height)
        for start, length in ((words[0], words[0]), (COUNT * words[0] + words[1], words[1]))
    )
    row = {
        "board": config.board,
        "network": config.network.name,
        "upscale": config.network.upscale,
        "tile_h": height,
        "tile_w": width,
        "cycles_per_pixel_steady": round((wide - narrow) / WIDER, 3),
        "cycles_per_pixel_tile": float(np.mean(spent[1:])) / (height * width),
        "macs_per_pixel": config.network.macs_per_pixel,
        "bit_exact": all(np.array_equal(answers[i].pixels, made[i // COUNT]) for i in range(2 * COUNT)),
    }
    return row, spent.tolist()


def _row_cycles(cycle, height):
    """The mean time from a row of the input's pixels to the next one, given when each beat of an answer left."""
    beats = cycle[HEADER:].astype(int)
    starts = beats[:: len(beats) // height]
    return float(starts[-1] - starts[0]) / (len(starts) - 1)


def keep_row(row: dict) -> None:
    """Put a row into cycles.json in place of the one for the same board, network, factor and tile."""
    path = BUILD / "reports" / "cycles.json"
    with build_lock("cycles"):
        rows = json.loads(path.read_text()) if path.is_file() else []
        same = ("board", "network", "upscale", "tile_h", "tile_w")
        rows = [old for old in rows if any(old.get(key) != row[key] for key in same)] + [row]
        write_report("cycles", sorted(rows, key=lambda one: [one.get(key) or 0 for key in same]))
