"""Testbench of the host on `srcnn_top`: cocotb tests that run host/run_pynq.py, and the driver, on a simulated board.

Started by `pytest sim/` (test_host.py), which leaves `picture.png` and `weights.npz` in the folder SIM_HOST, beside
them `golden.png`, what the same script makes of both with the golden model.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import re
from typing import TYPE_CHECKING

import cocotb
import numpy as np
from cocotb.task import bridge

from hls.design.boards import list_boards
from hls.design.load import list_configs
from hls.packets.packets import COMMANDS, tile_words
from host.picture import tiling
from host.picture.backends import GoldenBackend, open_backend
from host.picture.pipeline import load_model, upscale_picture
from model.base.errors import UserError
from model.graph.weights import save_quant
from model.imaging.files import read_picture
from model.integer.examples import random_input, random_model
from sim.benches.top_bench import CONFIG, SEED, compare_pixels
from sim.board.board import Board, run_script
from sim.board.dma import FAULTS

if TYPE_CHECKING:
    from cocotb.handle import HierarchyObject

    from hls.design.config import Config

FOLDER = pathlib.Path(os.environ.get("SIM_HOST", "."))
NETWORK = CONFIG.network
PICTURE, GOLDEN, OUTPUT = (FOLDER / f"{name}.png" for name in ("picture", "golden", "output"))
WEIGHTS = FOLDER / "weights.npz"
COMMAND = (PICTURE, "-o", OUTPUT, "--backend", "pynq", "--weights")
IDENTIFY, TILE = COMMANDS["identify"], COMMANDS["tile"]  # the parameters follow in the transfer that identifies


def check_output(end: tuple[int, str, str]) -> None:
    """The script ended well, and its file is the golden model's, byte for byte."""
    code, out, err = end
    assert code == 0 and not err, f"the script ended with {code}: {err.strip()}"
    assert re.search(r" on pynq\n", out), out
    actual, expected = OUTPUT.read_bytes(), GOLDEN.read_bytes()
    if actual != expected:
        compare_pixels(read_picture(OUTPUT).pixels, read_picture(GOLDEN).pixels, "the script's picture")
        raise AssertionError("the same pixels in another file")
    assert len(np.unique(read_picture(OUTPUT).pixels)) > 20, "the picture is nearly constant"


def check_refusal(end: tuple[int, str, str], words: str) -> None:
    """The script ended with one sentence that says `words`, exit code 2, and without a file."""
    code, out, err = end
    assert code == 2 and err.count("\n") == 1 and re.search(words, err), (
        f"expected {words!r}, the script ended with {code}: {err}"
    )
    assert not OUTPUT.exists()


def check_board(board: Board) -> None:
    """Everything was given back, and nothing is left in the streams."""
    assert board.allocations and not board.memory, f"{len(board.memory)} of {board.allocations} buffers were not freed"
    assert board.dma.idle(), "words are left in the streams"


@cocotb.test()
async def whole_picture(dut: HierarchyObject) -> None:
    """The script upscales a picture in one tile."""
    board = Board(CONFIG, FOLDER / "overlays")
    check_output(await run_script(*COMMAND, WEIGHTS))
    check_board(board)
    assert board.commands() == [IDENTIFY, TILE] and board.downloads == 1
    dut._log.info(f"{board.cycles()} cycles for {PICTURE}")


def count_tiles(words: np.ndarray) -> int:
    """Return how many tile packets a transfer consists of."""
    count = at = 0
    while at < len(words):
        assert int(words[at]) >> 16 & 0xFF == TILE
        width, height = int(words[at + 1]) & 0xFFFF, int(words[at + 1]) >> 16 & 0xFFFF
        at, count = at + 2 + tile_words((height, width), NETWORK.in_ch), count + 1
    return count


@cocotb.test()
async def picture_in_tiles(dut: HierarchyObject) -> None:
    """Many tiles of uneven sizes in one transfer give the file of the whole picture."""
    board = Board(CONFIG, FOLDER / "overlays")
    check_output(await run_script(*COMMAND, WEIGHTS, "--tile", "13x11"))
    check_board(board)
    assert board.commands() == [IDENTIFY, TILE]
    rows, columns = (side // NETWORK.scale for side in read_picture(GOLDEN).pixels.shape[:2])
    cut = tiling.cut(rows, columns, 11 // NETWORK.scale, 13 // NETWORK.scale)
    assert count_tiles(board.dma.sent[1]) == len(cut) > 5


@cocotb.test()
async def two_pictures(dut: HierarchyObject) -> None:
    """One driver, two pictures in many transfers: parameters are loaded once, buffers are used again."""
    tile = 12, 16
    padded = [side // NETWORK.scale + 2 * NETWORK.halo for side in tile]
    board = Board(CONFIG, FOLDER / "overlays", batch_bytes=2 * 8 * (2 + tile_words(padded, NETWORK.in_ch)))
    model = load_model(None, None, WEIGHTS)
    picture = read_picture(PICTURE)
    pictures = [picture, dataclasses.replace(picture, pixels=np.ascontiguousarray(255 - picture.pixels[:, ::-1]))]

    @bridge
    def use():
        results, allocations = [], []
        with open_backend("pynq", model)[0] as backend:
            for picture in pictures:
                results.append(upscale_picture(picture, backend, tile).pixels)
                allocations.append(board.allocations)
        return results, allocations

    results, allocations = await use()
    for number, (picture, result) in enumerate(zip(pictures, results)):
        compare_pixels(result, upscale_picture(picture, GoldenBackend(model)).pixels, f"picture {number}")
    check_board(board)
    commands = board.commands()
    assert commands[0] == IDENTIFY and set(commands[1:]) == {TILE} and len(commands) > 5, commands
    assert allocations[0] == allocations[1], "the second picture took new buffers"
    assert board.downloads == 1


@cocotb.test()
async def wrong_config_id(dut: HierarchyObject) -> None:
    """A manifest of another description is refused before anything is loaded."""
    board = Board(CONFIG, FOLDER / "overlays", config_id=f"{CONFIG.config_id ^ 1:#010x}")
    check_refusal(
        await run_script(*COMMAND, WEIGHTS),
        f"config id {CONFIG.config_id ^ 1:#010x}, this checkout's .* has {CONFIG.config_id:#010x}",
    )
    assert board.overlay is None and board.dma is None


@cocotb.test()
async def overlay_of_another_board(dut: HierarchyObject) -> None:
    """An overlay of another board is not even loaded."""
    other = next(list_configs(board)[0] for board in list_boards() if board != CONFIG.board)
    board = Board(CONFIG, FOLDER / "overlays", **named(other))
    check_refusal(
        await run_script(*COMMAND, WEIGHTS), f"is for {other.board}, this board is a {CONFIG.board}; build or copy"
    )
    assert board.overlay is None


@cocotb.test()
async def overlay_of_another_network(dut: HierarchyObject) -> None:
    """A manifest whose hardware is another: the hardware says so."""
    other = next(config for config in list_configs(CONFIG.board) if config.network != NETWORK)
    weights = FOLDER / "other.npz"
    save_quant(random_model(other.network, np.random.default_rng(SEED)), weights)
    board = Board(CONFIG, FOLDER / "overlays", label=other.network.label, **named(other))
    check_refusal(
        await run_script(*COMMAND, weights),
        f"the board runs an overlay with config id {CONFIG.config_id:#010x}, its manifest says {other.config_id:#010x}",
    )
    check_board(board)


def named(config: Config) -> dict[str, object]:
    """Return what a manifest says of a configuration."""
    return {
        "board": config.board,
        "network": config.network.name,
        "upscale": config.network.upscale,
        "config_id": f"{config.config_id:#010x}",
    }


# What the driver says of each fault.
SAYS = {
    "stall": "did not finish in time.*send channel busy .*receive channel busy .*the kernel takes no more words; run "
    "again",
    "short": "the overlay reported an error: the transfer ended in the middle of a packet",
    "bad header": "the overlay reported an error: a packet does not start with the magic number",
    "wrong config": "the overlay reported an error: the packet is for another configuration",
    # whatever had left the kernel
    "reset": "word [0-9]+ of the [0-9]+ words received is no answer header|was cut short|the overlay reported an error",
    "DMA reset": "did not finish in time.*send channel stopped .*receive channel stopped .*run again",
    "starved": "there is no contiguous memory for buffers of [0-9]+ bytes .*choose a smaller --tile",
}


@cocotb.test()
async def faults(dut: HierarchyObject) -> None:
    """Each fault ends in one clear error, and the driver's next picture is right."""
    board = Board(CONFIG, FOLDER / "overlays")
    model = load_model(None, None, WEIGHTS)
    halo, rng = NETWORK.halo, np.random.default_rng(SEED)

    def make_tile(height, width):
        return random_input(NETWORK, rng, height + 2 * halo, width + 2 * halo)

    def check(backend, tile, what):
        compare_pixels(next(backend.infer([tile])).copy(), next(GoldenBackend(model).infer([tile])), what)

    @bridge
    def use():
        messages = {}
        with open_backend("pynq", model)[0] as backend:
            board.dma.fault = "pause"  # longer, but right
            check(backend, make_tile(2, 3), "the tile of a transfer that paused")
            assert board.downloads == 1 and board.dma.fault is None
            for number, fault in enumerate(SAYS, 2):
                board.dma.fault, board.starved = (None, True) if fault == "starved" else (fault, False)
                try:
                    list(backend.infer([make_tile(2, 3) if fault != "starved" else make_tile(60, 300)]))
                    messages[fault] = "no error"
                except UserError as error:
                    messages[fault] = str(error)
                assert board.dma.fault is None, f"{fault} did not take place"
                board.starved = False
                check(backend, make_tile(*rng.integers(1, 4, 2)), f"the tile after {fault}")
                assert board.downloads == number - (fault == "starved"), "the overlay was not loaded anew once"
        return messages

    messages = await use()
    for fault, message in messages.items():
        assert re.search(SAYS[fault], message) and "\n" not in message, f"{fault}: {message}"
    assert set(FAULTS) <= {"pause", *messages}
    check_board(board)
    dut._log.info(f"{board.cycles()} cycles for {len(messages)} faults")
