"""What to try on a board that has never run: four designs, each with a little more of the way that a picture goes.

    blink      the bitstream is taken, FCLK0 counts             the LEDs
    register   the processor reaches the fabric (M_AXI_GP0)     registers, written and read
    loop       the fabric reaches memory (S_AXI_HP0)            bytes that the DMA reads and writes back
    srcnn      the accelerator                                  tiles, compared with the golden model

Every check loads its overlay itself, returns figures, and raises `UserError` where something is not as it should be.
"""

from __future__ import annotations

import pathlib
import time
import types
from typing import TYPE_CHECKING

import numpy as np

from hls.design.cycles import steady_cycles_per_pixel
from host.board.driver import Driver
from host.board.overlay import read_design, read_manifest
from host.board.processor import prepare
from model.base.errors import UserError
from model.integer import golden

if TYPE_CHECKING:
    from collections.abc import Callable

    from model.graph.weights import QuantModel

REGISTERS = 0x40400000  # of design `register`, and its four words (hls/place/cpp/desk_registers.hpp)
RANGE = 0x10000
LEDS, SCRATCH, WRITES, IDENTITY = 0x0, 0x4, 0x8, 0xC
WHO = 0x4E435253
ACCESSES = 1000
SIZES = (8, 64, 4096, 4097, 100_000, 1 << 20, 8 << 20)  # bytes
TIMES = 5  # that the largest transfer is timed
PATIENCE_S = 5.0  # for a transfer: 8 MiB take less than a tenth of a second
RESET, RESET_S = 0x4, 1.0  # bit of the DMA's first register; a reset takes microseconds
SHOW_S = 0.3  # that a pattern stays on the LEDs
TILE = (96, 128)  # rows and columns of the result
TILES = 8
_abandoned = []  # buffers that a DMA may still write to: never freed


def blink(folder: pathlib.Path, pynq: types.ModuleType) -> dict:
    """Load the design; what there is to see is on the LEDs.

    Returns
    -------
    dict
        load_s, fclk0_mhz.
    """
    return _load(folder, pynq)[1]


def register(folder: pathlib.Path, pynq: types.ModuleType) -> dict:
    """Write and read the registers, and let a light run along the LEDs.

    Returns
    -------
    dict
        load_s, fclk0_mhz, accesses, read_us, write_us (microseconds of an access).

    Raises
    ------
    UserError
        If a register does not hold what was written.
    """
    _, figures = _load(folder, pynq)
    port = pynq.MMIO(REGISTERS, RANGE)
    who = int(port.read(IDENTITY))
    if who != WHO:
        raise UserError(f"the identity register reads {who:#010x}, not {WHO:#010x}: another design is loaded")
    before, rng = int(port.read(WRITES)), np.random.default_rng(1)
    values = [int(v) for v in rng.integers(0, 1 << 32, ACCESSES, np.uint64)]
    read_s = write_s = 0.0
    for value in values:
        started = time.perf_counter()
        port.write(SCRATCH, value)
        middle = time.perf_counter()
        found = int(port.read(SCRATCH))
        read_s, write_s = read_s + time.perf_counter() - middle, write_s + middle - started
        if found != value:
            raise UserError(f"the scratch register reads {found:#010x} where {value:#010x} was written")
    counted = int(port.read(WRITES)) - before
    if counted != ACCESSES:
        raise UserError(f"the fabric counted {counted} writes, {ACCESSES} were done")
    for pattern in (1, 2, 4, 8, 4, 2, 1, 15):
        port.write(LEDS, pattern)
        if int(port.read(LEDS)) != pattern:
            raise UserError(f"the LEDs' register does not hold {pattern}")
        time.sleep(SHOW_S)
    return {
        **figures,
        "accesses": 2 * ACCESSES,
        "read_us": round(read_s / ACCESSES * 1e6, 2),
        "write_us": round(write_s / ACCESSES * 1e6, 2),
    }


def loop(folder: pathlib.Path, pynq: types.ModuleType) -> dict:
    """Send bytes through the DMA and compare what comes back.

    Returns
    -------
    dict
        load_s, fclk0_mhz, bytes (sent in all), mbyte_per_s (of the largest transfer, both ways at once).

    Raises
    ------
    UserError
        A transfer that fails, does not end, or brings other bytes.
    """
    overlay, figures = _load(folder, pynq)
    dma = getattr(overlay, read_design(folder)["dma"])
    source = pynq.allocate((SIZES[-1],), dtype=np.uint8, cacheable=1)
    target = pynq.allocate((SIZES[-1],), dtype=np.uint8, cacheable=1)
    try:
        rng, sent, best_s = np.random.default_rng(2), 0, float("inf")
        source[:] = rng.integers(0, 256, len(source), np.uint8)
        for size in (*SIZES, *[SIZES[-1]] * (TIMES - 1)):
            target[:] = 0
            target.flush()
            seconds = _transfer(dma, source, target, size)
            sent += size
            if size == SIZES[-1]:
                best_s = min(best_s, seconds)
            wrong = np.flatnonzero(np.asarray(source[:size]) != np.asarray(target[:size]))
            if len(wrong):
                raise UserError(
                    f"{len(wrong)} of {size} bytes came back wrong, the first at {wrong[0]}: "
                    f"{int(target[wrong[0]]):#04x} where {int(source[wrong[0]]):#04x} was sent"
                )
            if target[size:].any():
                raise UserError(f"bytes behind the {size} of a transfer were written")
    finally:
        if _stop(dma):  # else it may still write to them
            source.freebuffer()
            target.freebuffer()
        else:
            _abandoned.extend([source, target])
    return {**figures, "bytes": sent, "mbyte_per_s": round(SIZES[-1] / best_s / 1e6, 1)}


def _stop(dma):
    """Reset the DMA; return whether it is done with that in time."""
    deadline = time.perf_counter() + RESET_S
    dma.write(0, RESET)
    while int(dma.read(0)) & RESET:
        if time.perf_counter() > deadline:
            return False
    return True


def _transfer(dma, source, target, size):
    """Seconds of one transfer there and back."""
    started = time.perf_counter()
    dma.recvchannel.transfer(target, nbytes=size)
    dma.sendchannel.transfer(source, nbytes=size)
    for name, channel in (("send", dma.sendchannel), ("receive", dma.recvchannel)):
        while not channel.idle:
            if channel.error or time.perf_counter() - started > PATIENCE_S:
                what = "failed" if channel.error else f"is not done after {PATIENCE_S:g} s"
                raise UserError(f"a transfer of {size} bytes: the {name} channel {what}; power the board off and on")
    seconds = time.perf_counter() - started
    dma.sendchannel.wait()
    dma.recvchannel.wait()
    return seconds


def srcnn(folder: pathlib.Path, pynq: types.ModuleType, model: QuantModel) -> dict:
    """Compute tiles, and compare them with the golden model.

    Returns
    -------
    dict
        load_s, fclk0_mhz, tiles, pixels, cycles_per_pixel (measured, at FCLK0), modelled_cycles_per_pixel.

    Raises
    ------
    UserError
        What the driver says, or a pixel that is another than the golden model's.
    """
    manifest = read_manifest(folder)
    config, network = manifest["config"], manifest["config"].network
    clock = manifest["fclk0_mhz"] or config.clock_mhz
    rng = np.random.default_rng(3)
    side = [n // network.scale + 2 * network.halo for n in TILE]
    tiles = [rng.integers(0, 256, side, np.uint8) for _ in range(TILES)]
    expected = [golden.infer_valid(model, tile) for tile in tiles]
    started = time.perf_counter()
    driver = Driver(folder, model, pynq=pynq)
    try:
        load_s = time.perf_counter() - started
        wrong = _compare(driver.infer(iter(tiles)), expected)
        if wrong:
            raise UserError(wrong)
        seconds = _time(lambda: [None for _ in driver.infer(iter(tiles))])
    finally:
        driver.close()
    pixels = TILES * TILE[0] * TILE[1]
    return {
        "load_s": round(load_s, 3),
        "fclk0_mhz": clock,
        "tiles": TILES,
        "pixels": pixels,
        "cycles_per_pixel": round(seconds * clock * 1e6 / pixels, 2),
        "modelled_cycles_per_pixel": round(float(steady_cycles_per_pixel(config)), 2),
    }


def _compare(results, expected):
    for number, (found, want) in enumerate(zip(results, expected, strict=True)):
        wrong = np.argwhere(found != want)
        if len(wrong):
            at = tuple(int(i) for i in wrong[0])
            return (
                f"{len(wrong)} of {want.size} pixels of tile {number} are not the golden model's, the first at row "
                f"{at[0]}, column {at[1]}: {int(found[at])} where {int(want[at])} is right"
            )
    return ""


def _time(run: Callable) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def _load(folder, pynq):
    """Load a design and give it its clock; return the overlay, and load_s and fclk0_mhz."""
    manifest = read_design(folder)
    started = time.perf_counter()
    try:
        overlay = pynq.Overlay(str(manifest["bit"]))
    except Exception as error:  # PYNQ raises many kinds
        raise UserError(f"the bitstream {manifest['bit']} cannot be loaded ({error!r}); run as root") from error
    if manifest["fclk0_mhz"] is not None:
        prepare(pynq, manifest["fclk0_mhz"])
    return overlay, {"load_s": round(time.perf_counter() - started, 3), "fclk0_mhz": manifest["fclk0_mhz"]}
