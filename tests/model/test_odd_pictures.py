"""Picture files that are rare and right, or damaged in ways that decoders pass over; made byte by byte here."""

import dataclasses
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from model.base.errors import UserError
from model.imaging.files import picture_header, read_picture, write_picture

RNG = np.random.default_rng(16)


def chunk(name, content):
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(samples, bits, kind=0, more=b""):
    """A PNG of samples (H, W) or (H, W, C), each row unfiltered and padded to bytes."""
    height, width = samples.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    rows = []
    for row in samples.reshape(height, -1):
        loose = (row[:, None].astype(np.int64) >> np.arange(bits)[::-1]) & 1
        rows.append(b"\0" + np.packbits(loose.astype(np.uint8).reshape(-1)).tobytes())
    pixels = chunk(b"IDAT", zlib.compress(b"".join(rows)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + more + pixels + chunk(b"IEND", b"")


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_the_grey_that_a_png_calls_transparent(tmp_path, bits):
    samples = RNG.integers(0, 1 << bits, (5, 9))
    hidden = int(samples[2, 3])
    # only the lower bits count, says the standard
    (tmp_path / "a.png").write_bytes(png(samples, bits, more=chunk(b"tRNS", struct.pack(">H", hidden))))
    picture = read_picture(tmp_path / "a.png")
    full = 65535 if bits == 16 else 255
    np.testing.assert_array_equal(picture.alpha, np.where(samples == hidden, 0, full))
    np.testing.assert_array_equal(picture.pixels, samples * full // ((1 << bits) - 1))


def test_a_chunk_that_claims_the_rest_of_the_world(tmp_path):
    """OpenCV would take 4 GB of memory for it."""
    data = bytearray(png(RNG.integers(0, 65536, (4, 5)), 16, more=chunk(b"gAMA", struct.pack(">I", 45455))))
    colour = bytearray(png(RNG.integers(0, 65536, (4, 5, 3)), 16, 2))
    for name, content in (("grey.png", data), ("colour.png", colour)):
        at = content.index(b"IDAT") - 4
        content[at : at + 4] = b"\xfe\0\0\0"
        (tmp_path / name).write_bytes(content)
        try:
            read_picture(tmp_path / name)
        except UserError as error:
            assert "is damaged or cut short" in str(error) and "4 GB" not in str(error)
        else:
            assert name == "grey.png"  # Pillow has all of it
    with pytest.raises(UserError, match="a chunk is longer than the file"):
        read_picture(tmp_path / "colour.png")


def heic(tmp_path, samples, bits, **options):
    pillow_heif = pytest.importorskip("pillow_heif")
    mode = {3: "RGB;16", 4: "RGBA;16"}[samples.shape[2]]
    file = pillow_heif.from_bytes(mode=mode, size=samples.shape[1::-1], data=(samples << (16 - bits)).tobytes())
    file.save(tmp_path / "a.heic", quality=-1, chroma=444, **options)
    return tmp_path / "a.heic"


def test_heic_of_ten_bits_keeps_them(tmp_path):
    """A ramp of 1024 steps, which 8 bits don't have; libheif rounds on its way through Y, Cb and Cr."""
    ramp = np.repeat(np.linspace(0, 1023, 512).round().astype(np.uint16)[None, :, None], 16, axis=0).repeat(3, axis=2)
    path = heic(tmp_path, ramp, 10)
    picture = read_picture(path)
    assert picture.deep and picture.notes == () and picture_header(path) == ((512, 16), 3, 2)
    expected = np.round(ramp.astype(float) * 65535 / 1023)
    assert np.abs(picture.pixels - expected).max() <= 2 * 65535 / 1023
    assert len(np.unique(picture.pixels[:, :, 1])) > 400  # 8 bits have 256
    np.testing.assert_array_equal(picture.shallow().pixels, (picture.pixels.astype(np.uint32) + 128) // 257)


def test_heic_of_ten_bits_with_transparency(tmp_path):
    samples = np.dstack([np.full((16, 32, 3), 300, np.uint16), np.arange(0, 1024, 2).reshape(16, 32).astype(np.uint16)])
    picture = read_picture(heic(tmp_path, samples, 10))
    expected = np.round(samples[:, :, 3].astype(float) * 65535 / 1023)
    assert picture.alpha.dtype == np.uint16 and np.abs(picture.alpha - expected).max() <= 2 * 65535 / 1023


def test_what_a_damaged_heic_says_is_one_line(tmp_path):
    path = heic(tmp_path, np.full((64, 64, 3), 500, np.uint16), 10)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(UserError, match="a.heic is damaged or cut short") as error:
        read_picture(path)
    assert "\n" not in str(error.value)


def with_nclx(data, primaries, transfer):
    """The same HEIC or AVIF with other colours in its `colr` box."""
    at = data.index(b"colrnclx") + 8
    return data[:at] + struct.pack(">HH", primaries, transfer) + data[at + 4 :]


@pytest.mark.parametrize("kind", ["heic", "avif"])
@pytest.mark.parametrize("transfer, name", [(16, "PQ"), (18, "HLG")])
def test_hdr_pictures_say_so(tmp_path, kind, transfer, name):
    """Their colours are not mapped; a png tells viewers what they are."""
    if kind == "heic":
        path = heic(tmp_path, np.full((16, 16, 3), 700, np.uint16), 10)
    else:
        path = tmp_path / "a.avif"
        Image.new("RGB", (16, 16), (90, 120, 150)).save(path)
    path.write_bytes(with_nclx(path.read_bytes(), 9, transfer))
    picture = read_picture(path)
    note = next(note for note in picture.notes if "HDR" in note)
    assert note.startswith(f"HDR ({name}): computed and written as it is")
    assert picture.metadata.colour == ((b"cICP", bytes([9, transfer, 0, 1])),)
    assert write_picture(tmp_path / "b.png", picture) == ()
    assert b"cICP" + bytes([9, transfer, 0, 1]) in (tmp_path / "b.png").read_bytes()
    (note,) = write_picture(tmp_path / "b.jpg", picture.shallow())
    assert note == ".jpg holds no colour description (cICP): dropped"


@pytest.mark.parametrize("kind", ["heic", "avif"])
def test_usual_colours_are_not_worth_a_word(tmp_path, kind):
    if kind == "heic":
        path = heic(tmp_path, np.full((16, 16, 3), 700, np.uint16), 10)
    else:
        path = tmp_path / "a.avif"
        Image.new("RGB", (16, 16), (90, 120, 150)).save(path)
    for colours in ((1, 13), (2, 2), (1, 1), (1, 6)):
        path.write_bytes(with_nclx(path.read_bytes(), *colours))
        picture = read_picture(path)
        assert picture.metadata.colour == () and not any("HDR" in note for note in picture.notes)
    path.write_bytes(with_nclx(path.read_bytes(), 12, 13))  # Display P3
    assert read_picture(path).metadata.colour == ((b"cICP", bytes([12, 13, 0, 1])),)


@pytest.mark.parametrize("white, sample_bytes", [(255, 1), (7, 1), (256, 2), (1000, 2), (65535, 2)])
def test_the_header_of_a_portable_map_says_how_deep_it_is(tmp_path, white, sample_bytes):
    samples = np.zeros((3, 4, 3), ">u2" if white > 255 else np.uint8)
    (tmp_path / "a.ppm").write_bytes(b"P6 # a comment\n4 3\n%d\n" % white + samples.tobytes())
    assert picture_header(tmp_path / "a.ppm").sample_bytes == sample_bytes
    assert read_picture(tmp_path / "a.ppm").pixels.itemsize == sample_bytes


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_the_header_of_a_jpeg_2000_says_how_deep_it_is(tmp_path, bits):
    imagecodecs = pytest.importorskip("imagecodecs")
    samples = RNG.integers(0, 1 << bits, (32, 40, 3)).astype(np.uint8 if bits == 8 else np.uint16)
    data = imagecodecs.jpeg2k_encode(samples, level=0, bitspersample=bits)
    (tmp_path / "a.jp2").write_bytes(data)
    assert picture_header(tmp_path / "a.jp2") == ((40, 32), 3, 1 if bits == 8 else 2)
    expected = np.round(samples.astype(float) * (255 if bits == 8 else 65535) / ((1 << bits) - 1))
    np.testing.assert_array_equal(read_picture(tmp_path / "a.jp2").pixels, expected)


@pytest.mark.parametrize("suffix", [".bmp", ".png", ".jpg", ".tif", ".webp"])
def test_a_resolution_that_nothing_has(tmp_path, suffix):
    """4,294,967,295 dots per inch, of a damaged tif: bmp has no room for it."""
    tifffile = pytest.importorskip("tifffile")
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((4, 5), np.uint8), resolution=(4294967295, 1), resolutionunit="INCH")
    picture = read_picture(tmp_path / "a.tif")
    assert picture.metadata.dpi is None
    enlarged = dataclasses.replace(picture, metadata=picture.metadata.enlarged(3, (15, 12)))
    write_picture(tmp_path / f"b{suffix}", enlarged)
    assert max(Image.open(tmp_path / f"b{suffix}").info.get("dpi", (0,))) < 97  # a bmp has always some


@pytest.mark.parametrize("begin, what", [
    (b'<?xml version="1.0"?>\n<!-- drawn -->\n<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
    (b"\xef\xbb\xbf<svg/>", "SVG"),
    (b"FUJIFILMCCD-RAW 0201" + bytes(80), "camera's raw"),
    (b"IIRO\x08\0\0\0" + bytes(80), "camera's raw"),
    (b"IIU\0\x18\0\0\0" + bytes(80), "camera's raw"),
    (b"\0\0\0\x18ftypcrx \0\0\0\x01crx isom" + bytes(80), "camera's raw"),
])  # fmt: skip
def test_what_is_refused_is_called_by_its_name(tmp_path, begin, what):
    (tmp_path / "a.png").write_bytes(begin)
    with pytest.raises(UserError, match=f"a.png is .*{what}.*, and not read here; "):
        read_picture(tmp_path / "a.png")
