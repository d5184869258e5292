"""Twelve kinds of small pictures, and what weights gain on them."""

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from host.measure.photo import evaluate as evaluate_photo
from host.measure.photo.kinds import KINDS, make_small
from model.graph.weights import save_quant, weight_path
from model.imaging.color import rgb_to_y
from model.imaging.resize import imresize, to_uint8
from model.integer import golden
from model.quality import photo_results
from model.quality.metrics import psnr
from tests.pictures import smooth_picture as picture
from tests.random_models import random_model


@pytest.mark.parametrize("upscale", [2, 3, 4])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_a_small_picture_and_the_same_each_time(kind, upscale):
    small = make_small(kind, picture(1), upscale, "name")
    assert small.shape == (48 // upscale, 60 // upscale, 3) and small.dtype == np.uint8
    np.testing.assert_array_equal(small, make_small(kind, picture(1), upscale, "name"))


def test_kinds_differ_from_each_other_and_from_clean():
    assert len(KINDS) == 12
    assert len({make_small(kind, picture(1), 3, "name").tobytes() for kind in KINDS}) == 12


def test_noise_has_the_strength_that_its_name_says():
    grey = np.full((300, 300, 3), 128, np.uint8)
    for sigma in (3, 8):
        assert make_small(f"noise {sigma}", grey, 3, "name").astype(float).std() == pytest.approx(sigma, rel=0.05)


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    paths = [tmp_path / f"{seed}.png" for seed in range(2)]
    for seed, path in enumerate(paths):
        cv2.imwrite(str(path), picture(seed)[..., ::-1])
    monkeypatch.setattr(evaluate_photo, "measured_pictures", lambda: {"BSDS399": paths[:1], "Set5+Set14": paths[1:]})
    monkeypatch.setattr("model.graph.weights.WEIGHTS", tmp_path)
    monkeypatch.setattr("model.base.report.BUILD", tmp_path)
    return paths


@pytest.mark.parametrize("network, upscale", [("srcnn915", 3), ("abpn8m2", 2)])
def test_gains_are_those_of_golden_model_and_bicubic(pictures, network, upscale):
    model = random_model(network, upscale)
    rows = evaluate_photo.gains({(network, "photo"): model}, pictures, upscale)
    assert [row["kind"] for row in rows] == list(KINDS)
    expected = []
    for seed in range(2):
        true, small = rgb_to_y(picture(seed)), rgb_to_y(make_small("box", picture(seed), upscale, str(seed)))
        large, inner = to_uint8(imresize(small, upscale)), (slice(upscale, -upscale),) * 2
        out = golden.infer(model, large if network == "srcnn915" else small)
        expected.append([psnr(true[inner], x[inner]) for x in (large, out)])
    plain, ours = np.mean(expected, axis=0)
    box = next(row for row in rows if row["kind"] == "box")
    assert (box["bicubic"], box["psnr"]) == (round(plain, 4), round(ours, 4))
    assert box["gain"] == pytest.approx(ours - plain, abs=1e-4)


def test_grey_pictures_count_and_sets_weigh_by_their_pictures(tmp_path):
    for seed, shown in enumerate((picture(0)[..., 0], picture(1), picture(2))):
        cv2.imwrite(str(tmp_path / f"{seed}.png"), shown)
    paths = [tmp_path / f"{seed}.png" for seed in range(3)]
    models = {("srcnn915", "photo"): random_model("srcnn915", 3)}
    apart = evaluate_photo.measure(models, {"one": paths[:1], "two": paths[1:]}, 3, lambda: None)
    together = evaluate_photo.measure(models, {"all": paths}, 3, lambda: None)
    of = [photo_results.of(rows, "srcnn915", 3, "photo") for rows in (apart, together)]
    assert of[0] == pytest.approx(of[1], abs=1e-3) and list(of[0]) == list(KINDS)
    line = photo_results.lines(apart)[0]
    assert line["mean"] == pytest.approx((line["mean of one"] + 2 * line["mean of two"]) / 3)


def test_what_falls_short_is_named(pictures):
    for weights in evaluate_photo.WEIGHTS:
        save_quant(random_model("srcnn915", 3), weight_path("srcnn915", 3, weights, quantised=True))
    result = CliRunner().invoke(evaluate_photo.main, ["--upscale", "3"])
    assert result.exit_code == 2 and "srcnn915 x3, clean: -" in result.output and "mean of all kinds" in result.output
    assert "x3" in result.output and "photo" in result.output


def test_without_weights_it_says_how_to_make_them(pictures):
    result = CliRunner().invoke(evaluate_photo.main, [])
    assert (
        result.exit_code == 2 and "make train DEGRADATION=photo" in result.output and "Traceback" not in result.output
    )


def test_committed_weights_gain_what_is_asked():
    """Every network with photo weights, on every kind and in the mean (docs/results/photo.json)."""
    rows = photo_results.load()
    assert not photo_results.stale()
    assert len({(row["network"], row["upscale"]) for row in rows if row["weights"] == "photo"}) >= 9
    assert evaluate_photo.complaints(rows) == []
