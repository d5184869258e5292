"""TIFF: the whole matrix of layouts, written and read by tifffile; equal, or refused in one sentence."""

import collections
import itertools
import struct

import numpy as np
import pytest

tifffile = pytest.importorskip("tifffile")
imagecodecs = pytest.importorskip("imagecodecs")

from model.base.errors import UserError
from model.base.paths import ROOT
from model.imaging.files import read_picture

RNG = np.random.default_rng(16)
HEIGHT, WIDTH = 19, 37
BITS = {
    "unsigned": [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 24, 32, 64],
    "signed": [8, 16, 32, 64],
    "float": [16, 32, 64],
    "complex": [64, 128],
}
CHANNELS = {"miniswhite": 1, "minisblack": 1, "rgb": 3, "palette": 1, "separated": 4}
NAMES = {  # in docs/files.md
    "miniswhite": "white is zero",
    "minisblack": "black is zero",
    "rgb": "RGB",
    "palette": "palette",
    "separated": "CMYK",
}
CODECS = {"none": None, "lzw": "lzw", "deflate": "zlib", "packbits": "packbits", "lzma": "lzma", "zstd": "zstd"}
ALPHA = {"opaque": (), "straight": ("unassalpha",), "multiplied": ("assocalpha",), "unspecified": ("unspecified",)}


def dtype_of(kind, bits):
    letter = {"unsigned": "u", "signed": "i", "float": "f", "complex": "c"}[kind]
    return np.dtype(f"{letter}{max(1, 2 ** int(np.ceil(np.log2(bits / 8))))}")


def samples(kind, bits, channels):
    dtype = dtype_of(kind, bits)
    shape = (HEIGHT, WIDTH, channels)
    if kind == "unsigned":
        return RNG.integers(0, 1 << min(bits, 63), shape, np.uint64).astype(dtype)
    return (RNG.random(shape) * 100).astype(dtype)


def make(
    path,
    photometric,
    kind,
    bits,
    codec="none",
    planar=False,
    alpha="opaque",
    predictor=False,
    order="<",
    tile=None,
    **more,
):
    """Write one file with tifffile; return False where tifffile can't."""
    count = CHANNELS[photometric] + len(ALPHA[alpha])
    data = samples(kind, bits, count)
    options = {
        "photometric": photometric,
        "compression": CODECS[codec],
        "tile": tile,
        "rowsperstrip": None if tile else 5,
    }
    if photometric == "palette":
        options["colormap"] = RNG.integers(0, 65536, (3, 1 << bits)).astype(np.uint16) if bits <= 16 else None
    if count > 1:
        options["planarconfig"] = "separate" if planar else "contig"
        options["extrasamples"] = ALPHA[alpha]
        data = np.moveaxis(data, 2, 0) if planar else data
    else:
        data = data[:, :, 0]
    if predictor:
        options["predictor"] = True
    if bits not in (8, 16, 32, 64, 128):
        options["bitspersample"] = bits
    if bits == 1:
        data = data.astype(bool)
        options.pop("bitspersample")
    try:
        with tifffile.TiffWriter(path, byteorder=order, **more) as writer:
            writer.write(data, metadata=None, **options)
        with tifffile.TiffFile(path) as file:  # and says what it has written
            page = file.pages[0]
            return page.photometric.name.lower() == photometric and page.bitspersample == bits
    except ValueError:  # tifffile's word for what it does not write
        return False


def oracle(path):
    """What tifffile reads, taken from nothing to the largest value of its bits: pixels and alpha, or None if there is
    no such thing.
    """
    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        data = page.asarray()
        if page.dtype.kind not in "ub" or page.bitspersample > 16:
            return None
        if page.planarconfig == 2 and data.ndim == 3:
            data = np.moveaxis(data, 0, 2)
        data = data.reshape(HEIGHT, WIDTH, -1).astype(np.uint64)
        photometric = page.photometric.name.lower()
        if photometric == "palette":
            return (page.colormap >> 8).astype(np.uint8).T[data[:, :, 0]], None
        white = (1 << page.bitspersample) - 1
        full = 255 if page.bitspersample <= 8 else 65535
        data = np.floor(data * full / white + 0.5).astype(np.int64)
        count, extra = CHANNELS[photometric], page.extrasamples
        pixels, alpha = data[:, :, :count], None
        if photometric == "miniswhite":
            pixels = full - pixels
        if extra and extra[0] in (1, 2):
            alpha = data[:, :, count]
            if extra[0] == 1:
                with np.errstate(divide="ignore", invalid="ignore"):
                    straight = np.floor(pixels * full / alpha[:, :, None] + 0.5)
                pixels = np.where(alpha[:, :, None] == 0, 0, np.minimum(straight, full)).astype(np.int64)
        return pixels[:, :, 0] if count == 1 else pixels, alpha


def compare(path):
    """Return "equal" or "refused"; anything else is an error."""
    expected = oracle(path)
    try:
        picture = read_picture(path)
    except UserError as error:
        assert "\n" not in str(error) and "convert" in str(error) or "save it" in str(error), error
        return "refused"
    assert expected is not None, "read what does not say what is white"
    pixels, alpha = expected
    if pixels.ndim == 3 and pixels.shape[2] == 4:  # inks: near what the usual formula says
        inks = pixels / pixels.max()
        near = 255 * (1 - inks[:, :, :3]) * (1 - inks[:, :, 3:])
        assert np.abs(picture.pixels - near).max() <= 3 and any("CMYK" in note for note in picture.notes)
        return "equal"
    np.testing.assert_array_equal(picture.pixels, pixels)
    if alpha is None:
        assert picture.alpha is None
    else:
        np.testing.assert_array_equal(picture.alpha, alpha)
    return "equal"


def combinations():
    for photometric in CHANNELS:
        for kind, widths in BITS.items():
            for bits in widths:
                yield photometric, kind, bits


@pytest.mark.parametrize("photometric", CHANNELS)
def test_matrix(tmp_path, photometric, capfd, record_property):
    """Every kind and number of bits with every codec, planes, transparency, predictor, byte order, strips and tiles."""
    path, found = tmp_path / "p.tif", collections.Counter()
    few = (False, "<", None), (True, ">", (16, 32)), (False, ">", None)
    wide = [(kind, bits) for kind, widths in BITS.items() for bits in widths]
    for (kind, bits), codec, planar, alpha in itertools.product(wide, CODECS, [False, True], ALPHA):
        common = bits in (8, 16) and kind == "unsigned"
        if not common and (planar or alpha != "opaque") and codec not in ("none", "deflate"):
            continue
        for predictor, order, tile in itertools.product([False, True], "<>", [None, (16, 32)]):
            if not common and (predictor, order, tile) not in few:
                continue
            if common and codec != "lzw" and (order, tile) == ("<", (16, 32)):
                continue
            if not make(path, photometric, kind, bits, codec, planar, alpha, predictor, order, tile):
                found["not written by tifffile"] += 1
                continue
            what = f"{photometric} {kind} {bits} {codec} {planar=} {alpha} {predictor=} {order} {tile}"
            try:
                answer = compare(path)
            except Exception as error:
                raise AssertionError(what) from error
            found[answer] += 1
            if kind == "unsigned" and (bits in (8, 16) if photometric == "separated" else bits <= 16):
                assert answer == "equal", f"{what} was refused"
    _, err = capfd.readouterr()
    assert err == ""
    with capfd.disabled():
        print(f"\n{photometric}: {dict(found)}")
    page = (ROOT / "docs" / "files.md").read_text()
    assert f"| {NAMES[photometric]} | {found['equal']} | {found['refused']} |\n" in page


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("photometric", ["rgb", "miniswhite", "palette"])
def test_bigtiff(tmp_path, photometric, order):
    assert make(tmp_path / "p.tif", photometric, "unsigned", 8, "deflate", order=order, bigtiff=True)
    assert (tmp_path / "p.tif").read_bytes()[2:4] in (b"+\0", b"\0+") and compare(tmp_path / "p.tif") == "equal"


@pytest.mark.parametrize("bits, codec", [(1, "none"), (8, "deflate"), (4, "none")])
def test_bits_in_the_other_order(tmp_path, bits, codec):
    path = tmp_path / "p.tif"
    assert make(path, "minisblack", "unsigned", bits, codec)
    data = path.read_bytes()
    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        expected = oracle(path)[0]
        places = list(zip(page.dataoffsets, page.databytecounts))
        at = page.tags["ResolutionUnit"].offset
    for offset, count in places:
        turned = bytes(int(f"{byte:08b}"[::-1], 2) for byte in data[offset : offset + count])
        data = data[:offset] + turned + data[offset + count :]
    data = data[:at] + struct.pack("<HHIHH", 266, 3, 1, 2, 0) + data[at + 12 :]  # FillOrder in the place of it
    path.write_bytes(data)
    np.testing.assert_array_equal(read_picture(path).pixels, expected)


@pytest.mark.parametrize("photometric", ["rgb", "minisblack", "ycbcr"])
def test_jpeg_inside(tmp_path, photometric):
    smooth = np.add.outer(np.arange(40), 2 * np.arange(48)).astype(np.uint8)
    data = smooth if photometric == "minisblack" else np.dstack([smooth, smooth[::-1], smooth.T[:40, :1] + 0 * smooth])
    tifffile.imwrite(
        tmp_path / "p.tif",
        data,
        photometric=photometric,
        compression="jpeg",
        compressionargs={"level": 98},
        rowsperstrip=16,
    )
    picture = read_picture(tmp_path / "p.tif").pixels.astype(int)
    assert picture.shape == data.shape and (photometric == "ycbcr" or np.abs(picture - data).mean() < 3)
    assert np.abs(picture - tifffile.imread(tmp_path / "p.tif")).mean() < 3


@pytest.mark.parametrize("codec", ["jpegxl", "webp", "png", "jpeg2000"])
def test_other_codecs_are_refused_by_name(tmp_path, codec):
    tifffile.imwrite(tmp_path / "p.tif", samples("unsigned", 8, 3), photometric="rgb", compression=codec)
    with pytest.raises(UserError, match="is compressed by .*; save it with LZW or deflate"):
        read_picture(tmp_path / "p.tif")


def test_the_first_full_picture_and_not_its_thumbnail(tmp_path):
    with tifffile.TiffWriter(tmp_path / "p.tif") as writer:
        writer.write(np.zeros((4, 5), np.uint8), subfiletype=1, photometric="minisblack")
        writer.write(np.full((8, 10), 7, np.uint8), photometric="minisblack")
    picture = read_picture(tmp_path / "p.tif")
    assert picture.pixels.tolist() == [[7] * 10] * 8 and picture.notes == ()


@pytest.mark.parametrize("codec", [*CODECS, "jpeg"])
def test_damage_is_one_sentence_and_nothing_on_the_screen(tmp_path, codec, capfd):
    data = samples("unsigned", 8, 3)
    compression = CODECS.get(codec, codec)
    tifffile.imwrite(
        tmp_path / "w.tif", data, photometric="rgb", compression=compression, rowsperstrip=5, metadata=None
    )
    whole = (tmp_path / "w.tif").read_bytes()
    with tifffile.TiffFile(tmp_path / "w.tif") as file:
        start = file.pages[0].dataoffsets[1]
    refused = 0
    for seed in range(30):
        rng = np.random.default_rng(seed)
        at = int(rng.integers(start, len(whole) - 20))
        damaged = whole[:at] + rng.bytes(20) + whole[at + 20 :] if seed % 2 else whole[:at]
        (tmp_path / "p.tif").write_bytes(damaged)
        try:
            read_picture(tmp_path / "p.tif")
        except UserError as error:
            refused += 1
            assert "\n" not in str(error)
    assert refused >= 15 and capfd.readouterr().err == ""
