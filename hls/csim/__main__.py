"""The csim testbench, C simulation of the kernels against the golden model: `make csim`."""

from __future__ import annotations

import subprocess
import sys

import click

from hls.csim.build import testbench
from hls.csim.vectors import write_vectors
from hls.design.boards import DEFAULT_BOARD
from hls.design.load import load_config
from hls.design.options import upscale_option
from model.base.errors import report_user_errors
from model.base.paths import BUILD
from model.graph.description import DEFAULT_NETWORK, list_networks


@click.command()
@click.option("--network", default=DEFAULT_NETWORK, show_default=True, help="A network, or `all`.")
@upscale_option
@click.option("--board", default=DEFAULT_BOARD, show_default=True)
@click.option(
    "--types",
    type=click.Choice(["amd", "native", "both"]),
    default="both",
    show_default=True,
    help="AMD's simulation types with g++, the _BitInt types with clang, or both.",
)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Seed of the test vectors.")
@report_user_errors
def main(network: str, upscale: int | None, board: str, types: str, seed: int) -> None:
    """Compare every kernel and whole transfers with the golden model; exit code 1 at the first mismatch."""
    for name in list_networks("upscaled") if network == "all" else [network]:
        config = load_config(name, board, upscale)
        folder = write_vectors(config, BUILD / "csim" / "vectors" / f"{config.name}-{seed}", seed)
        for kind in ("amd", "native") if types == "both" else (types,):
            print(
                f"csim {config.name}, {'AMD types (g++)' if kind == 'amd' else '_BitInt types (clang)'}, seed {seed}",
                flush=True,
            )
            result = subprocess.run([str(testbench(config, kind)), str(folder)])
            if result.returncode:
                factor = f"--upscale {upscale} " if upscale else ""
                print(
                    f"again: python -m hls.csim --network {name} {factor}--board {board} --types {kind} --seed {seed}",
                    file=sys.stderr,
                )
                sys.exit(1)


if __name__ == "__main__":
    main()
