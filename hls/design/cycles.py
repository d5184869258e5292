"""How many cycles a configuration takes, from data alone.

Every process says how many it takes for a tile (hls/design/kinds). All work side by side, so a tile takes as long as
its busiest one. `tests/hls/test_spec.py` holds this against the kernels, clock by clock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hls.design.config import Config


def steady_cycles_per_pixel(config: Config) -> int:
    """Cycles per output pixel far from any edge: those of the slowest process."""
    return max(process.steady for process in config.processes)


def tile_cycles(config: Config, height: int, width: int) -> int:
    """Cycles of one tile of (height, width) output pixels in a queue of tiles: those of its busiest stage.

    Parameters
    ----------
    config : Config
    height, width : int
        Output pixels.
    """
    rows, columns = height + 2 * config.network.halo, width + 2 * config.network.halo
    busiest, before = 0, 0
    for process in config.processes:
        spent, before = process.cycles(rows, columns, before)
        busiest = max(busiest, spent)
        rows, columns = rows - process.shrink, columns - process.shrink
    return busiest


def frame_rate(config: Config, height: int, width: int) -> float:
    """Frames per second of results of this size, cut into the widest tiles the line buffers hold."""
    strips = -(-width // config.tile_width)
    cycles = strips * tile_cycles(config, height, -(-width // strips))
    return config.clock_mhz * 1e6 / cycles


def limit_cycles_per_pixel(config: Config) -> float:
    """Cycles per pixel if all DSPs of the part were busy in every cycle, with two products each (one without
    packing).
    """
    per_dsp = 2 if any(stage.pack for stage in config.stages) else 1
    return config.network.macs_per_pixel / (per_dsp * config.budget["dsp"])
