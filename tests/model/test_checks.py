"""A user's training pictures: test pictures are refused, what does no good is said."""

import json

import cv2
import numpy as np
import pytest

from model.base.errors import UserError
from model.data import checks
from model.data.checks import check_pictures, pixels_digest


def written(folder, name, seed, height=60, width=70):
    picture = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    cv2.imwrite(str(folder / name), picture[..., ::-1])
    return folder / name, picture


def test_a_picture_of_a_test_set_is_refused_whatever_its_file_format(tmp_path, monkeypatch):
    path, picture = written(tmp_path, "mine.bmp", 1)
    monkeypatch.setattr(checks, "TEST_PICTURES", tmp_path / "known.json")
    checks.TEST_PICTURES.write_text(json.dumps({pixels_digest(picture): "butterfly of Set5"}))
    copy, _ = written(tmp_path, "copy.png", 1)
    other, _ = written(tmp_path, "other.png", 2)
    with pytest.raises(UserError, match=r"copy\.png is the picture butterfly of Set5, .*; take it out"):
        check_pictures([other, copy], 2, 20)
    assert check_pictures([other], 2, 20)


def test_a_grey_picture_is_the_same_as_the_colours_that_it_shows():
    grey = np.random.default_rng(3).integers(0, 256, (5, 7), np.uint8)
    assert pixels_digest(grey) == pixels_digest(np.stack([grey] * 3, axis=2))
    assert pixels_digest(grey) != pixels_digest(grey.reshape(7, 5))


def test_what_does_no_good_is_said(tmp_path):
    files = [written(tmp_path, f"{seed}.png", seed)[0] for seed in range(25)]
    assert check_pictures(files, 2, 40) == []
    (note,) = check_pictures(files[:6], 2, 40)
    assert note.startswith("6 pictures are few")
    (note,) = check_pictures([*files, written(tmp_path, "again.bmp", 3)[0]], 2, 40)
    assert note.startswith("1 pictures occur twice, such as again.bmp")
    small = [written(tmp_path, f"small{seed}.png", 100 + seed, 30)[0] for seed in range(30)]
    (note,) = check_pictures(files + small, 2, 40)
    assert note.startswith("30 of 55 pictures have less than 40 pixels a side")


def test_pictures_that_are_all_too_small_are_refused(tmp_path):
    files = [written(tmp_path, f"{seed}.png", seed, 30)[0] for seed in range(3)]
    with pytest.raises(UserError, match="none of the 3 pictures has the 40 pixels a side of a patch; lower --size"):
        check_pictures(files, 2, 40)
    tiny, _ = written(tmp_path, "tiny.png", 9, 2)
    with pytest.raises(UserError, match=r"tiny\.png has fewer than the 3 pixels a side that x3 needs; take it out"):
        check_pictures([*files, tiny], 3, 10)


def test_the_test_sets_pictures_are_known():
    """Five of Set5 and fourteen of Set14."""
    names = json.loads(checks.TEST_PICTURES.read_text()).values()
    assert sorted(name.split(" of ")[1] for name in names) == ["Set14"] * 14 + ["Set5"] * 5
