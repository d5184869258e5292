"""The committed results: of the committed weights, in the documents as generated, above their floors, and measured
again.
"""

import copy
import dataclasses
import itertools
import json

import pytest
from click.testing import CliRunner
from PIL import Image

from host.measure import evaluate, figures
from model.base.errors import UserError
from model.base.paths import WEIGHTS, dataset_files
from model.graph.description import DEFAULT_NETWORK
from model.graph.network import UPSCALES
from model.graph.weights import load_float, save_float, weight_path
from model.quality import charts, pages, results
from model.quality.protocols import PROTOCOLS

COMMITTED = results.load()
MARGINS = pages.margins(COMMITTED)
FLOORS = {
    "srcnn915": {2: 36.55, 3: 32.60, 4: 30.20},
    "srcnn955": {2: 36.70, 3: 32.80, 4: 30.40},
}  # float, mean of Set5, dB
MOST_LOST = {"srcnn915": 0.02, "srcnn935": 0.03, "srcnn955": 0.03}  # float - fixed point, mean of a set
# Of networks for video: of a mean, and of a picture (ppt3, drawn edges, loses most).
MOST_LOST_FOR_VIDEO, MOST_LOST_PICTURE_FOR_VIDEO = 0.03, 0.1
VIDEO_FLOORS = {
    ("abpn8m2", 2): 36.50,
    ("abpn8m3", 2): 36.60,
    ("abpn12m3", 2): 36.85,
    ("abpn12m3k3t8", 2): 36.95,
    ("abpn8m5", 3): 32.80,
    ("abpn16m4", 3): 33.05,
    ("abpn12m4", 4): 30.60,
    ("abpn12m5k3", 4): 30.68,
    ("abpn18m6", 4): 30.85,
}  # fixed point, mean of Set5, dB
MOST_LOST_PICTURE = 0.05


def name_of(margin):
    return f"{margin['network']}_x{margin['upscale']}_{margin['protocol']}_{margin['data']}"


# what is committed


def test_results_are_of_the_committed_weights():
    assert results.stale(COMMITTED) is None
    assert COMMITTED.weights and set(COMMITTED.weights) == {
        p.name for p in WEIGHTS.glob("*.npz") if "_photo" not in p.name
    }


def test_every_network_picture_and_method_is_there_once():
    expected = [
        (network, upscale, data, protocol, dataset, method)
        for protocol in PROTOCOLS
        for network, upscale, data in evaluate.committed()
        if evaluate.measured_on(network, upscale, data, protocol)
        for dataset in evaluate.SETS
        for method in evaluate.MEASURED
    ]
    found = {}
    for row in COMMITTED.rows:
        found.setdefault(
            tuple(row[k] for k in ("network", "upscale", "data", "protocol", "dataset", "method")), []
        ).append(row["image"])
    assert set(found) == set(expected)
    for (*_, dataset, _), images in found.items():
        assert len(images) == len(set(images)) == {"Set5": 5, "Set14": 14}[dataset] + 1 and "mean" in images


def test_means_are_the_means_of_the_pictures():
    for key, group in itertools.groupby(
        COMMITTED.rows, lambda row: [row[k] for k in ("network", "upscale", "protocol", "dataset")]
    ):
        group = list(group)
        means = evaluate.mean_rows([row for row in group if row["image"] != "mean"], evaluate.MEASURED)
        for wanted, row in zip(means, (row for row in group if row["image"] == "mean"), strict=True):
            assert row["method"] == wanted["method"] and row["psnr"] == pytest.approx(wanted["psnr"], abs=2e-6), key


def test_documents_are_what_the_results_give():
    for path, text in pages.documents(COMMITTED).items():
        assert path.read_text() == text, f"{path.name} is out of date: run `python -m model.quality.pages`"


def test_charts_show_the_committed_data():
    assert charts.digest(charts.cost_points(COMMITTED)) in (charts.IMAGES / charts.COST).read_text(), (
        "run `make results`"
    )
    curves = results.histories()
    assert (charts.IMAGES / charts.CURVES).is_file() == bool(curves), "run `make results`"
    if curves:
        assert charts.digest(curves) in (charts.IMAGES / charts.CURVES).read_text(), "run `make results`"


@pytest.mark.parametrize("name,upscale", pages.COMPARED)
def test_comparison_pictures_are_of_the_committed_weights(name, upscale):
    with Image.open(charts.IMAGES / f"{name}_x{upscale}.jpg") as picture:
        assert picture.info.get("comment", b"").decode() == figures.comparison_weights(upscale), "run `make results`"


def test_curves_are_drawn_from_the_weight_files(tmp_path, monkeypatch):
    assert [path.name for path in charts.draw_charts(COMMITTED, tmp_path)] == [charts.COST] + [charts.CURVES] * bool(
        results.histories()
    )
    model = load_float(weight_path("srcnn915", 3))
    history = [{"step": step, "loss": 1 / step, "psnr": 34 - 100 / step} for step in (100, 200, 300)]
    for name, kept in (("srcnn915_x3", history), ("srcnn915_x3_opencv", history[:2]), ("srcnn955_x2", None)):
        meta = {name: value for name, value in model.meta.items() if name != "history"} | (
            {"history": kept} if kept else {}
        )
        save_float(dataclasses.replace(model, meta=meta), tmp_path / f"{name}.npz")
    monkeypatch.setattr(results, "WEIGHTS", tmp_path)
    assert results.histories() == {
        "srcnn915_x3": [[100, 33.0], [200, 33.5], [300, 33.6667]],
        "srcnn915_x3_opencv": [[100, 33.0], [200, 33.5]],
    }
    files = charts.draw_charts(COMMITTED, tmp_path / "drawn")
    assert charts.digest(results.histories()) in files[1].read_text() and "x3 opencv" in files[1].read_text()
    assert f"images/{charts.CURVES}" in pages.page(COMMITTED, True) and "no curve to draw" in pages.page(
        COMMITTED, False
    )


# how good it is


@pytest.mark.parametrize("network,upscale", [(network, upscale) for network in FLOORS for upscale in UPSCALES])
def test_float_reaches_its_floor(network, upscale):
    row = COMMITTED.find(network, upscale, "standard", "Set5", "mean", "float")
    assert row is not None, f"no weights of {network} for x{upscale}"
    assert row["psnr"] >= FLOORS[network][upscale]


@pytest.mark.parametrize("network,upscale", VIDEO_FLOORS)
def test_fixed_point_of_a_network_for_video_reaches_its_floor(network, upscale):
    row = COMMITTED.find(network, upscale, "standard", "Set5", "mean", "golden")
    assert row["psnr"] >= VIDEO_FLOORS[network, upscale]


@pytest.mark.parametrize("margin", MARGINS, ids=name_of)
def test_fixed_point_loses_little_and_every_picture_beats_bicubic(margin):
    assert margin["loss_mean"] <= MOST_LOST.get(margin["network"], MOST_LOST_FOR_VIDEO)
    most = MOST_LOST_PICTURE if margin["network"] in MOST_LOST else MOST_LOST_PICTURE_FOR_VIDEO
    assert margin["loss_picture"] <= most, margin["loss_image"]
    assert margin["gain_picture"] > 0, margin["gain_image"]


def test_margins_cover_all_weights():
    assert len(MARGINS) == len([name for name in COMMITTED.weights if name.endswith("_int8.npz")])


@pytest.mark.parametrize(
    "dataset,image,method,floor",
    [
        ("Set5", "butterfly_GT", "golden", 23.9),
        ("Set5", "butterfly_GT", "float", 23.89),  # the board's integers are the better ones here
        ("Set14", "monarch", "golden", 28.6),
        ("Set14", "monarch", "float", 28.6),
    ],
)
def test_better_than_the_original_project(dataset, image, method, floor):
    assert ("srcnn915", 3) in COMMITTED.combinations("opencv")
    assert (
        COMMITTED.find("srcnn915", 3, "opencv", dataset, image, method)["psnr"] > floor > pages.ORIGINAL[dataset, image]
    )


# measured again


def measured_again(monkeypatch, combinations, images, methods):
    """Rows of some pictures of Set5, without means."""
    files = [path for path in dataset_files("Set5") if path.stem in images]
    assert len(files) == len(images)
    monkeypatch.setattr(evaluate, "dataset_files", lambda name: files)
    return [row for row in evaluate.evaluate(combinations, ["Set5"], methods) if row["image"] != "mean"]


def some_images(network):
    """All of Set5 for the default network, a picture for the others: they take long."""
    return COMMITTED.images("Set5") if network == DEFAULT_NETWORK else ["butterfly_GT"]


@pytest.mark.data
@pytest.mark.parametrize("network,upscale,data", evaluate.committed())
def test_golden_gives_the_committed_bits_again(monkeypatch, network, upscale, data):
    rows = measured_again(
        monkeypatch, [(network, upscale, "standard", data)], some_images(network), ("bicubic", "golden")
    )
    assert len(rows) == 2 * len(some_images(network)) and all(map(results.exact, rows))
    assert not results.differences(rows, COMMITTED)


@pytest.mark.data
@pytest.mark.parametrize("network,upscale,data", evaluate.committed())
def test_float_gives_the_committed_table_again(monkeypatch, network, upscale, data):
    rows = measured_again(
        monkeypatch, [(network, upscale, "standard", data)], some_images(network), ("bilinear", "float")
    )
    assert len(rows) == 2 * len(some_images(network))
    assert not results.differences(rows, COMMITTED)


@pytest.mark.data
@pytest.mark.parametrize(
    "network,upscale", [found[:2] for found in evaluate.committed() if found[0] == DEFAULT_NETWORK]
)
def test_opencv_protocol_gives_the_committed_table_again(monkeypatch, network, upscale):
    rows = measured_again(monkeypatch, [(network, upscale, "opencv", "T91")], ["butterfly_GT"], evaluate.MEASURED)
    assert len(rows) == len(evaluate.MEASURED)
    assert not results.differences(rows, COMMITTED)


# the comparison itself


def changed(**values):
    """A row of the committed results with other values."""
    row = next(row for row in COMMITTED.rows if all(row[k] == v for k, v in values.items() if k in results.KEY))
    return row | {k: v(row[k]) for k, v in values.items() if callable(v)}


def test_a_single_pixel_is_noticed_in_fixed_point_only():
    one_grey_level = 1 / 1e6  # of one pixel in a picture of a megapixel
    for method in ("golden", "bicubic"):
        found = results.differences(
            [changed(protocol="standard", method=method, mse=lambda mse: mse + one_grey_level)], COMMITTED
        )
        assert len(found) == 1 and "mse" in found[0] and method in found[0]
    for values in ({"method": "float"}, {"protocol": "opencv", "method": "golden"}):
        assert not results.differences([changed(mse=lambda mse: mse + one_grey_level, **values)], COMMITTED)


def test_floats_may_differ_by_less_than_half_a_digit():
    row = changed(method="float", protocol="standard")
    for metric, most in results.TOLERANCE.items():
        for sign in (-1, 1):
            assert not results.differences([row | {metric: row[metric] + sign * most * 0.9}], COMMITTED)
            assert metric in results.differences([row | {metric: row[metric] + sign * most * 1.1}], COMMITTED)[0]
        assert results.differences([row | {metric: float("nan")}], COMMITTED)


def test_csim_is_compared_with_golden():
    row = changed(method="golden", protocol="standard") | {"method": "csim"}
    assert not results.differences([row], COMMITTED)
    assert results.differences([row | {"mse": row["mse"] + 1}], COMMITTED)
    assert "not in the committed" in results.differences([row | {"image": "nobody"}], COMMITTED)[0]


def test_other_weights_are_noticed():
    for change, words in (
        ({"srcnn915_x3.npz": "0" * 64}, "srcnn915_x3.npz has changed"),
        ({"more.npz": "0"}, "more.npz is not committed"),
    ):
        assert words in results.stale(results.Results(COMMITTED.weights | change, []))
    fewer = {name: digest for name, digest in COMMITTED.weights.items() if name != "srcnn915_x2_int8.npz"}
    assert "srcnn915_x2_int8.npz was not measured" in results.stale(results.Results(fewer, []))


def test_file_keeps_everything(tmp_path):
    results.save(COMMITTED, tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == results.RESULTS.read_bytes()
    again = results.load(tmp_path / "again.json")
    assert (
        again.rows == COMMITTED.rows
        and again.weights == COMMITTED.weights
        and list(again.rows[0]) == list(results.COLUMNS)
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"weights": {}, "columns": ["a"], "rows": [[1, 2]]}',
        '{"weights": {}, "columns": [], "rows": [[]]}',
    ],
)
def test_damaged_files_are_refused(tmp_path, text):
    (tmp_path / "r.json").write_text(text)
    with pytest.raises(UserError, match="damaged; measure again"):
        results.load(tmp_path / "r.json")
    with pytest.raises(UserError, match="cannot read"):
        results.load(tmp_path / "none.json")


# the commands


@pytest.fixture
def command(monkeypatch, tmp_path):
    """`evaluate` that finds what it is told instead of measuring."""
    rows = copy.deepcopy(
        [row for row in COMMITTED.rows if (row["network"], row["upscale"], row["dataset"]) == ("srcnn915", 3, "Set5")]
    )
    monkeypatch.setattr(evaluate, "evaluate", lambda *args: rows)
    monkeypatch.setattr(evaluate, "dataset_files", lambda name: [])
    for module in (evaluate, evaluate.report):
        monkeypatch.setattr(module, "BUILD", tmp_path)
    arguments = ["--network", "srcnn915", "--upscale", "3", "--dataset", "Set5"]
    return rows, lambda *more: CliRunner().invoke(evaluate.main, [*arguments, *more])


def test_check(command, tmp_path):
    rows, run = command
    result = run("--check")
    assert result.exit_code == 0 and f"the same as committed: {len(rows)} rows" in result.output, result.output
    assert json.loads((tmp_path / "reports" / "evaluate.json").read_text()) == rows
    assert (tmp_path / "figures" / charts.COST).is_file()
    next(row for row in rows if row["method"] == "golden" and row["image"] == "bird_GT")["mse"] += 1e-6
    result = run("--check")
    assert result.exit_code == 1 and "differs: srcnn915 x3 standard Set5 bird_GT golden: mse" in result.output, (
        result.output
    )
    assert "Traceback" not in result.output


def test_check_refuses_results_of_other_weights(command, monkeypatch):
    monkeypatch.setattr(results, "weight_hashes", dict)
    result = command[1]("--check")
    assert result.exit_code == 2 and "is not committed any more; measure again with `make results`" in result.output


def test_documents_need_everything_measured(command):
    result = command[1]("--update-docs")
    assert result.exit_code == 2 and "--update-docs needs everything measured" in result.output


def test_pages_are_brought_up_to_date(tmp_path, monkeypatch):
    copied = tmp_path / "page.md"
    before = pages.PAGE.read_text()
    copied.write_text(before)
    monkeypatch.setattr(pages, "PAGE", copied)
    assert pages.write(COMMITTED) == []
    rows = [row | {"psnr": row["psnr"] + 1} if row["method"] == "golden" else row for row in COMMITTED.rows]
    assert pages.write(results.Results(COMMITTED.weights, rows)) == [copied] and copied.read_text() != before
