"""Picture files as people have them. OpenCV, which the reader does not use, is the witness where it can be."""

import io
import os
import pathlib
import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from model.base.errors import UserError
from model.imaging.files import Picture, check_output, read_picture, write_picture
from tests.pictures import UPRIGHT

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, about damaged files; silenced in the host

RNG = np.random.default_rng(6)
COLOUR = RNG.integers(0, 256, (13, 17, 3)).astype(np.uint8)
GREY = COLOUR[:, :, 0].copy()
ALPHA = COLOUR[:, :, 1].copy()
SMOOTH = cv2.resize(COLOUR[:4, :4], (40, 32), interpolation=cv2.INTER_CUBIC)  # JPEG doesn't hurt it much


def encoded(array, kind, **options):
    data = io.BytesIO()
    Image.fromarray(array).save(data, kind, **options)
    return data.getvalue()


def deep_tif(**options):
    tifffile = pytest.importorskip("tifffile")
    file = io.BytesIO()
    tifffile.imwrite(file, np.dstack([COLOUR, ALPHA]).astype(np.uint16) * 257, photometric="rgb", **options)
    return file.getvalue()


def read_bytes(data, folder, name="picture"):
    path = folder / name
    path.write_bytes(data)
    return read_picture(path)


# --- reading ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (5, 1), (13, 17)])
def test_lossless_colour_written_by_opencv(tmp_path, suffix, shape):
    rgb = RNG.integers(0, 256, (*shape, 3)).astype(np.uint8)
    cv2.imwrite(str(tmp_path / f"p{suffix}"), rgb[:, :, ::-1])
    picture = read_picture(tmp_path / f"p{suffix}")
    np.testing.assert_array_equal(picture.pixels, rgb)
    assert picture.alpha is None and picture.notes == () and picture.size == shape[::-1]


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif"])
def test_grey_stays_grey(tmp_path, suffix):
    cv2.imwrite(str(tmp_path / f"p{suffix}"), GREY)
    np.testing.assert_array_equal(read_picture(tmp_path / f"p{suffix}").pixels, GREY)


def test_jpg_as_opencv_reads_it(tmp_path):
    data = encoded(SMOOTH, "JPEG", quality=95)
    expected = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]
    assert np.abs(read_bytes(data, tmp_path).pixels.astype(int) - expected).max() <= 2


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_transparency(tmp_path, kind):
    picture = read_bytes(encoded(np.dstack([COLOUR, ALPHA]), kind), tmp_path)
    np.testing.assert_array_equal(picture.pixels, COLOUR)
    np.testing.assert_array_equal(picture.alpha, ALPHA)
    picture = read_bytes(encoded(np.dstack([GREY, ALPHA]), kind), tmp_path)
    np.testing.assert_array_equal(picture.pixels, GREY)
    np.testing.assert_array_equal(picture.alpha, ALPHA)


def test_palette(tmp_path):
    indexed = Image.fromarray(COLOUR).quantize(16)
    expected = np.asarray(indexed.convert("RGB"))
    assert len(np.unique(expected.reshape(-1, 3), axis=0)) > 4
    for kind in ("PNG", "BMP", "TIFF"):
        data = io.BytesIO()
        indexed.save(data, kind)
        np.testing.assert_array_equal(read_bytes(data.getvalue(), tmp_path).pixels, expected)


def test_palette_with_a_transparent_colour(tmp_path):
    indexed = Image.fromarray(COLOUR).quantize(16)
    data = io.BytesIO()
    indexed.save(data, "PNG", transparency=3)
    picture = read_bytes(data.getvalue(), tmp_path)
    np.testing.assert_array_equal(picture.alpha, np.where(np.asarray(indexed) == 3, 0, 255))


def test_two_colours(tmp_path):
    picture = read_bytes(encoded(GREY > 99, "PNG"), tmp_path)
    np.testing.assert_array_equal(picture.pixels, np.where(GREY > 99, 255, 0))


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_sixteen_bits_stay_sixteen(tmp_path, suffix, channels):
    deep = RNG.integers(0, 1 << 16, (9, 11, channels)).astype(np.uint16)
    order = [0] if channels == 1 else [2, 1, 0, 3][:channels]
    cv2.imwrite(str(tmp_path / f"p{suffix}"), deep[:, :, order])
    picture = read_picture(tmp_path / f"p{suffix}")
    np.testing.assert_array_equal(picture.pixels, deep[:, :, 0] if channels == 1 else deep[:, :, :3])
    if channels == 4 and suffix == ".png":  # OpenCV's tifs don't say what the fourth channel is
        np.testing.assert_array_equal(picture.alpha, deep[:, :, 3])
    np.testing.assert_array_equal(picture.shallow().pixels, np.floor(picture.pixels / 257 + 0.5))


def deep_png(samples, kind, more=b""):
    """A PNG of 16 bits, put together by hand."""
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    header = struct.pack(">IIBBBBB", samples.shape[1], samples.shape[0], 16, kind, 0, 0, 0)

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    parts = (
        chunk(b"IHDR", header),
        more and chunk(b"tRNS", more),
        chunk(b"IDAT", zlib.compress(rows)),
        chunk(b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def test_deep_png_with_grey_and_transparency(tmp_path):
    deep = RNG.integers(0, 1 << 16, (9, 11, 2)).astype(np.uint16)
    picture = read_bytes(deep_png(deep, 4), tmp_path)
    np.testing.assert_array_equal(picture.pixels, deep[:, :, 0])
    np.testing.assert_array_equal(picture.alpha, deep[:, :, 1])


def test_deep_animation(tmp_path):
    """The first frame's own samples, not what an animation would lay one over the other."""
    deep = RNG.integers(0, 1 << 16, (9, 11, 4)).astype(np.uint16)
    data = deep_png(deep, 6)
    more = b""
    control = struct.pack(">II", 1, 0), struct.pack(">5I2H2B", 0, 11, 9, 0, 0, 1, 9, 0, 1)
    for name, content in zip((b"acTL", b"fcTL"), control):
        more += struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
    picture = read_bytes(data[:33] + more + data[33:], tmp_path)
    np.testing.assert_array_equal(picture.pixels, deep[:, :, :3])
    np.testing.assert_array_equal(picture.alpha, deep[:, :, 3])


@pytest.mark.parametrize("kind, channels", [(0, 1), (2, 3)])
def test_deep_png_with_a_transparent_colour(tmp_path, kind, channels):
    deep = RNG.integers(0, 1 << 16, (9, 11, channels)).astype(np.uint16)
    deep[1, 2] = deep[0, 0] ^ 1  # a colour that is the same in eight bits
    picture = read_bytes(deep_png(deep, kind, deep[0, 0].astype(">u2").tobytes()), tmp_path)
    np.testing.assert_array_equal(picture.pixels, deep[:, :, 0] if channels == 1 else deep)
    assert np.argwhere(picture.alpha == 0).tolist() == [[0, 0]] and picture.alpha.max() == 65535


def test_big_endian_sixteen_bit_grey_tif(tmp_path):
    deep = RNG.integers(0, 1 << 16, (9, 11)).astype(np.uint16)
    Image.frombytes("I;16B", (11, 9), deep.astype(">u2").tobytes()).save(tmp_path / "p.tif")
    np.testing.assert_array_equal(read_picture(tmp_path / "p.tif").pixels, deep)


@pytest.mark.parametrize("white", [1, 3, 100, 255, 256, 1023, 65535])
@pytest.mark.parametrize("kind", ["P2", "P3", "P5", "P6"])
def test_portable_maps_are_scaled_by_their_declared_maximum(tmp_path, kind, white):
    count = 3 if kind in ("P3", "P6") else 1
    values = RNG.integers(0, white + 1, (5, 7, count))
    header = f"{kind}\n# a comment\n7 5\n{white}\n".encode()
    if kind in ("P2", "P3"):
        data = " ".join(map(str, values.ravel())).encode()
    else:
        data = values.astype(">u2" if white > 255 else np.uint8).tobytes()
    picture = read_bytes(header + data, tmp_path, "p.ppm")
    full = 255 if white <= 255 else 65535
    expected = np.floor(values * full / white + 0.5)
    np.testing.assert_array_equal(picture.pixels, expected if count == 3 else expected[:, :, 0])
    assert picture.pixels.dtype == (np.uint8 if white <= 255 else np.uint16)


def test_sixteen_bit_per_pixel_bmp_is_not_deep(tmp_path):
    # a 5-6-5 bitmap of one row: red, green
    pixels = struct.pack("<HH", 31 << 11, 63 << 5)
    header = struct.pack("<IiiHHIIiiIIIII", 40, 2, 1, 1, 16, 3, 4, 0, 0, 0, 0, 31 << 11, 63 << 5, 31)
    picture = read_bytes(b"BM" + struct.pack("<IHHI", 70, 0, 0, 66) + header + pixels, tmp_path)
    assert picture.pixels.tolist() == [[[255, 0, 0], [0, 255, 0]]] and picture.notes == ()


@pytest.mark.parametrize("array", [GREY.astype(np.float32), GREY.astype(np.int32)])
def test_32_bits_are_refused(tmp_path, array):
    Image.fromarray(array).save(tmp_path / "p.tif")
    with pytest.raises(
        UserError, match="(signed|floating-point) samples of 32 bits .* the limit is .* 16 bits: convert"
    ):
        read_picture(tmp_path / "p.tif")


def test_cmyk_jpg(tmp_path):
    rgb = np.full((16, 16, 3), (200, 40, 90), np.uint8)
    data = io.BytesIO()
    Image.fromarray(rgb).convert("CMYK").save(data, "JPEG", quality=100)
    picture = read_bytes(data.getvalue(), tmp_path)
    assert np.abs(picture.pixels.astype(int) - rgb).max() < 6
    assert any("CMYK" in note for note in picture.notes)


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_exif_orientation(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    sizes = []
    path = tmp_path / "p.png"
    path.write_bytes(encoded(COLOUR, "PNG", exif=exif))
    picture = read_picture(path, lambda width, height: sizes.append((width, height)))
    np.testing.assert_array_equal(picture.pixels, UPRIGHT[orientation](COLOUR))
    assert sizes == [(17, 13)]  # as stored: checked before anything is decoded
    witness = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if witness is not None and orientation != 1 and witness.shape == picture.pixels.shape:
        np.testing.assert_array_equal(picture.pixels, witness[:, :, ::-1])


def test_second_page_is_mentioned(tmp_path):
    Image.fromarray(GREY).save(tmp_path / "p.tif", save_all=True, append_images=[Image.fromarray(GREY[::-1])])
    picture = read_picture(tmp_path / "p.tif")
    np.testing.assert_array_equal(picture.pixels, GREY)
    assert "2 pages" in picture.notes[0]


# --- bad input -------------------------------------------------------------------------------------------


def test_size_is_checked_before_decoding(tmp_path, monkeypatch):
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda self: pytest.fail("decoded before its size was checked"))
    # a picture of 10 gigapixels in 60 bytes
    bomb = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", 100000, 100000, 8, 2, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(b""))
    )
    (tmp_path / "bomb.png").write_bytes(bomb)

    def refuse(width, height):
        raise UserError(f"{width}x{height} is too large")

    with pytest.raises(UserError, match="100000x100000 is too large"):
        read_picture(tmp_path / "bomb.png", refuse)


@pytest.mark.parametrize(
    "prepare, says",
    [
        (lambda path: None, "there is no file .*check the name"),
        (lambda path: path.touch(), "is empty"),
        (lambda path: path.mkdir(), "is a folder"),
        (lambda path: path.write_text("hello"), "not a readable bmp, png, jpg, tif"),
        (lambda path: path.write_bytes(encoded(COLOUR, "ICO")), "not a readable"),
        (
            lambda path: path.write_bytes(b"\x76\x2f\x31\x01" + bytes(99)),
            "OpenEXR, light in floating point .*tone-map it",
        ),
        (lambda path: path.write_bytes(b"8BPS" + bytes(99)), "Photoshop's own format.*export it"),
        (lambda path: os.mkfifo(path), "not a regular file"),
    ],
)
def test_no_picture(tmp_path, prepare, says):
    prepare(tmp_path / "p.png")
    with pytest.raises(UserError, match=says):
        read_picture(tmp_path / "p.png")


@pytest.mark.parametrize("name", ["x" * 5000, "nul\0byte"])
def test_impossible_names(name):
    with pytest.raises(UserError, match="cannot read"):
        read_picture(name)


FILES = {
    "png": encoded(COLOUR, "PNG"),
    "jpg": encoded(SMOOTH, "JPEG"),
    "progressive jpg": encoded(SMOOTH, "JPEG", progressive=True),
    "bmp": encoded(COLOUR, "BMP"),
    "tif": encoded(COLOUR, "TIFF"),
    "lzw tif": encoded(COLOUR, "TIFF", compression="tiff_lzw"),
    "grey png": encoded(GREY, "PNG"),
    "palette png": encoded(COLOUR[:, :, 0] // 16, "PNG"),
}
# And those whose end marks, or missing pixels, their own decoders don't mind: damaged they are read, or refused.
MORE_FILES = {
    "webp": encoded(COLOUR, "WEBP", lossless=True),
    "gif": encoded(GREY, "GIF"),
    "jp2": encoded(COLOUR, "JPEG2000"),
    "avif": encoded(SMOOTH, "AVIF"),
    "ppm": encoded(COLOUR, "PPM"),
    "pgm of 16 bits": b"P5 17 13 1023\n" + (GREY.astype(">u2") * 4).tobytes(),
    "deep tif": deep_tif(extrasamples=["assocalpha"], compression="zlib", predictor=True, rowsperstrip=4),
    "planar tiles": deep_tif(extrasamples=["unassalpha"], planarconfig="contig", tile=(16, 16), byteorder=">"),
    "animation": encoded(COLOUR, "PNG", save_all=True, append_images=[Image.fromarray(COLOUR[::-1])]),
}


@pytest.mark.parametrize("kind", FILES)
def test_cut_short_is_never_shown_as_whole(tmp_path, kind):
    """At any length: an error, or all the pixels (where only an end mark is missing)."""
    data = FILES[kind]
    whole = read_bytes(data, tmp_path).pixels
    refused = 0
    lengths = [length for length in range(len(data)) if length % 7 == 0 or length + 30 > len(data)]
    for length in lengths:
        try:
            np.testing.assert_array_equal(
                read_bytes(data[:length], tmp_path).pixels, whole, err_msg=f"{kind} cut at {length}"
            )
        except UserError:
            refused += 1
    assert refused > len(lengths) / 2


@settings(max_examples=300, deadline=None, print_blob=True)
@given(
    kind=st.sampled_from(sorted(FILES | MORE_FILES)),
    place=st.floats(0, 1, exclude_max=True),
    value=st.integers(1, 255),
    garbage=st.binary(max_size=40),
)
@example("lzw tif", 0.0, 1, b"")
def test_damaged_files_end_in_a_picture_or_one_sentence(tmp_path_factory, kind, place, value, garbage):
    data = bytearray((FILES | MORE_FILES)[kind])
    at = int(place * len(data))
    data[at] ^= value
    data[at + 1 : at + 1 + len(garbage)] = garbage

    def refuse(width, height):
        if width * height > 1 << 20:
            raise UserError("too large")

    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(bytes(data))
    try:
        assert read_picture(path, refuse).pixels.dtype in (np.uint8, np.uint16)
    except UserError as error:
        assert "\n" not in str(error)


# --- writing ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".tiff", ".PNG"])
@pytest.mark.parametrize("pixels", [COLOUR, GREY, COLOUR[:1, :1]], ids=["colour", "grey", "1x1"])
def test_written_files_are_read_by_opencv(tmp_path, suffix, pixels):
    path = tmp_path / f"p{suffix}"
    assert write_picture(path, Picture(pixels)) == ()
    found = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(found if pixels.ndim == 2 else found[:, :, ::-1], pixels)
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("pixels", [COLOUR, GREY], ids=["colour", "grey"])
def test_transparency_is_kept(tmp_path, suffix, pixels):
    path = tmp_path / f"p{suffix}"
    assert write_picture(path, Picture(pixels, ALPHA)) == ()
    found = np.asarray(Image.open(path))
    np.testing.assert_array_equal(found[:, :, -1], ALPHA)
    np.testing.assert_array_equal(found[:, :, 0], pixels if pixels.ndim == 2 else pixels[:, :, 0])


@pytest.mark.parametrize("suffix", [".jpg", ".bmp"])
def test_dropped_transparency_is_said(tmp_path, suffix):
    assert "transparency" in write_picture(tmp_path / f"p{suffix}", Picture(SMOOTH, SMOOTH[:, :, 0]))[0]
    found = cv2.imread(str(tmp_path / f"p{suffix}"))[:, :, ::-1]
    share = SMOOTH[:, :, :1] / 255  # over white
    assert np.abs(found - (SMOOTH * share + 255 * (1 - share))).mean() < 3


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
def test_colour_profile_goes_through(tmp_path, suffix):
    write_picture(tmp_path / f"p{suffix}", Picture(COLOUR, icc=b"a profile"))
    assert read_picture(tmp_path / f"p{suffix}").icc == b"a profile"


def test_outputs_that_cannot_be(tmp_path):
    source = tmp_path / "source.png"
    source.write_bytes(FILES["png"])
    (tmp_path / "link.png").symlink_to(source)
    (tmp_path / "folder.png").mkdir()
    for output, says in [
        ("result.gif", "choose .png, .bmp"),
        ("result", "missing; choose"),
        ("source.png", "is the input"),
        ("link.png", "is the input"),
        ("folder.png", "is a folder"),
        ("none/result.png", "folder .*none does not exist"),
        ("source.png/result.png", "Not a directory"),
        ("/proc/result.png", "cannot write /proc/result.png"),
        ("x" * 300 + ".png", "its name has 304 bytes, the limit there is 255; choose a shorter name"),
    ]:
        with pytest.raises(UserError, match=says):
            check_output(tmp_path / output, source)
    with pytest.raises(UserError, match="65500.*70000x3"):
        check_output(tmp_path / "result.jpg", source, (70000, 3))
    check_output(tmp_path / "result.jpg", source, (65500, 3))
    assert sorted(os.listdir(tmp_path)) == ["folder.png", "link.png", "source.png"]
    assert source.read_bytes() == FILES["png"]


def test_write_protected_output(tmp_path, monkeypatch):
    (tmp_path / "source.png").touch()
    (tmp_path / "result.png").touch()
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)  # root may write everywhere
    with pytest.raises(UserError, match="write-protected"):
        check_output(tmp_path / "result.png", tmp_path / "source.png")
    check_output(tmp_path / "other.png", tmp_path / "source.png")


def test_a_failing_write_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "p.png"
    path.write_text("old")

    def full(self, data):
        with open(self, "wb") as file:
            file.write(bytes(data)[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pathlib.Path, "write_bytes", full)
    with pytest.raises(UserError, match="No space left"):
        write_picture(path, Picture(COLOUR))
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["p.png"]
