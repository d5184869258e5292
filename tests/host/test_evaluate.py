"""Evaluation, comparison, figures and benchmark: columns, agreement, bad input. The committed results are
tests/model/test_results.py's.
"""

import itertools
import json
import os

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from host.measure import bench, compare, evaluate, figures, methods
from model.base import report
from model.base.errors import UserError
from model.graph.weights import TRAINED_ON, weight_path
from model.integer import golden
from model.quality import metrics, pages, protocols, results
from tests.random_models import random_rgb_model, write_weights

COLUMNS = ["network", "upscale", "protocol", "dataset", "image", "method", "data", "psnr", "ssim", "mse"]
CLASSIC = ("bilinear", "bicubic")
FIXED = ("bilinear", "bicubic", "golden")
NEEDS_WEIGHTS = pytest.mark.skipif(
    not weight_path("srcnn915", 3, quantised=True).is_file(), reason="no integer x3 weights: run `make quantise`"
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a colour and a grey picture; reports go beside it."""
    monkeypatch.setattr(report, "BUILD", tmp_path / "build")
    monkeypatch.setattr(compare, "BUILD", tmp_path / "build")
    monkeypatch.setattr(figures, "BUILD", tmp_path / "build")
    rng = np.random.default_rng(0)
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for name, shape in (("colour", (43, 55, 3)), ("grey", (50, 40))):
        smooth = cv2.GaussianBlur(rng.integers(0, 256, shape).astype(np.float32), (0, 0), 1.5)
        cv2.imwrite(str(pictures / f"{name}.png"), np.clip((smooth - 128) * 4 + 128, 0, 255).astype(np.uint8))
    monkeypatch.setattr(evaluate, "dataset_files", lambda name: sorted(pictures.glob("*.png")))
    return pictures


def run(command, *arguments):
    return CliRunner().invoke(command, [str(a) for a in arguments])


def assert_refused(result, words):
    lines = [line for line in result.output.splitlines() if line.startswith("error:")]
    assert result.exit_code == 2 and len(lines) == 1 and words in lines[0], result.output


def test_rows_have_exactly_the_agreed_columns_and_means(folder):
    rows = evaluate.evaluate([("srcnn915", 3, protocol, "T91") for protocol in protocols.PROTOCOLS], ["Set5"], CLASSIC)
    assert all(list(row) == COLUMNS for row in rows)
    assert len(rows) == 2 * (2 * 2 + 2)
    json.dumps(rows, allow_nan=False)
    for protocol, method in itertools.product(protocols.PROTOCOLS, CLASSIC):
        chosen = {row["image"]: row for row in rows if (row["protocol"], row["method"]) == (protocol, method)}
        assert set(chosen) == {"colour", "grey", "mean"}
        for metric in ("psnr", "ssim", "mse"):
            assert chosen["mean"][metric] == pytest.approx((chosen["colour"][metric] + chosen["grey"][metric]) / 2)


@NEEDS_WEIGHTS
def test_evaluate_command(folder):
    result = run(
        evaluate.main,
        "--network",
        "srcnn915",
        "--upscale",
        3,
        "--protocol",
        "standard",
        "--dataset",
        "Set5",
        "--methods",
        ",".join(FIXED),
        "--markdown",
    )
    assert result.exit_code == 0, result.output
    assert "| srcnn915" in result.output
    rows = json.loads((folder.parent / "build" / "reports" / "evaluate.json").read_text())
    assert {row["method"] for row in rows} == set(FIXED)
    quality = {row["method"]: row["psnr"] for row in rows if row["image"] == "mean"}
    assert quality["golden"] != quality["bicubic"]


def test_weights_of_more_pictures_have_rows_of_their_own(folder, monkeypatch):
    for seed, data in enumerate(TRAINED_ON):
        write_weights(folder.parent, monkeypatch, "abpn8m2", 2, seed, data)
    arguments = ("--network", "abpn8m2", "--protocol", "standard", "--dataset", "Set5", "--methods", "bicubic,golden")
    result = run(evaluate.main, *arguments)
    assert result.exit_code == 0 and "T91+BSDS399" in result.output, result.output
    rows = json.loads((folder.parent / "build" / "reports" / "evaluate.json").read_text())
    measured = results.Results({path.name: "" for path in folder.parent.glob("*.npz")}, rows)
    rows = [measured.find("abpn8m2", 2, "standard", "Set5", "mean", "golden", data=data) for data in TRAINED_ON]
    assert rows[0]["psnr"] != rows[1]["psnr"]
    assert all(data in pages.video_table(measured) for data in TRAINED_ON)


def test_a_network_for_video_is_measured_on_what_it_takes(folder, monkeypatch):
    """Float and fixed point see the small Y and give the result's size; rows are as all others."""
    model = write_weights(folder.parent, monkeypatch, "abpn8m2", 2)
    arguments = ("--network", "abpn8m2", "--protocol", "standard", "--dataset", "Set5", "--methods")
    result = run(evaluate.main, *arguments, "bicubic,float,golden")
    assert result.exit_code == 0, result.output
    rows = json.loads((folder.parent / "build" / "reports" / "evaluate.json").read_text())
    assert all(list(row) == COLUMNS and (row["network"], row["upscale"]) == ("abpn8m2", 2) for row in rows)
    picture = cv2.imread(str(folder / "grey.png"), cv2.IMREAD_GRAYSCALE)
    case = protocols.prepare(picture, 2)
    result = golden.infer(model, case.small)
    assert result.shape == case.truth.shape
    (row,) = (row for row in rows if (row["image"], row["method"]) == ("grey", "golden"))
    assert row["psnr"] == protocols.measure(case, result)["psnr"]
    assert_refused(
        run(evaluate.main, "--network", "abpn8m2", "--upscale", 3, "--methods", "golden"),
        "there are no weights of abpn8m2 for x3",
    )


def test_compare_draws_a_network_for_video(folder, monkeypatch):
    write_weights(folder.parent, monkeypatch, "abpn8m2", 2)
    names = []
    monkeypatch.setattr(figures, "TITLES", {key: Recorded(text, names) for key, text in figures.TITLES.items()})
    options = ("--network", "abpn8m2", "--upscale", 2, "--protocol", "standard", "--methods", "bicubic,golden,csim")
    result = run(compare.main, folder / "colour.png", *options, "--figures")
    assert result.exit_code == 0, result.output
    assert "colour, abpn8m2 x2, standard protocol" in result.output and "abpn8m2, 8-bit fixed point" in names
    assert cv2.imread(str(folder.parent / "build" / "figures" / "colour_x2.png")).std() > 10


class Recorded(str):
    """A text that notes what it was filled in to."""

    def __new__(cls, text, names):
        made = super().__new__(cls, text)
        made.names = names
        return made

    def format(self, *arguments):
        self.names.append(super().format(*arguments))
        return self.names[-1]


@pytest.mark.parametrize("protocol", protocols.PROTOCOLS)
def test_colours_are_compared_by_their_y(protocol, tmp_path):
    """A network that takes and gives colours: the picture itself is a perfect result."""
    picture = cv2.GaussianBlur(np.random.default_rng(3).integers(0, 256, (48, 60, 3)).astype(np.uint8), (0, 0), 2)
    case = protocols.prepare(picture, 2, protocol)
    model = random_rgb_model(2)
    assert case.input("rgb").shape == (24, 30, 3)
    result = golden.infer(model, case.input("rgb"))
    assert result.shape == picture.shape and protocols.finish(case, result).shape == case.truth.shape
    same, other = (protocols.measure(case, pixels)["psnr"] for pixels in (picture, result))
    assert same > other and (protocol == "opencv" or same == metrics.MOST_PSNR)
    results = {"bicubic": case.bicubic, "golden": picture}
    left, top, width, height = figures.draw(picture, case, results, tmp_path / "f.png", network="colours")
    assert width == height and 0 <= left <= 60 - width and 0 <= top <= 48 - height


def test_methods_that_do_not_exist(monkeypatch):
    monkeypatch.setenv("SRCNN_DATA", os.devnull)  # bad options are refused before the pictures are looked for
    with pytest.raises(UserError, match="no method 'magic'; choose from bilinear"):
        methods.Methods("srcnn915", 3, ("bicubic", "magic"))
    for methods_given, words in (
        ("magic", "no method 'magic'"),
        ("golden,magic", "no method 'magic'"),
        (",", "no method ''"),
    ):
        assert_refused(run(evaluate.main, "--methods", methods_given), words)
        assert_refused(run(compare.main, "none.png", "--methods", methods_given), words)
    assert_refused(
        run(evaluate.main, "--update-docs", "--methods", "golden"), "--update-docs needs everything measured"
    )
    assert_refused(run(evaluate.main), "data set Set5 was not found: run `make download`, or point SRCNN_DATA")
    with pytest.raises(UserError, match="no network .srcnn999"):
        methods.Methods("srcnn999", 3, ("golden",))


@NEEDS_WEIGHTS
def test_a_difference_between_golden_and_csim_is_not_passed_over(monkeypatch):
    chosen = methods.Methods("srcnn915", 3, ("golden",))
    chosen.names = ("golden", "csim")
    case = protocols.prepare(np.full((30, 30), 90, np.uint8), 3)
    right = chosen.run("golden", case)
    wrong = right.copy()
    wrong[7, 5] += 1
    monkeypatch.setattr(chosen, "run", lambda name, case: right if name == "golden" else wrong)
    with pytest.raises(RuntimeError, match="1 pixels, first at row 7, column 5"):
        chosen.run_all(case)


@NEEDS_WEIGHTS
def test_golden_and_csim_agree():
    try:
        chosen = methods.Methods("srcnn915", 3, ("golden", "csim"))
    except (UserError, ImportError) as error:
        pytest.skip(f"the kernels can't be built here: {error}")
    rng = np.random.default_rng(1)
    results = chosen.run_all(protocols.prepare(rng.integers(0, 256, (31, 37, 3)).astype(np.uint8), 3))
    assert np.array_equal(results["golden"], results["csim"]) and len(np.unique(results["csim"])) > 10


@NEEDS_WEIGHTS
def test_compare_a_folder(folder):
    result = run(compare.main, folder, "--methods", ",".join(FIXED), "--figures")
    assert result.exit_code == 0, result.output
    rows = json.loads((folder.parent / "build" / "reports" / "compare.json").read_text())
    assert {row["image"] for row in rows} == {"colour", "grey", "mean"} and {row["protocol"] for row in rows} == set(
        protocols.PROTOCOLS
    )
    for row in rows:
        (base,) = (
            other
            for other in rows
            if other["method"] == "bicubic" and all(other[k] == row[k] for k in ("image", "protocol"))
        )
        assert row["psnr_change"] == pytest.approx(row["psnr"] - base["psnr"])
        assert row["mse_change"] == pytest.approx(row["mse"] - base["mse"])
    drawn = cv2.imread(str(folder.parent / "build" / "figures" / "grey_x3.png"))
    assert drawn is not None and drawn.std() > 10


def test_compare_refuses_bad_pictures(folder, tmp_path):
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "none").mkdir()
    cv2.imwrite(str(tmp_path / "tiny.png"), np.zeros((9, 9), np.uint8))
    for path, words in (
        ("absent.png", "no file or folder"),
        ("empty.png", "empty.png"),
        ("text.png", "not a readable"),
        ("none", "holds no pictures"),
        ("tiny.png", "too small to be compared"),
    ):
        assert_refused(run(compare.main, tmp_path / path, "--methods", "bicubic"), words)
    assert not (tmp_path / "build" / "reports").exists()


def results_for(case):
    rng = np.random.default_rng(2)
    result = case.bicubic.copy()
    result[20:30, 30:40] = rng.integers(0, 256, (10, 10))
    return {"bicubic": case.bicubic, "golden": result}


def test_the_crop_is_where_the_methods_differ(tmp_path):
    picture = np.full((60, 90), 80, np.uint8)
    case = protocols.prepare(picture, 3)
    left, top, width, height = figures.choose_crop(case, results_for(case))
    assert left <= 30 and 40 <= left + width and top <= 20 and 30 <= top + height
    assert figures.draw(picture, case, results_for(case), tmp_path / "f.png") == (left, top, width, height)


@pytest.mark.parametrize("crop", ["80,50,20,20", "1,2,3", "0,0,0,5", "-1,0,5,5", "a,b,c,d"])
def test_crops_that_do_not_exist(tmp_path, crop):
    picture = np.full((60, 90), 80, np.uint8)
    case = protocols.prepare(picture, 3)
    with pytest.raises(UserError, match="crop"):
        figures.draw(picture, case, results_for(case), tmp_path / "f.png", figures.parse_crop(crop))
    assert not list(tmp_path.iterdir())


def test_figures_have_a_known_format(tmp_path):
    picture = np.full((60, 90), 80, np.uint8)
    case = protocols.prepare(picture, 3)
    with pytest.raises(UserError, match="no format of figures"):
        figures.draw(picture, case, results_for(case), tmp_path / "f.xyz")
    assert not list(tmp_path.iterdir())


def test_contenders_take_turns_and_the_median_counts(monkeypatch):
    now, order = [0.0], []
    monkeypatch.setattr(bench.time, "perf_counter", lambda: now[0])

    def contender(what, seconds, **limits):
        seconds = iter(seconds)

        def work(picture):
            order.append((what, len(picture)))
            now[0] += next(seconds)

        return bench.Contender(what, work, **limits)

    rows = bench.bench(
        [contender("a", [9, 1, 2, 6]), contender("b", [9, 4, 4, 4], rows=5, most_runs=2)],
        np.zeros((20, 50), np.uint8),
        3,
    )
    assert [what for what, _ in order] == list("abababa")
    assert rows == [
        {"what": "a", "kind": "measured", "mpixel_per_s": 0.001 / 2, "size": "50x20", "runs": 3},
        {"what": "b", "kind": "measured", "mpixel_per_s": 0.00025 / 4, "size": "50x5", "runs": 2},
    ]
