"""A network on a board as the board's file says: chosen, checked, and what to do where it does not fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hls.design.boards import DEFAULT_BOARD, list_boards, read_board
from hls.design.config import make_config
from hls.design.cost import LIMITS, MAX_WORD, total
from hls.design.folding import remedy
from hls.design.keywords import KEYWORDS
from hls.design.stage import Fold, legal_simd
from model.base.errors import UserError
from model.graph.description import depends_on_upscale, list_networks, load_network
from model.graph.formats import WEIGHT_BITS
from model.graph.network import UPSCALES, Network

if TYPE_CHECKING:
    from hls.design.config import Config

RESERVED = ("srcnn_", "hls_open_")


def load_config(
    network: str | Network = "srcnn915",
    board: str = DEFAULT_BOARD,
    upscale: int | None = None,
    *,
    folding: dict[str, tuple[int, int]] | None = None,
    tile_width: int | None = None,
    tile_height: int | None = None,
    pack: bool | None = None,
) -> Config:
    """Read a board file and put a network on it.

    Parameters
    ----------
    network : str or Network
    board : str
        File stem in `hls/boards`, or a path to a .toml file.
    upscale : int, optional
        The factor, of a network that is named and has one overlay per factor.
    folding : dict of {layer name: Fold}, or of (pe, simd), optional
        Overrides the board's folding.
    tile_width, tile_height : int, optional
        Override the board's largest tile (pixels of the network's input, without the halo).
    pack : bool, optional
        Overrides the board's `pack`: two products per DSP.

    Returns
    -------
    Config

    Raises
    ------
    UserError
        Unknown board, no folding for this network, a folding that does not divide the layer, a tile that no line buffer
        holds, or more DSPs, memory, LUTs or flip-flops than the board has (the last two by the model of
        hls/design/cost.py).
    """
    if not isinstance(network, Network):
        network = load_network(network, upscale)
    described = read_board(board)
    entries = described["folding"].get(network.label)
    if folding is None:
        try:
            folding = {layer.name: _fold(entries[layer.name]) for layer in network.convs}
        except (KeyError, TypeError) as error:
            lacks = f" ({error} is missing)" if isinstance(error, KeyError) else ""
            raise UserError(
                f"{described['path']} has no folding for {network.label}{lacks}; it folds "
                f"{', '.join(sorted(described['folding'])) or 'nothing'}; add [folding.{network.label}], "
                f"`make folding BOARD={board} NETWORK={network.name}"
                f"{f' UPSCALE={network.upscale}' if network.upscale else ''}` proposes one"
            ) from error
    own_width = entries.get("tile_width") if isinstance(entries, dict) else None  # narrower where memory is short
    described |= {
        key: value
        for key, value in (
            ("tile_width", own_width),
            ("tile_width", tile_width),
            ("tile_height", tile_height),
            ("pack", pack),
        )
        if value is not None
    }
    config = make_config(network, described, folding)
    for stage in config.stages:
        _check_fold(stage)
    for process in config.processes:
        _check_words(process)
    _check_names(config)
    _check_budget(config, described)
    return config


def list_configs(board: str) -> list[Config]:
    """Return the configurations of all described networks that a board file folds: those that serve every factor, then
    those for one, factor by factor.
    """
    found, folded = [], read_board(board)["folding"]
    for name in list_networks():
        for factor in UPSCALES if depends_on_upscale(name) else (None,):
            network = load_network(name, factor)
            if network.label in folded:
                found.append(load_config(network, board))
    return sorted(found, key=lambda config: (config.network.upscale or 0, config.network.name))


def folding_board(network: Network) -> str:
    """Return a board whose file folds a network, the default board if it does: for software that computes on any."""
    boards = [DEFAULT_BOARD, *list_boards()]
    return next((board for board in boards if network.label in read_board(board)["folding"]), DEFAULT_BOARD)


def _fold(entry):
    return Fold(entry["pe"], entry["simd"], entry.get("lut_taps", 0))


def software_board(network: Network) -> str:
    """Return the board whose folding takes the fewest steps for a position, all stages together, the default board if
    none folds the network: what the kernels in software, which step one after the other, are fastest with.
    """
    boards = [board for board in list_boards() if network.label in read_board(board)["folding"]]
    steps = {board: sum(stage.fold for stage in load_config(network, board).stages) for board in boards}
    return min(boards, key=steps.get, default=DEFAULT_BOARD)


def _check_names(config):
    """Every process becomes two Verilog modules, itself and `<name>_stage`, which need names of their own."""
    names = [process.name for process in config.processes]
    modules = [module for name in names for module in (name, f"{name}_stage")]
    for name in names:
        if name in KEYWORDS or name.startswith(RESERVED):
            why = (
                "what begins so is the top's or the compiler's"
                if name.startswith(RESERVED)
                else "it is a keyword of Verilog or C++"
            )
            raise UserError(f"a layer of {config.network.name} can't be named {name}: {why}; choose another name")
        if modules.count(name) > 1:
            raise UserError(
                f"two processes or their parts would be named {name}: a layer, its sum ({name}_sum), its stage "
                f"({name}_stage), "
                f"parser and packer need different names; rename the layer of {config.network.name}"
            )


def _check_fold(stage):
    divisors = [d for d in range(1, stage.mac_out_ch + 1) if stage.mac_out_ch % d == 0]
    for what, value, whole, legal, rule in (
        ("pe", stage.pe, stage.mac_out_ch, divisors, "does not divide"),
        ("simd", stage.simd, stage.mac_taps, legal_simd(stage.mac_taps), "takes no fewer steps than a smaller one for"),
    ):
        if type(value) is not int or value not in legal:
            nearest = min(legal, key=lambda d: abs(d - value) if type(value) is int else d)
            raise UserError(
                f"{what} = {value} of layer {stage.layer.name} {rule} {whole}; the nearest legal value is {nearest}"
            )
    if type(stage.lut_taps) is not int or not 0 <= stage.lut_taps <= stage.simd:
        raise UserError(
            f"lut_taps = {stage.lut_taps} of layer {stage.layer.name} is no part of its simd; choose 0 to {stage.simd}"
        )


def _check_words(process):
    for what, value in process.widest.items():
        if value > MAX_WORD:
            raise UserError(
                f"{what} of layer {process.name.removesuffix('_sum')} take a word of {value} bits, the kernels' widest "
                f"is {MAX_WORD} (AP_INT_MAX_W); "
                f"choose a simd of at most {MAX_WORD // WEIGHT_BITS}, a smaller pe, or fewer channels"
            )


def _check_budget(config, board):
    """Raise `UserError` if a configuration takes more than its board has; DSPs are counted, the rest is modelled."""
    used, named = (
        total(config.costs),
        {"dsp": "DSPs", "bram36": "BRAM36", "uram": "URAM", "lut": "LUTs", "ff": "flip-flops"},
    )
    for what, share in LIMITS.items():
        budget, number = config.budget[what], getattr(used, what)
        if number > share * budget:
            digits = 0 if what in ("lut", "ff") else 1
            each = ", ".join(
                f"{name} {round(getattr(cost, what), digits):g}"
                for name, cost in config.costs.items()
                if getattr(cost, what)
            )
            may = f" and {int(share * budget)} may be used" if share < 1 else ""
            raise UserError(
                f"{config.network.name} at this folding and tile width {config.tile_width} takes "
                f"{round(number, digits):g} {named[what]} ({each}), "
                f"{config.board} has {budget}{may}; {remedy(config, board, what)}"
            )
