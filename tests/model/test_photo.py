"""Training pictures as cameras hand them out: what befalls them is drawn, but the same each time for a copy."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.data import photo
from model.data.datasets import degrade, load_pairs
from model.graph.weights import weight_path
from model.imaging.color import rgb_to_y
from model.imaging.resize import imresize, to_uint8
from tests.pictures import smooth_picture as picture


def only(monkeypatch, **shares):
    """Let happen what is named, always, and nothing else."""
    calm = {"copies": 2, "blur": {"share": 0, "sigma": [1, 1]}, "resize": {"bicubic": 1}}
    calm |= {"sharpen": {"share": 0}, "noise": {"share": 0}, "jpeg": {"share": 0}}
    monkeypatch.setattr(photo, "settings", lambda upscale: calm | shares)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), copy=st.integers(0, 9), upscale=st.sampled_from([2, 3, 4]))
def test_the_same_copy_is_the_same_picture_and_the_size_is_right(seed, copy, upscale):
    true = picture(seed)
    small = photo.photograph(true, upscale, copy)
    assert small.shape == (48 // upscale, 60 // upscale, 3) and small.dtype == np.uint8
    np.testing.assert_array_equal(small, photo.photograph(true, upscale, copy))
    grey = photo.photograph(true[:, :, 0], upscale, copy)
    assert grey.shape == small.shape[:2]


def test_copies_differ():
    copies = [photo.photograph(picture(1), 3, copy).tobytes() for copy in range(8)]
    assert len(set(copies)) == 8


def test_where_nothing_happens_it_is_the_standard_degradation_in_colour(monkeypatch):
    only(monkeypatch)
    np.testing.assert_array_equal(photo.photograph(picture(2), 3), to_uint8(imresize(picture(2), 1 / 3)))


@pytest.mark.parametrize(
    "what, spread",
    [
        ({"blur": {"share": 1, "sigma": [0.5, 0.5]}}, (0.3, 0.98)),
        ({"sharpen": {"share": 1, "sigma": [1, 1], "amount": [1, 1]}}, (1.02, 3)),
        ({"noise": {"share": 1, "sigma": [20, 20], "grey": 0}}, (1.02, 3)),
    ],
)
def test_each_step_does_what_its_name_says(monkeypatch, what, spread):
    """Blur takes fine detail away, sharpening and noise add to it: the spread of differences between neighbours."""
    detail = []
    for steps in ({}, what):
        only(monkeypatch, **steps)
        detail.append(np.mean([np.diff(photo.photograph(picture(s), 2).astype(float), axis=1).std() for s in range(5)]))
    assert spread[0] < detail[1] / detail[0] < spread[1]


@pytest.mark.parametrize("how", ["bicubic", "box", "bilinear", "lanczos", "decimated"])
@pytest.mark.parametrize("upscale", [2, 3, 4])
def test_every_way_of_making_small_keeps_a_ramp_in_place(monkeypatch, how, upscale):
    """A shift would be learned; only a decimated picture of an even factor has one, half a pixel either way."""
    only(monkeypatch, resize={how: 1})
    ramp = np.repeat(np.arange(0, 240, 2, dtype=np.uint8)[None, :, None], 24, 0).repeat(3, 2)
    small = photo.photograph(ramp, upscale)[2:-2, 3:-3, 0].astype(float)
    expected = ramp[0, :, 0].reshape(-1, upscale).mean(1)[3:-3]
    assert np.abs(small - expected).max() <= (1.0 if how == "decimated" and upscale % 2 == 0 else 0.5)


def test_pairs_are_of_the_true_luminance_and_hold_every_copy(tmp_path, monkeypatch):
    monkeypatch.setattr("model.data.datasets.BUILD", tmp_path)
    true = picture(5)
    cv2.imwrite(str(tmp_path / "a.png"), true[..., ::-1])
    pairs = load_pairs([tmp_path / "a.png"], 2, "photo", kind="y")
    found = list(pairs.pictures())
    assert len(found) == photo.settings(3)["copies"]
    for copy, (low, high) in enumerate(found):
        np.testing.assert_array_equal(high, rgb_to_y(true))
        np.testing.assert_array_equal(low, degrade(true, 2, "photo", "y", copy)[0])


def test_what_measures_chooses_nothing():
    held_out = list(range(20))
    chosen, measured = photo.for_validation(held_out), photo.for_measuring(held_out)
    assert sorted(chosen + measured) == held_out and chosen and len(measured) > len(chosen)


def test_weights_for_photographs_lie_beside_the_others():
    assert weight_path("srcnn915", 3, "photo", quantised=True).name == "srcnn915_x3_photo_int8.npz"
    assert weight_path("srcnn915", 3, "photo", data="T91+BSDS399") == weight_path("srcnn915", 3, "photo")


def test_a_factor_has_settings_of_its_own(tmp_path, monkeypatch):
    path = tmp_path / "photo.toml"
    path.write_text("copies = 2\n[resize]\nbox = 1\ndecimated = 3\n[x2.resize]\ndecimated = 5\n")
    monkeypatch.setattr(photo, "SETTINGS", path)
    photo.settings.cache_clear()
    try:
        assert photo.settings(2) == {"copies": 2, "resize": {"box": 1, "decimated": 5}}
        assert photo.settings(3) == photo.settings(4) == {"copies": 2, "resize": {"box": 1, "decimated": 3}}
    finally:
        photo.settings.cache_clear()
