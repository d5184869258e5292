"""Options that every command for hardware takes: which network, for which factor, on which board."""

from __future__ import annotations

from collections.abc import Callable

import click

from hls.design.boards import DEFAULT_BOARD
from model.graph.description import DEFAULT_NETWORK
from model.graph.network import UPSCALES


def upscale_option(function: Callable) -> Callable:
    """Give a command `--upscale`, an int or None; a network for one factor is refused without it when it is loaded."""
    return click.option(
        "--upscale",
        type=click.Choice([str(factor) for factor in UPSCALES]),
        callback=lambda _, __, value: value and int(value),
        help="Of a network that is for one factor; the others serve all.",
    )(function)


def hardware_options(function: Callable) -> Callable:
    """Give a command `--network`, `--upscale` and `--board`: what `hls.design.load.load_config` takes."""
    network = click.option("--network", default=DEFAULT_NETWORK, show_default=True)
    board = click.option("--board", default=DEFAULT_BOARD, show_default=True)
    return network(upscale_option(board(function)))
