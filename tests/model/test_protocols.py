"""Both protocols reproduce published and measured bicubic figures, and refuse what can't be compared."""

import cv2
import numpy as np
import pytest

from model.base.errors import UserError
from model.base.paths import dataset_files
from model.data.datasets import read_picture
from model.imaging.color import rgb_to_y
from model.imaging.resize import imresize, opencv_resize
from model.quality import protocols

# data/BASELINES.md: PSNR in dB of bicubic on the standard protocol at x2, x3, x4.
BASELINES = {
    "Set5": {
        "baby_GT": (37.0660, 33.9101, 31.7764),
        "bird_GT": (36.8058, 32.5723, 30.1773),
        "butterfly_GT": (27.4332, 24.0365, 22.0975),
        "head_GT": (34.8580, 32.8793, 31.5899),
        "woman_GT": (32.1440, 28.5628, 26.4623),
    },
    "Set14": {
        "baboon": (24.8581, 23.2087, 22.4368),
        "barbara": (27.9982, 26.2487, 25.1459),
        "bridge": (26.5750, 24.4033, 23.1462),
        "coastguard": (29.1223, 26.5529, 25.4751),
        "comic": (26.0157, 23.1153, 21.6916),
        "face": (34.8312, 32.8194, 31.5542),
        "flowers": (30.3653, 27.2300, 25.5240),
        "foreman": (34.1378, 31.1571, 29.3828),
        "lenna": (34.6972, 31.6776, 29.8349),
        "man": (29.2471, 27.0078, 25.6970),
        "monarch": (32.9376, 29.4259, 27.4573),
        "pepper": (34.9528, 32.3804, 30.5950),
        "ppt3": (26.8731, 23.7066, 21.9806),
        "zebra": (30.6338, 26.6338, 24.0805),
    },
}


@pytest.mark.data
@pytest.mark.parametrize("dataset", BASELINES)
def test_standard_bicubic_baselines(dataset):
    files = dataset_files(dataset)
    assert sorted(path.stem for path in files) == sorted(BASELINES[dataset])
    for path in files:
        picture = read_picture(path)
        for upscale, expected in zip((2, 3, 4), BASELINES[dataset][path.stem]):
            case = protocols.prepare(picture, upscale)
            assert protocols.measure(case, case.bicubic)["psnr"] == pytest.approx(expected, abs=0.01), (
                f"{path.stem} x{upscale}"
            )


@pytest.mark.data
def test_the_original_projects_figures():
    pictures = {path.stem: path for name in ("Set5", "Set14") for path in dataset_files(name)}
    case = protocols.prepare(read_picture(pictures["butterfly_GT"]), 3, "opencv")
    row = protocols.measure(case, case.bicubic)
    assert row["psnr"] == pytest.approx(21.998, abs=0.003)
    assert row["ssim"] == pytest.approx(0.9500, abs=0.0001)
    assert row["mse"] == pytest.approx(410.5, abs=0.3)
    case = protocols.prepare(read_picture(pictures["monarch"]), 3, "opencv")
    assert protocols.measure(case, case.bicubic)["psnr"] == pytest.approx(27.330, abs=0.003)


def picture(height, width, channels=3):
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (height, width, channels)).astype(np.uint8).squeeze()


@pytest.mark.parametrize("protocol", protocols.PROTOCOLS)
@pytest.mark.parametrize("channels", [1, 3])
def test_everything_has_the_size_of_the_cropped_truth(protocol, channels):
    case = protocols.prepare(picture(41, 38, channels), 3, protocol)
    assert case.truth.shape == case.bicubic.shape == case.bilinear.shape == (39, 36)
    assert case.truth.dtype == case.bicubic.dtype == case.bilinear.dtype == np.uint8
    assert not np.array_equal(case.bicubic, case.bilinear)
    row = protocols.measure(case, case.bicubic)
    assert list(row) == ["psnr", "ssim", "mse"] and all(isinstance(value, float) for value in row.values())


def test_standard_rounds_and_opencv_truncates():
    grey = np.full((40, 40), 100, np.uint8)
    standard = protocols.prepare(grey, 2, "standard")
    opencv = protocols.prepare(grey, 2, "opencv")
    result = np.full((40, 40), 100.7)
    assert (protocols.finish(standard, result) == 101).all()
    assert (protocols.finish(opencv, result) == 100).all()
    assert (protocols.finish(standard, np.full((40, 40), 300.0)) == 255).all()
    assert (protocols.finish(opencv, np.full((40, 40), -9.0)) == 0).all()


def test_the_border_is_left_out():
    case = protocols.prepare(picture(60, 60), 4, "standard")
    result = case.truth.copy()
    result[:4] ^= 255
    assert protocols.measure(case, result) == {"psnr": 100, "ssim": 1, "mse": 0}
    result[4, 30] ^= 255
    assert protocols.measure(case, result)["mse"] > 0


def test_opencv_stores_results_as_jpeg():
    case = protocols.prepare(picture(60, 60), 3, "opencv")
    assert (protocols.finish(case, case.bicubic) != case.bicubic).any()


@pytest.mark.parametrize("protocol", protocols.PROTOCOLS)
@pytest.mark.parametrize("upscale", [2, 3, 4])
def test_a_network_at_low_resolution_sees_the_small_picture(protocol, upscale):
    """Rounded, as files and boards have it; what the bicubic pictures were made from."""
    colours = cv2.GaussianBlur(np.random.default_rng(1).integers(0, 256, (61, 74, 3)).astype(np.uint8), (0, 0), 2)
    case = protocols.prepare(colours, upscale, protocol)
    size = 61 // upscale, 74 // upscale
    assert case.small.shape == size and case.small_rgb.shape == (*size, 3)
    assert all(case.input(kind).dtype == np.uint8 for kind in ("upscaled", "y", "rgb"))
    truth = colours[: size[0] * upscale, : size[1] * upscale]
    if protocol == "standard":
        np.testing.assert_array_equal(case.small, np.round(imresize(rgb_to_y(truth), 1 / upscale).clip(0, 255)))
        green = imresize(np.ascontiguousarray(truth[:, :, 1]), 1 / upscale)
        np.testing.assert_array_equal(case.small_rgb[:, :, 1], np.round(green.clip(0, 255)))
    enlarged = imresize(case.small, upscale) if protocol == "standard" else opencv_resize(case.small, case.truth.shape)
    assert np.abs(case.bicubic.astype(float) - enlarged).max() <= 1.6, "upscaled from before the rounding"
    grey = protocols.prepare(np.ascontiguousarray(colours[:, :, 0]), upscale, protocol)
    assert grey.small_rgb.shape == (*size, 3) and np.ptp(grey.small_rgb, axis=2).max() == 0


def test_bad_input():
    with pytest.raises(UserError, match="too small to be compared at x3; it needs 18 pixels"):
        protocols.prepare(picture(17, 40), 3)
    protocols.measure(case := protocols.prepare(picture(18, 18), 3), case.bicubic)
    with pytest.raises(UserError, match="no protocol 'y'"):
        protocols.prepare(picture(40, 40), 3, "y")
