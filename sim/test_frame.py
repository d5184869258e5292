"""Small pictures through the compiled bench (frame.py), and that it reports what is wrong."""

import numpy as np
import pytest
from PIL import Image

from hls.csim.vectors import top_beats
from hls.design.cycles import steady_cycles_per_pixel, tile_cycles
from hls.packets.parameters import load_packet
from host.picture import pipeline
from model.graph.weights import weight_path
from model.integer.examples import random_model, random_picture
from sim.run import frame, queued
from sim.run.harness import build_harness, rows_of, simulate
from sim.run.picture import network_input


@pytest.fixture(scope="session")
def program(request, hardware):
    """The compiled bench; these runs are too short for -O3 to pay."""
    from sim.run import runner

    if request.config.getoption("--rtl") == "vitis":
        pytest.skip("the compiled bench knows the names of the open route's top")
    return build_harness(hardware, runner.open_sources(hardware), "-O1")


@pytest.fixture
def picture(tmp_path):
    """A colour picture of 60x44 pixels, 180x132 when upscaled by 3."""
    path = tmp_path / "small.png"
    pixels = np.dstack([random_picture(np.random.default_rng(channel), 44, 60) for channel in range(3)])
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def unwritten(monkeypatch):
    """Keep the report of the last real run; return what would have been written."""
    rows = []
    monkeypatch.setattr(frame, "write_report", lambda name, written: rows.extend(written) or name)
    return rows


def corrupt(monkeypatch, place):
    """Make the golden model wrong by one at `place`."""
    right = frame.golden.infer

    def wrong(model, y):
        out = right(model, y)
        out[place] ^= 1
        return out

    monkeypatch.setattr(frame.golden, "infer", wrong)


@pytest.mark.parametrize("tile, idle, backpressure", [(None, 0.0, 0.0), ((17, 23), 0.5, 0.5)])
def test_picture(program, hardware, picture, request, tile, idle, backpressure):
    network = hardware.network
    factor = network.upscale or 3
    committed = weight_path(network.name, factor, quantised=True).is_file()
    rng = np.random.default_rng(1)
    model = pipeline.load_model(network.name, factor) if committed else random_model(network, rng)
    y = network_input(picture, network, factor, (32, 40))
    assert y.shape == (32, 40) and len(np.unique(y)) > 50
    pixels = []  # as reported on the way
    result = frame.run_frame(
        hardware, model, y, program, tile, request.config.getoption("--seed"), idle, backpressure, pixels.append
    )
    assert result["tiles"] == (4 if tile else 1)
    assert pixels == sorted(pixels) and pixels[-1] <= y.size


@pytest.mark.parametrize("height, width", [(24, 32), (128, 128)])
def test_cycles(program, hardware, height, width):
    """Queued tiles take the cycles of the model, without a bubble between them; writes build/reports/cycles.json."""
    row, spent = queued.measure(hardware, program, height, width)
    queued.keep_row(row)
    expected = tile_cycles(hardware, height, width)
    assert row["bit_exact"] and len(spent) == queued.COUNT
    exact = hardware.network.scale == 1  # a network for video takes some cycles a row more, of few pixels here
    most = 1.01 if exact else 1.02
    assert all(0.99 * expected <= cycles <= most * expected for cycles in spent[1:]), (
        f"{spent} cycles, the model says {expected}"
    )
    assert spent[0] <= most * expected + 2000  # the pipeline fills
    steady = steady_cycles_per_pixel(hardware)
    difference = abs(row["cycles_per_pixel_steady"] - steady) * queued.WIDER
    assert difference <= (0.01 if exact else 1), (
        f"a wider row takes {difference} cycles more or less than the model says"
    )


@pytest.mark.parametrize("idle, backpressure", [(0.0, 0.0), (0.6, 0.0), (0.0, 0.6), (0.6, 0.6)])
def test_packets(program, hardware, request, idle, backpressure):
    """Every packet and every error, transfers back to back without waiting for answers, in several random orders of
    gaps.
    """
    seed = request.config.getoption("--seed")
    for extra in range(3):
        given, expected = (
            np.array(beats, np.uint64) for beats in top_beats(hardware, np.random.default_rng(seed + extra))
        )
        run = simulate(
            program,
            given,
            len(expected),
            frame.patience(hardware, idle, backpressure),
            seed + extra,
            idle,
            backpressure,
        )
        actual = np.stack([run.data, run.keep, run.last], axis=1)
        same = min(len(actual), len(expected))
        wrong = np.argwhere(actual[:same] != expected[:same])
        assert not len(wrong), (
            f"{len(np.unique(wrong[:, 0]))} of {same} beats differ, first beat {wrong[0][0]}, "
            f"{('data', 'keep', 'last')[wrong[0][1]]}: "
            f"expected {expected[tuple(wrong[0])]:#x}, actual {actual[tuple(wrong[0])]:#x}; seed {seed + extra}"
        )
        assert run.complete and len(actual) == len(expected), (
            f"{len(actual)} beats, expected {len(expected)}; seed {seed + extra}"
        )


def test_corrupted_golden_value_fails(program, hardware, picture, monkeypatch, unwritten, capsys):
    if hardware.network.name != "srcnn915":
        pytest.skip("there are weights of srcnn915 alone")
    corrupt(monkeypatch, (31, 7))
    monkeypatch.setattr(frame, "build_harness", lambda config, files: program)
    with pytest.raises(SystemExit) as failed:
        frame.main([str(picture), "--size", "40x32", "--board", hardware.board], standalone_mode=False)
    assert failed.value.code == 1
    assert unwritten[0]["bit_exact"] is False
    message = capsys.readouterr().err
    assert "1 of 1280 pixels differ, first at (y, x) = (31, 7): expected" in message and "again: " in message


def test_unfinished_input_ends(program, hardware):
    """A design that waits for beats that never come ends the run instead of hanging."""
    words = load_packet(hardware, random_model(hardware.network, np.random.default_rng(1)))
    run = simulate(program, rows_of(words)[:-1], expected=2, patience=1000)
    assert not run.complete and not len(run.data)


@pytest.mark.parametrize(
    "arguments, words", [(["missing.png"], "there is no file"), (["--size", "181x132"], "--size 181x132 is more than")]
)
def test_bad_input(picture, arguments, words, capsys):
    image = [] if arguments[0].endswith(".png") else [str(picture)]
    with pytest.raises(SystemExit) as failed:
        frame.main([*image, *arguments], standalone_mode=False)
    assert failed.value.code == 2
    assert words in capsys.readouterr().err
