"""How many cycles a configuration takes, from data alone.

Every process says how many it takes for a tile (hls/design/kinds). All work side by side, so a tile takes as long as
its busiest one. `tests/hls/test_spec.py` holds this against the kernels, clock by clock.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hls.design.config import Config


def steady_cycles_per_pixel(config: Config) -> int | float:
    """Cycles per pixel of the network's input far from any edge: those of the slowest process."""
    slowest = max(joined.process.steady * joined.given.scale**2 for joined in config.dataflow.joined)
    return int(slowest) if slowest == int(slowest) else float(slowest)


def tile_cycles(config: Config, height: int, width: int) -> int:
    """Cycles of one tile in a queue of tiles: those of its busiest process.

    Parameters
    ----------
    config : Config
    height, width : int
        Pixels of the network's input, without the halo.
    """
    spent = process_cycles(config, height, width)
    return max(spent.values())


def process_cycles(config: Config, height: int, width: int) -> dict[str, int]:
    """Return the cycles of one tile by process; parameters as for `tile_cycles`."""
    rows, columns = height + 2 * config.network.halo, width + 2 * config.network.halo
    spent, apart = {}, {None: 0}  # cycles between the positions that a process brings
    for joined in config.dataflow.joined:
        name, given = joined.process.name, joined.given
        cycles, apart[name] = joined.process.cycles(
            rows * given.scale - given.shrink, columns * given.scale - given.shrink, apart[joined.source]
        )
        spent[name] = math.ceil(cycles)
    return spent


def frame_rate(config: Config, height: int, width: int) -> float:
    """Frames per second of results of this size, cut into the widest tiles the line buffers hold."""
    height, width = (-(-side // config.network.scale) for side in (height, width))
    strips = -(-width // config.tile_width)
    cycles = strips * tile_cycles(config, height, -(-width // strips))
    return config.clock_mhz * 1e6 / cycles


def limit_cycles_per_pixel(config: Config) -> float:
    """Cycles per input pixel if all DSPs of the part were busy in every cycle, with two products each (one without
    packing).
    """
    per_dsp = 2 if any(stage.pack for stage in config.stages) else 1
    return config.network.macs_per_pixel * config.network.scale**2 / (per_dsp * config.budget["dsp"])
