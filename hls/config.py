"""Network + board -> the hardware configuration: folding, widths, parameter layout, config id.

Nothing here is typed in twice: the C++ header (`hls.generate`), the packets (`host.packets`) and the
reports all read a `Config`.
"""

import dataclasses
import functools
import hashlib
import json
import pathlib

from model.errors import UserError
from model.network import ACT_BITS, BIAS_BITS, MAX_SHIFT, WEIGHT_BITS, Layer, Network, check_name, load_network, load_toml

BOARDS = pathlib.Path(__file__).resolve().parent / "boards"
DEFAULT_BOARD = "pynq_z2"
PACKET_VERSION = 1
BEAT_BITS = 64


@dataclasses.dataclass(frozen=True)
class Stage:
    """One layer as hardware.

    A *direct* stage keeps k - 1 input rows in a line buffer and a k x k window in registers. A *transposed*
    stage multiplies each input pixel by all k * k taps at once (a 1x1 layer with k * k * out_ch outputs) and
    keeps k - 1 rows of partial sums instead; it is chosen where those are narrower than the input rows.
    """

    layer: Layer
    pe: int
    simd: int
    in_word: int  # channels per word of the input stream
    pack: bool = True  # two products per DSP (hls/kernels/products.hpp)

    @property
    def transposed(self):
        """True if a row of partial sums takes less memory than a row of inputs."""
        return self.layer.k > 1 and self.layer.out_ch * self.layer.acc_bits < self.layer.in_ch * ACT_BITS

    @property
    def mac_k(self):
        """Filter side that the MAC array sees."""
        return 1 if self.transposed else self.layer.k

    @property
    def mac_out_ch(self):
        """Outputs of the MAC array per input position."""
        return self.layer.out_ch * self.layer.k**2 if self.transposed else self.layer.out_ch

    @property
    def mac_taps(self):
        """Products per output of the MAC array."""
        return self.mac_k**2 * self.layer.in_ch

    @property
    def raw_bits(self):
        """Signed width of one untransposed partial product sum: mac_taps * 255 * 128, and a sign."""
        return (self.mac_taps * (2**ACT_BITS - 1) * 2 ** (WEIGHT_BITS - 1)).bit_length() + 1

    @property
    def out_fold(self):
        """Passes over the output channels."""
        return self.mac_out_ch // self.pe

    @property
    def tap_fold(self):
        """Cycles per pass over the taps, rounded up: weights are zero where SIMD does not divide them."""
        return -(-self.mac_taps // self.simd)

    @property
    def fold(self):
        """Cycles per position of the MAC array: out_fold * tap_fold."""
        return self.out_fold * self.tap_fold

    @property
    def dsp(self):
        """Multipliers: SIMD for every two of the PE output channels, or for every one without packing."""
        return self.simd * (-(-self.pe // 2) if self.pack else self.pe)

    @property
    def weight_beats(self):
        """64-bit words that carry the SIMD weights of one PE in one fold step."""
        return -(-self.simd * WEIGHT_BITS // BEAT_BITS)

    @property
    def param_beats(self):
        """64-bit parameter words: the weights, then one word of bias and shift per output channel."""
        return self.fold * self.pe * self.weight_beats + self.layer.out_ch


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
    def max_width(self):
        """Widest tile, halo included: what the line buffers hold."""
        return self.tile_width + 2 * self.network.halo

    @property
    def max_height(self):
        """Highest tile, halo included."""
        return self.tile_height + 2 * self.network.halo

    @property
    def dsp(self):
        """Multipliers of all MAC arrays, a DSP each."""
        return sum(stage.dsp for stage in self.stages)

    @property
    def param_beats(self):
        """64-bit words in the payload of a load packet."""
        return sum(stage.param_beats for stage in self.stages)

    @functools.cached_property
    def config_id(self):
        """32-bit hash of all that decides what a packet means to the hardware."""
        described = {
            "packet_version": PACKET_VERSION,
            "formats": [ACT_BITS, WEIGHT_BITS, BIAS_BITS, MAX_SHIFT],
            "max_tile": [self.max_width, self.max_height],
            "layers": [[*dataclasses.astuple(s.layer), s.pe, s.simd, s.transposed] for s in self.stages],
        }
        digest = hashlib.sha256(json.dumps(described, sort_keys=True).encode()).digest()
        return int.from_bytes(digest[:4], "little")

    @property
    def name(self):
        """Folder-safe name, e.g. srcnn915-pynq_z2."""
        return f"{self.network.name}-{self.board}"


def list_boards():
    """Return the names of the described boards, sorted."""
    return sorted(path.stem for path in BOARDS.glob("*.toml"))


def load_config(network="srcnn915", board=DEFAULT_BOARD, *, folding=None, tile_width=None, tile_height=None, pack=None):
    """Read a board file and put a network on it.

    Parameters
    ----------
    network : str or Network
    board : str
        File stem in `hls/boards`, or a path to a .toml file.
    folding : dict of {layer name: (pe, simd)}, optional
        Overrides the board's folding.
    tile_width, tile_height : int, optional
        Override the board's largest tile (output pixels).
    pack : bool, optional
        Overrides the board's `pack`: two products per DSP.

    Returns
    -------
    Config

    Raises
    ------
    UserError
        Unknown board, no folding for this network, a folding that does not divide the layer, or one that takes more
        DSPs than the board has.
    """
    if not isinstance(network, Network):
        network = load_network(network)
    if not str(board).endswith(".toml") and board not in list_boards():
        raise UserError(f"there is no board {board!r}; known: {', '.join(list_boards())}")
    path = pathlib.Path(board) if str(board).endswith(".toml") else BOARDS / f"{board}.toml"
    described = load_toml(path, f"{DEFAULT_BOARD}.toml")
    _check_board(described, path)
    _check_shape(network)
    if folding is None:
        try:
            entries = described["folding"][network.name]
            folding = {layer.name: (entries[layer.name]["pe"], entries[layer.name]["simd"]) for layer in network.layers}
        except (KeyError, TypeError) as error:
            raise UserError(f"{path} has no folding for {network.name} ({error} is missing); add [folding.{network.name}]") from error
    pack = described.get("pack", True) if pack is None else pack
    stages, in_word = [], 1
    for layer in network.layers:
        stage = Stage(layer, *folding[layer.name], in_word, pack)
        _check_fold(stage)
        stages.append(stage)
        in_word = layer.out_ch if stage.transposed else stage.pe  # channels per output word
    sizes = [described["tile_width"] if tile_width is None else tile_width, described["tile_height"] if tile_height is None else tile_height]
    config = Config(network, described["name"], described["part"], described["clock_mhz"], described["budget"], *sizes, tuple(stages))
    if min(sizes) < 1 or config.max_width >= 1 << 16 or config.max_height >= 1 << 15:
        raise UserError(f"the largest tile is {sizes[0]}x{sizes[1]} pixels; with halo it has to stay below 65536x32768")
    if config.dsp > config.budget["dsp"]:
        each = ", ".join(f"{stage.layer.name} {stage.dsp}" for stage in stages)
        raise UserError(f"the folding of {network.name} takes {config.dsp} DSPs ({each}), {config.board} has {config.budget['dsp']}; choose a smaller pe or simd"
                        f"{'' if pack else ', or pack = true'}")
    return config


def _check_board(described, path):
    """Raise `UserError` unless a board description has all it needs."""
    if not isinstance(described.get("pack", True), bool):
        raise UserError(f"{path} has pack = {described['pack']!r}; it is true (two products per DSP) or false")
    kinds = {"name": str, "part": str, "clock_mhz": (int, float), "tile_width": int, "tile_height": int, "budget": dict, "folding": dict}
    for key, kind in kinds.items():
        if not isinstance(described.get(key), kind):
            raise UserError(f"{path} lacks the key {key!r} or has it of the wrong kind; compare it with {DEFAULT_BOARD}.toml")
    check_name(described["name"], "a board")


def _check_shape(network):
    """`srcnn_top` is written for two direct layers and a transposed one; say so before a C++ compiler does."""
    layers = network.layers
    fits = [layer.name for layer in layers] == ["conv1", "conv2", "conv3"] and network.halo >= 4
    if not fits or [Stage(layer, 1, 1, 1).transposed for layer in layers] != [False, False, True]:
        raise UserError(f"the hardware takes three layers conv1, conv2, conv3 with a halo of at least 4, the last with few enough outputs to be "
                        f"transposed; {network.name} is another kind, run it with the golden model")


def legal_simd(taps):
    """Return the SIMD widths worth having, ascending: the smallest for each number of steps over the taps."""
    return sorted({-(-taps // steps) for steps in range(1, taps + 1)})


def _check_fold(stage):
    divisors = [d for d in range(1, stage.mac_out_ch + 1) if stage.mac_out_ch % d == 0]
    for what, value, whole, legal, rule in (
            ("pe", stage.pe, stage.mac_out_ch, divisors, "does not divide"),
            ("simd", stage.simd, stage.mac_taps, legal_simd(stage.mac_taps), "takes no fewer steps than a smaller one for")):
        if type(value) is not int or value not in legal:
            nearest = min(legal, key=lambda d: abs(d - value) if type(value) is int else d)
            raise UserError(f"{what} = {value} of layer {stage.layer.name} {rule} {whole}; the nearest legal value is {nearest}")
