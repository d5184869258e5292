"""HDR videos on a usual screen, held against the formulas of BT.2100 and BT.2390 written down once more."""

import time

import numpy as np
import pytest

from host.video.read import hdr
from host.video.read.source import Source
from tests.host.test_video import write_hdr

av = pytest.importorskip("av")
PQ, HLG = 16, 18
MASTERED = (
    "hdr10=1:master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1):max-cll=1000,400"
)


def pq_signal(light):
    y = (light / 10000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * y) / (1 + 18.6875 * y)) ** 78.84375


def pq_light(signal):
    p = signal ** (1 / 78.84375)
    return 10000 * (max(p - 0.8359375, 0) / (18.8515625 - 18.6875 * p)) ** (1 / 0.1593017578125)


def hlg_light(rgb):
    scene = [s * s / 3 if s <= 0.5 else (np.exp((s - 0.55991073) / 0.17883277) + 0.28466892) / 12 for s in rgb]
    luma = 0.2627 * scene[0] + 0.678 * scene[1] + 0.0593 * scene[2]
    return [1000 * luma**0.2 * each if luma else 0.0 for each in scene]


def compressed(light):
    """BT.2390's EETF, from 1000 to 203 cd/m2."""
    low, high = pq_signal(203), pq_signal(1000)
    e, most = min(pq_signal(light) / high, 1), low / high
    knee = 1.5 * most - 0.5
    if e >= knee:
        t = (e - knee) / (1 - knee)
        e = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (3 * t**2 - 2 * t**3) * most
    return pq_light(e * high) / 203


def expected(rgb, transfer):
    light = [pq_light(s) for s in rgb] if transfer == PQ else hlg_light(rgb)
    r, g, b = (compressed(each) for each in light)
    # ITU-R BT.2087: linear BT.2020 to linear BT.709
    bt709 = (1.6605 * r - 0.5876 * g - 0.0728 * b, -0.1246 * r + 1.1329 * g - 0.0083 * b,
             -0.0182 * r - 0.1006 * g + 1.1187 * b)  # fmt: skip
    return [255 * np.clip(each, 0, 1) ** (1 / 2.4) for each in bt709]


COLOURS = [(v, v, v) for v in (0, 0.1, 0.25, 0.5, 0.58, 0.75, 0.9, 1)] + np.random.default_rng(4).random(
    (8, 3)
).tolist()


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_the_formulas(transfer):
    signal = np.round(np.array(COLOURS) * 65535).astype(np.uint16)
    shown = hdr.to_usual_screen(signal[None], transfer)[0]
    wanted = [expected(each, transfer) for each in signal / 65535]
    assert shown.dtype == np.uint8 and np.abs(shown - np.array(wanted)).max() <= 1


def test_other_primaries():
    """Grey is grey in all; BT.709's are kept."""
    grey = np.full((1, 1, 3), 30000, np.uint16)
    assert len({tuple(hdr.to_usual_screen(grey, PQ, primaries)[0, 0]) for primaries in (1, 9, 12, 22)}) == 1
    red = np.array([[[30000, 0, 0]]], np.uint16)
    assert hdr.to_usual_screen(red, PQ, 1)[0, 0, 1:].tolist() == [0, 0]
    less = [hdr.to_usual_screen(red, PQ, primaries)[0, 0, 0] for primaries in (1, 12, 9)]
    assert less == sorted(less) and less[0] < less[-1]


def test_it_takes_no_seconds():
    frame = np.random.default_rng(0).integers(0, 65536, (540, 960, 3)).astype(np.uint16)
    hdr.to_usual_screen(frame, HLG)
    begin = time.process_time()
    hdr.to_usual_screen(frame, HLG)
    assert time.process_time() - begin < 1


def write(name, transfer, more=()):
    """A video of patches, 64 pixels wide each: 10 bits, limited range, BT.2020."""
    side, width = 64, 64 * len(COLOURS)
    planes = np.zeros((side * 3 // 2, width), np.uint16)
    seen = []
    chroma = planes[side:].reshape(2, side // 2, width // 2)
    for i, (r, g, b) in enumerate(COLOURS):
        luma = 0.2627 * r + 0.678 * g + 0.0593 * b
        y, cb, cr = (
            round(64 + 876 * luma),
            round(512 + 896 * (b - luma) / 1.8814),
            round(512 + 896 * (r - luma) / 1.4746),
        )
        planes[:side, side * i : side * (i + 1)] = y
        chroma[0, :, side // 2 * i : side // 2 * (i + 1)], chroma[1, :, side // 2 * i : side // 2 * (i + 1)] = cb, cr
        y, cb, cr = (y - 64) / 876, (cb - 512) / 896, (cr - 512) / 896
        red, blue = y + 1.4746 * cr, y + 1.8814 * cb
        green = (y - 0.2627 * red - 0.0593 * blue) / 0.678
        seen.append(np.clip([red, green, blue], 0, 1))
    write_hdr(name, planes, transfer, "libx265", {"x265-params": ":".join(["log-level=none", "lossless=1", *more])})
    return seen


@pytest.mark.parametrize("more", [(), (MASTERED,)], ids=["silent", "mastered"])
@pytest.mark.parametrize("transfer, page", [(PQ, 0.58), (HLG, 0.75)])
def test_a_white_page_is_white_whatever_the_file_says_of_its_screen(tmp_path, transfer, page, more):
    """swscale makes 131 of 255 of it, where the file says a peak of 1000 cd/m2."""
    colours = write(str(tmp_path / "a.mkv"), transfer, more)
    with Source(tmp_path / "a.mkv") as source:
        frames = [picture.pixels for _, picture in source.read()]
    shown = np.array([frames[1][32, 64 * i + 32] for i in range(len(COLOURS))])
    wanted = np.array([expected(each, transfer) for each in colours])
    assert np.abs(shown - wanted)[:8].max() <= 2  # greys
    dark = wanted < 30  # there a step of the 10 bits is several of the result's
    assert np.abs(shown - wanted)[~dark].max() <= 4
    white = shown[COLOURS.index((page,) * 3)]
    assert white.min() >= 225 and shown[7].min() >= 254
