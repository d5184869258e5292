"""Network + board -> the hardware configuration: folding, widths, parameter layout, config id.

Nothing here is typed in twice: the C++ (`hls.generate`), the packets (`hls.packets.packets`) and the reports all read a
`Config`.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from typing import TYPE_CHECKING

from hls.design.dataflow import lower
from hls.design.stage import Fold, Stage
from model.base.errors import UserError
from model.graph.formats import ACT_BITS, BIAS_BITS, MAX_SHIFT, WEIGHT_BITS
from model.graph.kinds import Add, Conv
from model.graph.network import INPUT, Network

if TYPE_CHECKING:
    from hls.design.cost import Cost
    from hls.design.dataflow import Dataflow
    from hls.design.process import Process

PACKET_VERSION = 1


@dataclasses.dataclass(frozen=True)
class Config:
    """A network on a board."""

    network: Network
    board: str
    part: str
    clock_mhz: float
    budget: dict = dataclasses.field(hash=False)
    tile_width: int
    tile_height: int
    stages: tuple

    @property
    def max_width(self) -> int:
        """Widest tile, halo included: what the line buffers hold."""
        return self.tile_width + 2 * self.network.halo

    @property
    def max_height(self) -> int:
        """Highest tile, halo included."""
        return self.tile_height + 2 * self.network.halo

    @property
    def dsp(self) -> int:
        """Multipliers of all MAC arrays, a DSP each."""
        return sum(stage.dsp for stage in self.stages)

    @property
    def costs(self) -> dict[str, Cost]:
        """Modelled resources by process of `srcnn_top`: {name: Cost}, from data alone (hls/design/cost.py)."""
        return {process.name: process.cost for process in self.processes}

    @property
    def processes(self) -> tuple[Process, ...]:
        """What the network lowers to, from the parser to the packer."""
        return self.dataflow.processes

    @functools.cached_property
    def dataflow(self) -> Dataflow:
        """The processes and the streams that join them."""
        return lower(self.network, self.stages, self.max_width)

    @property
    def param_beats(self) -> int:
        """64-bit words in the payload of a load packet."""
        return sum(process.param_beats for process in self.processes)

    @functools.cached_property
    def config_id(self) -> int:
        """32-bit hash of all that decides what a packet means to the hardware."""
        described = {
            "packet_version": PACKET_VERSION,
            "formats": [ACT_BITS, WEIGHT_BITS, BIAS_BITS, MAX_SHIFT],
            "max_tile": [self.max_width, self.max_height],
            "layers": [
                [s.layer.name, s.layer.k, s.layer.in_ch, s.layer.out_ch, s.layer.relu, s.pe, s.simd, s.scatter]
                for s in self.stages
            ],
        }
        if not _is_plain(self.network):
            described |= {
                "input": self.network.input,
                "scale": self.network.scale,
                "graph": [[type(layer).__name__, *dataclasses.astuple(layer)] for layer in self.network.layers],
            }
        digest = hashlib.sha256(json.dumps(described, sort_keys=True).encode()).digest()
        return int.from_bytes(digest[:4], "little")

    @property
    def name(self) -> str:
        """Folder-safe name, e.g. srcnn915-pynq_z2."""
        return f"{self.network.label}-{self.board}"


def make_config(network: Network, board: dict, folding: dict[str, tuple[int, int]]) -> Config:
    """Return the `Config` of a folding without asking whether it is legal; the tile is checked.

    Parameters
    ----------
    network : Network
    board : dict
        A board description, as `read_board` returns it.
    folding : dict of {layer name: Fold}, or of (pe, simd)
    """
    _check_tile(network, board["tile_width"], board["tile_height"])
    width = board["tile_width"] + 2 * network.halo
    stages, words = [], {INPUT: network.in_ch}  # channels per word of each tensor
    for layer in network.layers:
        given = network.tensors[layer.inputs[0]]
        if isinstance(layer, Conv):
            max_w = width * given.scale - given.shrink
            fold = Fold(*folding[layer.name])
            stage = Stage(layer, fold.pe, fold.simd, words[layer.inputs[0]], max_w, board["pack"], fold.lut_taps)
            stages.append(stage)
            words[layer.name] = layer.out_ch if stage.scatter else stage.pe
        elif isinstance(layer, Add):
            words[layer.name] = words[layer.inputs[0]]
        else:
            words[layer.name] = network.tensors[layer.name].channels
    return Config(
        network,
        board["name"],
        board["part"],
        board["clock_mhz"],
        board["budget"],
        board["tile_width"],
        board["tile_height"],
        tuple(stages),
    )


def _is_plain(network):
    """A chain of convolutions on an upscaled Y: all that `layers` describes."""
    plain = all(isinstance(layer, Conv) and layer.activation != "prelu" for layer in network.layers)
    chain = all(layer.inputs == (before,) for before, layer in zip(network.tensors, network.layers))
    return plain and chain and network.input == "upscaled"


def _check_tile(network, width, height):
    """The line buffers hold a tile with its halo; coordinates of input and output have 16 bits (coord_t in
    hls/kernels/types.hpp).
    """
    for what, value, most in (("tile_width", width, (1 << 16) - 1), ("tile_height", height, (1 << 15) - 1)):
        most = most // network.scale - 2 * network.halo
        if type(value) is not int or not 1 <= value <= most:
            held = (
                f", so that the line buffers would hold rows of {value + 2 * network.halo}"
                if what == "tile_width" and type(value) is int
                else ""
            )
            nearest = min(max(value, 1), most) if type(value) is int else 1
            raise UserError(
                f"{what} = {value}{held}; {network.name} needs {2 * network.halo} pixels of halo and one of output, "
                f"and with halo it has to "
                f"stay below {most + 2 * network.halo + 1}; the nearest legal value is {nearest}"
            )
