"""Small pictures through the compiled bench (frame.py), and that it reports what is wrong."""

import json

import numpy as np
import pytest
from PIL import Image

from hls.csim.vectors import top_beats
from hls.design.cycles import steady_cycles_per_pixel, tile_cycles
from hls.packets.packets import answer_words, parse_answers, tile_packet
from hls.packets.parameters import load_packet
from host.picture import pipeline
from model.base.cache import build_lock
from model.base.paths import BUILD
from model.base.report import write_report
from model.integer import golden
from model.integer.examples import random_model, random_picture
from sim.run import frame
from sim.run.harness import build_harness, rows_of, simulate


@pytest.fixture(scope="session")
def program(request, hardware):
    """The compiled bench; these runs are too short for -O3 to pay."""
    from sim.run import runner

    if request.config.getoption("--rtl") == "vitis":
        pytest.skip("the compiled bench knows the names of the open route's top")
    return build_harness(hardware, runner.open_sources(hardware), "-O1")


@pytest.fixture
def picture(tmp_path):
    """A colour picture of 18x14 pixels, 54x42 when upscaled by 3."""
    path = tmp_path / "small.png"
    pixels = np.dstack([random_picture(np.random.default_rng(channel), 14, 18) for channel in range(3)])
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
    committed = hardware.network.name == "srcnn915"
    model = (
        pipeline.load_model("srcnn915", 3) if committed else random_model(hardware.network, np.random.default_rng(1))
    )
    y = frame.luma(picture, 3, (32, 40))
    assert y.shape == (32, 40) and len(np.unique(y)) > 50
    pixels = []  # as reported on the way
    result = frame.run_frame(
        hardware, model, y, program, tile, request.config.getoption("--seed"), idle, backpressure, pixels.append
    )
    assert result["tiles"] == (4 if tile else 1)
    assert pixels == sorted(pixels) and pixels[-1] <= y.size


@pytest.mark.parametrize("height, width", [(24, 28), (128, 128)])
def test_cycles(program, hardware, height, width):
    """Queued tiles take the cycles of the model, without a bubble between them; writes build/reports/cycles.json."""
    rng, halo, count = np.random.default_rng(1), hardware.network.halo, 3
    tile = random_picture(rng, height + 2 * halo, width + 2 * halo)
    model = random_model(hardware.network, rng)
    load, packets = load_packet(hardware, model), np.concatenate([tile_packet(hardware, tile)] * count)
    words = answer_words(hardware, *tile.shape)
    run = simulate(
        program, np.concatenate([rows_of(load), rows_of(packets)]), 2 + count * words, frame.patience(hardware)
    )
    frame.check_beats(run, 2 + count * words)
    spent, expected = np.diff(run.cycle[1::words].astype(int)), tile_cycles(hardware, height, width)
    steady = float(np.median(np.diff(run.cycle[2 + words + 2 : 2 + 2 * words].astype(int)))) / 8  # a beat is 8 pixels
    exact = all(
        np.array_equal(answer.pixels, golden.infer_valid(model, tile)) for answer in parse_answers(run.data[2:])
    )
    keep_row(
        {
            "board": hardware.board,
            "network": hardware.network.name,
            "upscale": hardware.network.upscale,
            "tile_h": height,
            "tile_w": width,
            "cycles_per_pixel_steady": steady,
            "cycles_per_pixel_tile": float(np.mean(spent[1:])) / (height * width),
            "macs_per_pixel": hardware.network.macs_per_pixel,
            "bit_exact": exact,
        }
    )
    assert exact and len(spent) == count
    assert all(0.99 * expected <= cycles <= 1.01 * expected for cycles in spent[1:]), (
        f"{spent} cycles, the model says {expected}"
    )
    assert spent[0] <= 1.01 * expected + 2000  # the pipeline fills
    assert steady == steady_cycles_per_pixel(hardware)


def keep_row(row):
    """Put a row into cycles.json in place of the one for the same board, network, factor and tile."""
    path = BUILD / "reports" / "cycles.json"
    with build_lock("cycles"):
        rows = json.loads(path.read_text()) if path.is_file() else []
        same = ("board", "network", "upscale", "tile_h", "tile_w")
        rows = [old for old in rows if any(old.get(key) != row[key] for key in same)] + [row]
        write_report("cycles", sorted(rows, key=lambda one: [one.get(key) or 0 for key in same]))


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
    "arguments, words", [(["missing.png"], "there is no file"), (["--size", "55x42"], "--size 55x42 is more than")]
)
def test_bad_input(picture, arguments, words, capsys):
    image = [] if arguments[0].endswith(".png") else [str(picture)]
    with pytest.raises(SystemExit) as failed:
        frame.main([*image, *arguments], standalone_mode=False)
    assert failed.value.code == 2
    assert words in capsys.readouterr().err
