"""The before/after figure: what is on it, and that it needs nothing a board lacks."""

import pathlib
import re

import cv2
import numpy as np
import pytest
from PIL import ImageFont

from host.picture import pipeline
from host.picture.backends import GoldenBackend
from host.show import before_after
from model.base.errors import UserError
from model.graph.description import load_network
from model.imaging import color
from model.imaging.files import Picture, read_picture
from model.imaging.resize import upscale_bicubic
from tests.host.test_run_pynq import COLOUR, folder, run  # noqa: F401 (fixtures)
from tests.random_models import random_model

TRUTH = cv2.resize(
    np.random.default_rng(3).integers(0, 256, (8, 11, 3)).astype(np.uint8), (130, 100), interpolation=cv2.INTER_CUBIC
)
SMALL = np.ascontiguousarray(TRUTH[1:99:3, 1:129:3])  # 33 x 43, so 99 x 129


def panels(path):
    """Cut a figure into its columns, uint8 (H, PANEL, 3) each."""
    pixels = read_picture(path).pixels
    step = before_after.PANEL + 12
    assert pixels.shape[1] % step == 12
    return [pixels[:, left : left + before_after.PANEL] for left in range(12, pixels.shape[1] - 12, step)]


def inside(panel, side):
    """The enlarged crop of a column, shrunk to `side` pixels again, without the frame around it."""
    top = panel.shape[0] - before_after.PANEL - 30 - 12
    centres = ((np.arange(side) + 0.5) * before_after.PANEL / side).astype(int)
    return panel[top : top + before_after.PANEL][np.ix_(centres, centres)][1:-1, 1:-1]


@pytest.mark.parametrize("grey", [False, True])
def test_crops_are_the_pictures_pixels(tmp_path, grey):
    picture = Picture(SMALL[:, :, 1].copy() if grey else SMALL)
    result = pipeline.upscale_picture(picture, GoldenBackend(random_model()))
    truth = Picture(TRUTH[:, :, 1].copy() if grey else TRUTH)
    before_after.draw(picture, result, tmp_path / "f.png", truth)
    if grey:
        bicubic = upscale_bicubic(picture.pixels, 3)
    else:
        bicubic = color.ycbcr_to_rgb(upscale_bicubic(color.rgb_to_ycbcr(SMALL), 3))
    left, top, side = before_after.choose_crop(color.rgb_to_y(bicubic), color.rgb_to_y(result.pixels))
    columns = panels(tmp_path / "f.png")
    assert len(columns) == 3 and side == 24
    for column, pixels in zip(columns, (bicubic, result.pixels, truth.pixels)):
        crop = pixels[top : top + side, left : left + side][1:-1, 1:-1]
        np.testing.assert_array_equal(inside(column, side), np.repeat(crop[:, :, None], 3, 2) if grey else crop)
        assert np.any(
            np.all(column[: column.shape[0] - before_after.PANEL - 60] == before_after._FRAME, axis=2)
        )  # the crop is marked
    captions = [column[-30:] for column in columns]
    assert all(caption.min() < 100 for caption in captions) and not np.array_equal(captions[0], captions[1])


def test_the_result_is_called_by_its_network(tmp_path, monkeypatch):
    names = [before_after.method_name(load_network(name, 2)) for name in ("srcnn915", "srcnn955", "abpn8m2")]
    assert names == ["SRCNN", "SRCNN", "abpn8m2"]
    written = []
    monkeypatch.setattr(before_after, "_write", lambda pen, place, text: written.append(text))
    picture = Picture(np.full((20, 20), 99, np.uint8))
    result, truth = (Picture(upscale_bicubic(picture.pixels + i, 2)) for i in (0, 1))
    before_after.draw(picture, result, tmp_path / "f.png", truth, names[2])
    assert [re.sub(r" [\d.]+ dB", "", text) for text in written] == ["bicubic ", "abpn8m2 ", "original"]


def test_crop_is_where_they_differ():
    one, other = np.zeros((200, 300), np.uint8), np.zeros((200, 300), np.uint8)
    other[120:130, 250:260] = 255
    left, top, side = before_after.choose_crop(one, other)
    assert side == 40 and left <= 250 and left + side >= 260 and top <= 120 and top + side >= 130


def test_old_pillow_writes_smaller(tmp_path, monkeypatch):
    picture = Picture(np.full((20, 20), 99, np.uint8))
    load_default = ImageFont.load_default_imagefont
    monkeypatch.setattr(ImageFont, "load_default", lambda: load_default())
    before_after.draw(picture, Picture(upscale_bicubic(picture.pixels, 2)), tmp_path / "f.png")
    assert all(column[-30:].min() < 100 for column in panels(tmp_path / "f.png"))


@pytest.mark.parametrize("shape", [(1, 1), (1, 60), (60, 1), (5, 300)])
def test_any_shape(tmp_path, shape):
    picture = Picture(np.full(shape, 99, np.uint8))
    before_after.draw(picture, Picture(upscale_bicubic(picture.pixels, 2)), tmp_path / "f.png")
    assert (
        len(panels(tmp_path / "f.png")) == 2
        and read_picture(tmp_path / "f.png").size[1] <= 2 * before_after.PANEL + 100
    )


def test_command(folder, run):  # noqa: F811
    cv2.imwrite("truth.png", np.ascontiguousarray(cv2.resize(COLOUR, (59, 42))[:, :, ::-1]))
    code, out, err = run("img.bmp", "--compare", "--truth", "truth.png")
    assert (code, err) == (0, "") and "wrote img_x3_compare.png\n" in out and len(panels("img_x3_compare.png")) == 3
    code, out, err = run("img.bmp", "-o", "o.bmp", "--compare")
    assert code == 0 and len(panels("o_compare.png")) == 2


def test_psnr_is_that_of_the_papers():
    from model.quality.metrics import psnr

    rng = np.random.default_rng(1)
    truth, result = rng.integers(0, 256, (2, 40, 50)).astype(np.uint8)
    assert before_after._psnr(truth, result, 3) == psnr(truth[3:-3, 3:-3], result[3:-3, 3:-3])


BAD = {
    "other size": (
        ["img.bmp", "--compare", "--truth", "img.bmp"],
        "the original has 19x14 pixels and the result 57x42",
    ),
    "truth alone": (
        ["img.bmp", "--truth", "img.bmp"],
        "--truth goes with --compare or --page and a single picture",
    ),
    "truth missing": (["img.bmp", "--compare", "--truth", "none.png"], "there is no file none.png"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_input(folder, run, what):  # noqa: F811
    arguments, says = BAD[what]
    code, out, err = run(*arguments)
    assert (
        code == 2 and says in err and err.count("\n") == 1 and [str(p) for p in pathlib.Path().iterdir()] == ["img.bmp"]
    )


@pytest.mark.parametrize("more", [(3, 0), (0, 3), (-1, 0), (0, -1)])
def test_truth_must_fit(more):
    truth = Picture(np.zeros((30 + more[0], 60 + more[1]), np.uint8))
    with pytest.raises(UserError, match=re.escape("give the picture that the input was shrunk from")):
        before_after.fit_truth(truth, (20, 10), 3)


def test_truth_may_be_what_shrinking_rounded_away():
    pixels = np.arange(32 * 61, dtype=np.uint32).astype(np.uint8).reshape(32, 61)
    np.testing.assert_array_equal(before_after.fit_truth(Picture(pixels), (20, 10), 3), pixels[:30, :60])
