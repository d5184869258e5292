"""Networks for video in Verilog against the golden model: kernels alone, all packets, a whole frame; and a graph with
all the rest: RGB, PReLU, an addition within, additions of several channels, a layer behind depth-to-space.
"""

import functools
import json
import types

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from hls.design.cycles import tile_cycles
from hls.design.load import load_config
from host.picture import pipeline
from model.base import report as base_report
from model.base.paths import ROOT
from model.integer import golden
from sim.run import frame, frames, runner
from sim.run.harness import build_harness
from sim.run.picture import network_input, photograph, prepared

VIDEO = {"network": "abpn8m2", "board": "pynq_z2", "upscale": 2}
MOST = 4.15  # cycles of a 960x540 frame per input pixel, edges included
DESCRIPTIONS = ROOT / "tests" / "descriptions"
GRAPH = {
    "network": str(DESCRIPTIONS / "all_kinds.toml"),
    "board": str(DESCRIPTIONS / "small_board.toml"),
    "upscale": 3,
}


def run_bench(options, chosen, top, bench, test, **environment):
    if options["rtl"] != "open":
        pytest.skip("networks for video are not exported by Vitis HLS")
    config = load_config(*chosen.values())
    runner.run(config, options | chosen, runner.open_sources(config), top, bench, test, False, environment)


def run_kernel(options, chosen, kernel, test):
    from hls.generate.verilog import build_rtl

    streams = build_rtl(load_config(*chosen.values())).stages[kernel]["streams"]
    environment = {"SIM_KERNEL": kernel, "SIM_STREAMS": json.dumps(streams)}
    run_bench(options, chosen, f"{kernel}_stage", "sim.benches.kernel_bench", test, **environment)


@pytest.mark.parametrize("test", ["words_in_words_out", "reset_in_the_middle"])
@pytest.mark.parametrize("kernel", ["input_fork", "residual", "anchor", "pixels", "packer"])
def test_kernel(options, kernel, test):
    run_kernel(options, VIDEO, kernel, test)


@pytest.mark.parametrize(
    "test", ["every_packet_and_every_error", "tiles_of_odd_sizes", "reset_in_the_middle", "cycles_of_queued_tiles"]
)
def test_top(options, test):
    run_bench(options, VIDEO, "srcnn_top", "sim.benches.top_bench", test)


@pytest.mark.parametrize("test", ["every_packet_and_every_error", "tiles_of_odd_sizes"])
def test_top_of_the_graph(options, test):
    run_bench(options, GRAPH, "srcnn_top", "sim.benches.top_bench", test)


def test_whole_frame(options):
    """All bits of a 960x540 photograph at 1920x1080 with the committed weights, in the cycles that 60 frames a second
    allow.
    """
    if options["rtl"] != "open":
        pytest.skip("the compiled bench knows the names of the open route's top")
    config = load_config(*VIDEO.values())
    model = pipeline.load_model(VIDEO["network"], VIDEO["upscale"])
    height, width = frames.frame_size(config)
    assert (height, width) == (540, 960)
    x = prepared(photograph(height, width), config.network, model.upscale)
    assert x.shape == (height, width) and len(np.unique(x)) > 200
    program = build_harness(config, runner.open_sources(config))
    found = frame.run_frame(config, model, x, program, seed=options["seed"])
    assert found["tiles"] == 1 and found["cycles_per_pixel"] <= MOST
    modelled = tile_cycles(config, height, width)
    assert modelled <= found["cycles"] <= 1.01 * modelled


@pytest.mark.parametrize("wrong", [None, (63, 78)])
def test_tiles_of_a_picture(options, monkeypatch, wrong):
    """Their results are put together at the factor; a single wrong pixel is found, and where it is."""
    if options["rtl"] != "open":
        pytest.skip("the compiled bench knows the names of the open route's top")
    config = load_config(*VIDEO.values())
    x = prepared(photograph(32, 40), config.network, VIDEO["upscale"])
    program = build_harness(config, runner.open_sources(config))
    model, pixels = pipeline.load_model(VIDEO["network"], VIDEO["upscale"]), []
    run = functools.partial(
        frame.run_frame, config, model, x, program, (17, 23), options["seed"], 0.3, 0.3, pixels.append
    )
    if wrong is None:
        assert run()["tiles"] == 4 and pixels == sorted(pixels) and pixels[-1] <= x.size
        return
    result = golden.infer(model, x)
    result[wrong] ^= 1
    monkeypatch.setattr(frame.golden, "infer", lambda *_: result)
    with pytest.raises(frame.Mismatch, match=r"1 of 5120 pixels differ, first at \(y, x\) = \(63, 78\)"):
        run()


@pytest.mark.parametrize(
    "arguments, words",
    [
        ([], "the layers of abpn8m2 depend on the upscale"),
        (["--upscale", "3"], "has no folding for abpn8m2_x3"),
        (["--upscale", "2", "--size", "61x44"], "--size 61x44 is more than {path} has, 60x44"),
        (["--upscale", "2", "--size", "60x44", "--tile", "961x8"], "a tile of 961x8 is larger than abpn8m2_x2-pynq_z2"),
    ],
)
def test_bad_input(tmp_path, arguments, words):
    path = tmp_path / "small.png"
    Image.fromarray(photograph(44, 60)).save(path)
    done = CliRunner().invoke(frame.main, [str(path), "--network", "abpn8m2", *arguments])
    assert done.exit_code == 2 and words.format(path=path) in done.output, done.output


@pytest.mark.parametrize("kind, shape", [("y", (44, 60)), ("upscaled", (132, 180)), ("rgb", (44, 60, 3))])
@pytest.mark.parametrize("grey", [False, True])
def test_input_is_what_the_host_gives_the_network(tmp_path, kind, shape, grey):
    path, pixels = tmp_path / "small.png", photograph(44, 60)
    Image.fromarray(pixels[:, :, 1] if grey else pixels).save(path)
    network = types.SimpleNamespace(input=kind)
    x = network_input(path, network, 3)
    assert x.shape == shape and x.dtype == np.uint8 and len(np.unique(x)) > 10
    if kind == "rgb":
        assert np.array_equal(x, np.repeat(pixels[:, :, 1:2], 3, axis=2) if grey else pixels)
    part = network_input(path, network, 3, (20, 31))
    top, left = (x.shape[0] - 20) // 2, (x.shape[1] - 31) // 2
    assert np.array_equal(part, x[top : top + 20, left : left + 31])


def test_frames_keeps_what_is_done_and_says_what_is_wrong(tmp_path, monkeypatch):
    """The campaign of `make frames`: a row for the same sources is not simulated again; bits and cycles decide."""
    monkeypatch.setattr(frames, "BUILD", tmp_path)
    monkeypatch.setattr(base_report, "BUILD", tmp_path)
    monkeypatch.setattr(runner, "open_sources", lambda config: ())
    measured = []

    def measure(config, files, cycles=4 * 540 * 960, exact=True):
        measured.append(config.name)
        width, height = 960, 540
        row = {"board": config.board, "network": config.network.name, "upscale": 2, "width": width, "height": height}
        row |= {"cycles": cycles, "cycles_per_pixel": cycles / width / height, "at_most": MOST, "bit_exact": exact}
        return row | {"complaint": None if exact else "a bit", "sources": frames.sources(config, files)}

    def run(**case):
        monkeypatch.setattr(frames, "measure", functools.partial(measure, **case))
        return CliRunner().invoke(frames.main, ["--network", "abpn8m2", "--upscale", "2", "--board", "pynq_z2"])

    assert run().exit_code == 0 and run().exit_code == 0 and len(measured) == 1
    monkeypatch.setattr(frames, "sources", lambda *_: "others")
    slow = run(cycles=540 * 960 * 5)
    assert slow.exit_code == 1 and "FAIL abpn8m2 x2 on pynq_z2: 5.0 cycles per pixel, at most 4.15" in slow.output
    monkeypatch.setattr(frames, "sources", lambda *_: "others again")
    for _ in range(2):  # what differed is tried again
        broken = run(exact=False)
        assert broken.exit_code == 1 and "FAIL abpn8m2 x2 on pynq_z2: a bit" in broken.output
    assert len(measured) == 4
    none = CliRunner().invoke(frames.main, ["--network", "abpn8m2", "--upscale", "3"])
    assert none.exit_code == 2 and "no board folds abpn8m2 x3" in none.output
    monkeypatch.setattr(frames, "COMMITTED", tmp_path / "frames.json")
    monkeypatch.setattr(frames, "ROOT", tmp_path)
    monkeypatch.setattr(frames, "measure", measure)
    others = [{"board": "kv260", "upscale": 2, "network": name, "cycles": 1} for name in ("abpn12m3", "gone")]
    frames.COMMITTED.write_text(json.dumps(others))
    done = CliRunner().invoke(frames.main, ["--network", "abpn8m2", "--update-docs"])
    assert done.exit_code == 0, done.output
    kept = [(row["network"], row["cycles"]) for row in json.loads(frames.COMMITTED.read_text())]
    assert kept == [("abpn12m3", 1), ("abpn8m2", 4 * 540 * 960)]
