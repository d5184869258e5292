"""Descriptions of boards, read from `hls/boards/<name>.toml`: part, clock, budget, largest tile, foldings."""

from __future__ import annotations

import pathlib

from hls.design.cost import LIMITS
from model.base.errors import UserError
from model.base.toml import check_name, load_toml

BOARDS = pathlib.Path(__file__).resolve().parents[1] / "boards"
DEFAULT_BOARD = "pynq_z2"


def list_boards() -> list[str]:
    """Return the names of the described boards, sorted."""
    return sorted(path.stem for path in BOARDS.glob("*.toml"))


def read_board(board: str = DEFAULT_BOARD) -> dict:
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
    described = {"pack": True, "folding": {}} | load_toml(path, f"{DEFAULT_BOARD}.toml")
    _check_board(described, path)
    return described | {"path": str(path)}


def _check_board(described, path):
    """Raise `UserError` unless a board description has all it needs."""
    if not isinstance(described["pack"], bool):
        raise UserError(f"{path} has pack = {described['pack']!r}; it is true (two products per DSP) or false")
    kinds = {
        "name": str,
        "part": str,
        "clock_mhz": (int, float),
        "tile_width": int,
        "tile_height": int,
        "budget": dict,
        "folding": dict,
    }
    for key, kind in kinds.items():
        if not isinstance(described.get(key), kind):
            raise UserError(
                f"{path} lacks the key {key!r} or has it of the wrong kind; compare it with {DEFAULT_BOARD}.toml"
            )
    for key in LIMITS:
        number = described["budget"].get(key)
        if type(number) is not int or number < 0:
            raise UserError(f"{path} has {key} = {number!r} in [budget]; it is how many the part has, a whole number")
    check_name(described["name"], "a board")
