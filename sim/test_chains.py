"""Chains of 1, 2, 5 and 8 convolutions in Verilog against the golden model: nothing in the hardware counts to three."""

import dataclasses
import re

import pytest

from model.base.paths import ROOT

# (k, output channels, PE, SIMD, and taps of SIMD in LUTs if any are) of each layer: halos from 0 on, direct layers and
# some that scatter, SIMDs that do not divide their taps, one to 16 bytes per position, whole positions and parts of
# them in a word.
CHAINS = {
    "one": [(1, 16, 8, 1)],
    "two": [(5, 12, 6, 7, 7), (3, 4, 4, 36, 5)],
    "five": [(3, 3, 3, 5), (1, 4, 2, 3), (3, 2, 1, 12), (1, 16, 4, 1), (3, 1, 3, 4)],
    "eight": [
        (1, 2, 1, 1),
        (3, 4, 4, 18),
        (1, 3, 3, 2),
        (3, 2, 2, 9),
        (1, 4, 1, 2),
        (1, 2, 2, 4),
        (3, 3, 1, 18),
        (1, 9, 3, 3),
    ],
}


@dataclasses.dataclass(frozen=True)
class Described:
    """Descriptions of a chain and of a board for it, as files."""

    network: str
    board: str


@pytest.fixture(params=CHAINS)
def described(request, tmp_path):
    layers = [(f"layer{i}", *layer) for i, layer in enumerate(CHAINS[request.param])]
    network, board = tmp_path / "chain.toml", tmp_path / "board.toml"
    network.write_text(
        f'name = "{request.param}"\n'
        + "".join(
            f'[[layers]]\nname = "{name}"\nk = {k}\nout_ch = {out_ch}\nrelu = true\n' for name, k, out_ch, *_ in layers
        )
    )
    text = re.sub(r"\[folding\..*", "", (ROOT / "hls" / "boards" / "pynq_z2.toml").read_text(), flags=re.DOTALL)
    text = re.sub(r"tile_width = \d+", "tile_width = 40", re.sub(r"tile_height = \d+", "tile_height = 40", text))
    board.write_text(
        text
        + f"[folding.{request.param}]\n"
        + "".join(f"{name} = {{ {_entry(fold)} }}\n" for name, _, _, *fold in layers)
    )
    return Described(str(network), str(board))


def _entry(fold):
    return ", ".join(f"{key} = {value}" for key, value in zip(("pe", "simd", "lut_taps"), fold))


def test_chain(described, options):
    if options["rtl"] != "open":
        pytest.skip("chains are not exported by Vitis HLS")
    from hls.design.load import load_config
    from sim.run import runner

    config = load_config(described.network, described.board)
    files = runner.open_sources(config)
    chosen = options | {"network": described.network, "board": described.board}
    for test in (
        "every_packet_and_every_error",
        "tiles_of_odd_sizes",
    ):  # cycles: tests/hls/test_chains.py, clock by clock
        runner.run(config, chosen, files, "srcnn_top", "sim.benches.top_bench", test, False, {})
