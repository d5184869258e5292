"""The host's benchmark: every step of every backend is in the report, and other bits are noticed."""

import json

import numpy as np
import pytest

from hls.design.load import load_config
from host.measure import bench_host
from host.picture import pipeline
from host.picture.backends import GoldenBackend
from model.base import report
from model.imaging import strips
from tests.random_models import random_model, random_rgb_model, write_weights

PACKET_STEPS = ("pack", "unpack", "both")


@pytest.fixture
def build(tmp_path, monkeypatch):
    """A build folder of this test's own for results and reports; the compiled kernels stay where they are."""
    monkeypatch.setattr(bench_host, "BUILD", tmp_path)
    monkeypatch.setattr(report, "BUILD", tmp_path)
    return tmp_path


def test_report_has_every_step_of_every_backend(build, capsys):
    """On golden model and C++ kernels; `bench` compares their bits."""
    bench_host.main(
        ["--size", "100", "72", "--runs", "2", "--backend", "golden", "--backend", "csim"], standalone_mode=False
    )
    rows = json.loads((build / "reports" / "bench_host.json").read_text())
    runs = {row["what"]: row["runs"] for row in rows if "tiles" not in row["size"]}
    for name, count in (("golden", 2), ("csim", 1)):
        assert [runs.pop(f"{name}: {step}") for step in (*pipeline.STEPS, "all steps")] == [count] * 9
    for threads in {1, strips.THREADS}:
        name = f"host, {threads} thread{'s' * (threads > 1)}"
        assert [runs.pop(f"{name}: {step}") for step in (*bench_host.HOST_STEPS, "together")] == [
            2 * bench_host.HOST_TURNS
        ] * 6
    assert not runs
    assert [(row["what"], row["size"]) for row in rows if "tiles" in row["size"]] == [
        (f"packets: {step}", f"99x72 in {tiles} tiles") for tiles in ("99x72", "50x64") for step in PACKET_STEPS
    ]
    for row in rows:
        assert tuple(row) == bench_host.ROW and 0 < row["best_ms"] <= row["ms"]
        assert row["mpixel_per_s"] == pytest.approx(99 * 72 / 1e3 / row["ms"])
    together = {row["what"]: row["best_ms"] for row in rows}
    assert together["golden: all steps"] >= together["golden: compute"] > 0
    assert "all backends gave the same bits" in capsys.readouterr().out
    assert list(build.glob("bench/*")) == []  # pictures are gone


@pytest.mark.parametrize("network, upscale", [("abpn8m2", 2), ("abpn12m4", 4)])
def test_networks_at_low_resolution(build, monkeypatch, capsys, network, upscale):
    """Backends, the host's steps and packets of a network whose answers are larger than its tiles."""
    write_weights(build, monkeypatch, network, upscale)
    sizes = ["--size", "80", "64", "--runs", "1", "--backend", "golden"]
    bench_host.main(["--network", network, "--upscale", str(upscale), *sizes], standalone_mode=False)
    rows = json.loads((build / "reports" / "bench_host.json").read_text())
    assert {row["size"] for row in rows if row["what"] == "golden: compute"} == {"80x64"}
    assert [row["what"] for row in rows if "tiles" in row["size"]] == [f"packets: {step}" for step in PACKET_STEPS]


@pytest.mark.parametrize("model", [random_model("abpn8m5", 3), random_rgb_model()], ids=["y", "rgb"])
def test_packets_of_pixels_that_become_more(model):
    folding = None if model.network.name == "abpn8m5" else {"conv1": (2, 9), "residual": (3, 12)}
    config = load_config(model.network, folding=folding)
    side = 4 * model.upscale
    y = np.random.default_rng(2).integers(0, 256, (6 * model.upscale, 7 * model.upscale)).astype(np.uint8)
    packing = bench_host.Packing(config, y, side)
    assert len(packing.places) == 4 and packing.size == f"{side}x{side} tiles"
    assert set(packing.run()) == set(PACKET_STEPS)


class OneBitOff(GoldenBackend):
    name = "off"

    def infer(self, tiles, clock=None):
        for tile in super().infer(tiles):
            tile[-1, -1] ^= 1
            yield tile


def test_other_bits_are_noticed(tmp_path):
    model = random_model()
    bench_host.picture_files.write_picture(
        tmp_path / "source.png", bench_host.picture_files.Picture(bench_host.make_picture(30, 30))
    )
    with pytest.raises(RuntimeError, match="off gave other bits than golden"):
        bench_host.bench(
            [GoldenBackend(model), OneBitOff(model)], tmp_path / "source.png", tmp_path, load_config("srcnn915"), 1
        )


@pytest.mark.parametrize("side", [None, 16, 33])
def test_packing_checks_what_it_times(monkeypatch, side):
    packing = bench_host.Packing(
        load_config("srcnn915"), np.random.default_rng(2).integers(0, 256, (70, 90)).astype(np.uint8), side
    )
    assert set(packing.run()) == set(PACKET_STEPS)
    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="not the one that was packed"):
        patch.setattr(bench_host.tiling, "put", lambda out, place, pixels: None)
        packing.run()
    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="does not hold its tile"):
        patch.setattr(
            bench_host.packets,
            "tile_packet",
            lambda config, tile, tag, out: out[: 2 + bench_host.packets.tile_words(tile.shape)],
        )
        packing.run()


def test_no_backend(build, capsys, monkeypatch):
    monkeypatch.delenv("BOARD", raising=False)
    with pytest.raises(SystemExit) as end:
        bench_host.main(["--backend", "pynq"], standalone_mode=False)
    captured = capsys.readouterr()
    assert end.value.code == 2 and "without pynq: this machine is no PYNQ board" in captured.out
    assert captured.err == "error: none of these backends works here; choose --backend golden\n"
