"""How many cycles a configuration takes, from data alone.

A direct stage spends `fold` cycles on every position that gives an output. On the others (the first k - 1 rows, and
k - 1 positions of every further row) it spends one cycle per input word, or waits for the stage before it, once the two
positions that the FIFO holds are used up. Stages overlap, so a tile takes as long as its busiest stage.
`tests/hls/test_spec.py` holds this against the kernels, clock by clock.
"""

FIFO_POSITIONS = 2  # depth of the FIFOs between stages (srcnn_top.hpp)


def steady_cycles_per_pixel(config):
    """Cycles per output pixel far from any edge: the largest fold, or one cycle per word of a stream."""
    words = [stage.mac_out_ch // stage.pe for stage in config.stages]
    return max(*(stage.fold for stage in config.stages), *words)


def tile_cycles(config, height, width):
    """Cycles of one tile of (height, width) output pixels in a queue of tiles: those of its busiest stage.

    Parameters
    ----------
    config : Config
    height, width : int
        Output pixels.
    """
    rows, columns = height + 2 * config.network.halo, width + 2 * config.network.halo
    busiest = rows * columns  # the parser: a pixel per cycle
    before = 1  # cycles in which the stage before brings a position
    for stage in config.stages:
        words = stage.layer.in_ch // stage.in_word
        edge, waits = stage.mac_k - 1, max(words, before)
        stored = min(edge, FIFO_POSITIONS)
        row = (columns - edge) * max(stage.fold, words) + stored * words + (edge - stored) * waits
        busiest = max(busiest, (rows - edge) * row + edge * columns * waits)
        before = max(stage.fold, words)
        if stage.transposed:
            busiest = max(busiest, rows * columns * (stage.mac_out_ch // stage.pe))
        rows, columns = rows - stage.layer.k + 1, columns - stage.layer.k + 1
    return busiest


def frame_rate(config, height, width):
    """Frames per second of results of this size, cut into the widest tiles the line buffers hold."""
    strips = -(-width // config.tile_width)
    cycles = strips * tile_cycles(config, height, -(-width // strips))
    return config.clock_mhz * 1e6 / cycles


def limit_cycles_per_pixel(config):
    """Cycles per pixel if all DSPs of the part were busy in every cycle, with two products each (one without packing)."""
    per_dsp = 2 if any(stage.pack for stage in config.stages) else 1
    return config.network.macs_per_pixel / (per_dsp * config.budget["dsp"])
