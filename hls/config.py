"""Network + board -> the hardware configuration: folding, widths, parameter layout, config id.

Nothing here is typed in twice: the C++ header (`hls.generate`), the packets (`host.packets`) and the
reports all read a `Config`.
"""

import dataclasses
import functools
import hashlib
import json
import pathlib

from hls.cost import LIMITS, MAX_WORD, stage_costs, total, widest_words
from model.base.errors import UserError
from model.base.toml import check_name, load_toml
from model.graph.formats import ACT_BITS, BIAS_BITS, MAX_SHIFT, WEIGHT_BITS
from model.graph.kinds import Layer
from model.graph.network import Network, load_network

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
    max_w: int    # positions of the widest row at its input: what its line buffer holds
    pack: bool = True  # two products per DSP (hls/kernels/products.hpp)

    @functools.cached_property
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

    @functools.cached_property
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
    def costs(self):
        """Modelled resources by process of `srcnn_top`: {name: Cost}, from data alone (hls/cost.py)."""
        return stage_costs(self.stages)

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
        Unknown board, no folding for this network, a folding that does not divide the layer, a tile that no line buffer
        holds, or more DSPs, memory, LUTs or flip-flops than the board has (the last two by the model of hls/cost.py).
    """
    if not isinstance(network, Network):
        network = load_network(network)
    described = read_board(board)
    _check_shape(network)
    entries = described["folding"].get(network.name)
    if folding is None:
        try:
            folding = {layer.name: (entries[layer.name]["pe"], entries[layer.name]["simd"]) for layer in network.layers}
        except (KeyError, TypeError) as error:
            raise UserError(f"{described['path']} has no folding for {network.name} ({error} is missing); add [folding.{network.name}], "
                            f"`make folding BOARD={board} NETWORK={network.name}` proposes one") from error
    own_width = entries.get("tile_width") if isinstance(entries, dict) else None  # narrower where memory is short
    described |= {key: value for key, value in (("tile_width", own_width), ("tile_width", tile_width), ("tile_height", tile_height), ("pack", pack))
                  if value is not None}
    config = make_config(network, described, folding)
    for stage in config.stages:
        _check_fold(stage)
    _check_budget(config, described)
    return config


def read_board(board=DEFAULT_BOARD):
    """Read and check a board file.

    Parameters
    ----------
    board : str
        File stem in `hls/boards`, or a path to a .toml file.

    Returns
    -------
    dict
        What the file says, `pack` always, and its `path`.
    """
    if not str(board).endswith(".toml") and board not in list_boards():
        raise UserError(f"there is no board {board!r}; known: {', '.join(list_boards())}")
    path = pathlib.Path(board) if str(board).endswith(".toml") else BOARDS / f"{board}.toml"
    described = {"pack": True} | load_toml(path, f"{DEFAULT_BOARD}.toml")
    _check_board(described, path)
    return described | {"path": str(path)}


def make_config(network, board, folding):
    """Return the `Config` of a folding without asking whether it is legal; the tile is checked.

    Parameters
    ----------
    network : Network
    board : dict
        A board description, as `read_board` returns it.
    folding : dict of {layer name: (pe, simd)}
    """
    _check_tile(network, board["tile_width"], board["tile_height"])
    stages, in_word, max_w = [], 1, board["tile_width"] + 2 * network.halo
    for layer in network.layers:
        stage = Stage(layer, *folding[layer.name], in_word, max_w, board["pack"])
        stages.append(stage)
        in_word = layer.out_ch if stage.transposed else stage.pe  # channels per output word
        max_w -= layer.k - 1
    return Config(network, board["name"], board["part"], board["clock_mhz"], board["budget"], board["tile_width"], board["tile_height"], tuple(stages))


def _check_board(described, path):
    """Raise `UserError` unless a board description has all it needs."""
    if not isinstance(described["pack"], bool):
        raise UserError(f"{path} has pack = {described['pack']!r}; it is true (two products per DSP) or false")
    kinds = {"name": str, "part": str, "clock_mhz": (int, float), "tile_width": int, "tile_height": int, "budget": dict, "folding": dict}
    for key, kind in kinds.items():
        if not isinstance(described.get(key), kind):
            raise UserError(f"{path} lacks the key {key!r} or has it of the wrong kind; compare it with {DEFAULT_BOARD}.toml")
    for key in LIMITS:
        number = described["budget"].get(key)
        if type(number) is not int or number < 0:
            raise UserError(f"{path} has {key} = {number!r} in [budget]; it is how many the part has, a whole number")
    check_name(described["name"], "a board")


def _check_shape(network):
    """`srcnn_top` is written for two direct layers and a transposed one; say so before a C++ compiler does."""
    layers = network.layers
    fits = [layer.name for layer in layers] == ["conv1", "conv2", "conv3"] and network.halo >= 4
    if not fits or [Stage(layer, 1, 1, 1, 1).transposed for layer in layers] != [False, False, True]:
        raise UserError(f"the hardware takes three layers conv1, conv2, conv3 with a halo of at least 4, the last with few enough outputs to be "
                        f"transposed; {network.name} is another kind, run it with the golden model")


def legal_simd(taps):
    """Return the SIMD widths worth having, ascending: the smallest for each number of steps over the taps."""
    return sorted({-(-taps // steps) for steps in range(1, taps + 1)})


def _check_tile(network, width, height):
    """The line buffers hold a tile with its halo; coordinates have 16 bits (coord_t in hls/kernels/types.hpp)."""
    for what, value, most in (("tile_width", width, (1 << 16) - 1), ("tile_height", height, (1 << 15) - 1)):
        most -= 2 * network.halo
        if type(value) is not int or not 1 <= value <= most:
            held = f", so that the line buffers would hold rows of {value + 2 * network.halo}" if what == "tile_width" and type(value) is int else ""
            nearest = min(max(value, 1), most) if type(value) is int else 1
            raise UserError(f"{what} = {value}{held}; {network.name} needs {2 * network.halo} pixels of halo and one of output, and with halo it has to "
                            f"stay below {most + 2 * network.halo + 1}; the nearest legal value is {nearest}")


def _check_fold(stage):
    divisors = [d for d in range(1, stage.mac_out_ch + 1) if stage.mac_out_ch % d == 0]
    for what, value, whole, legal, rule in (
            ("pe", stage.pe, stage.mac_out_ch, divisors, "does not divide"),
            ("simd", stage.simd, stage.mac_taps, legal_simd(stage.mac_taps), "takes no fewer steps than a smaller one for")):
        if type(value) is not int or value not in legal:
            nearest = min(legal, key=lambda d: abs(d - value) if type(value) is int else d)
            raise UserError(f"{what} = {value} of layer {stage.layer.name} {rule} {whole}; the nearest legal value is {nearest}")
    for what, value in widest_words(stage).items():
        if value > MAX_WORD:
            raise UserError(f"{what} of layer {stage.layer.name} take a word of {value} bits, the kernels' widest is {MAX_WORD} (AP_INT_MAX_W); "
                            f"choose a simd of at most {MAX_WORD // WEIGHT_BITS}, a smaller pe, or fewer channels")


def _check_budget(config, board):
    """Raise `UserError` if a configuration takes more than its board has; DSPs are counted, the rest is modelled."""
    used, named = total(config.costs), {"dsp": "DSPs", "bram36": "BRAM36", "uram": "URAM", "lut": "LUTs", "ff": "flip-flops"}
    for what, share in LIMITS.items():
        budget, number = config.budget[what], getattr(used, what)
        if number > share * budget:
            from hls.folding import remedy  # the search reads this module
            digits = 0 if what in ("lut", "ff") else 1
            each = ", ".join(f"{name} {round(getattr(cost, what), digits):g}" for name, cost in config.costs.items() if getattr(cost, what))
            may = f" and {int(share * budget)} may be used" if share < 1 else ""
            raise UserError(f"{config.network.name} at this folding and tile width {config.tile_width} takes {round(number, digits):g} {named[what]} ({each}), "
                            f"{config.board} has {budget}{may}; {remedy(config, board, what)}")
