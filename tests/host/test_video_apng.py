"""Animated pngs as videos, held against a composition by the letter of the PNG standard, and against FFmpeg's."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from host.video.video import open_source

pytest.importorskip("av")


def chunk(name, content):
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def composed(data):
    """Frames, uint8 (H, W, 4), and how long each is shown, in seconds."""
    at, frames, shared, header = 8, [], b"", b""
    while at < len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        content = data[at + 8 : at + 8 + length]
        at += 12 + length
        if name == b"IHDR":
            header = content
        elif name in (b"PLTE", b"tRNS"):
            shared += chunk(name, content)
        elif name == b"fcTL":
            frames.append([content, b""])
        elif name == b"IDAT" and frames:
            frames[-1][1] += content
        elif name == b"fdAT":
            frames[-1][1] += content[4:]
    width, height = struct.unpack(">II", header[:8])
    canvas, result = np.zeros((height, width, 4)), []
    for number, (control, pixels) in enumerate(frames):
        _, w, h, x, y, share, of, dispose, blend = struct.unpack(">IIIIIHHBB", control)
        part = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">II", w, h) + header[8:]) + shared
        part = Image.open(io.BytesIO(part + chunk(b"IDAT", pixels) + chunk(b"IEND", b""))).convert("RGBA")
        part, before = np.asarray(part).astype(float), canvas.copy()
        place = canvas[y : y + h, x : x + w]
        if blend:
            above, below = part[:, :, 3:] / 255, place[:, :, 3:] / 255
            alpha = above + below * (1 - above)
            mixed = (part[:, :, :3] * above + place[:, :, :3] * below * (1 - above)) / np.maximum(alpha, 1e-9)
            place[:] = np.concatenate([mixed * (alpha > 0), 255 * alpha], axis=2)
        else:
            place[:] = part
        result.append((canvas.round().astype(np.uint8), share / (of or 100)))
        if dispose == 2 and number:
            canvas = before
        elif dispose:
            place[:] = 0
    return result


def pictures(mode):
    found = []
    for i in range(5):
        pixels = np.zeros((24, 30, 4), np.uint8)
        pixels[2 + 3 * i : 10 + 3 * i, 3 + 4 * i : 12 + 4 * i] = (255, 30 * i, 90, 255)
        pixels[0:3, 0:3] = (0, 255, 0, 255)
        found.append(Image.fromarray(pixels).convert(mode))
    return found


# Pillow writes grey ones with the first way to dispose only
WAYS = [(mode, dispose) for mode in ("RGBA", "RGB", "P") for dispose in (0, 1, 2)] + [("L", 0)]


@pytest.mark.parametrize("mode, dispose", WAYS)
@pytest.mark.parametrize("blend", [0, 1])
def test_every_way_to_dispose_and_blend(tmp_path, mode, dispose, blend):
    first, *others = pictures(mode)
    path = tmp_path / "a.png"
    first.save(
        path, save_all=True, append_images=others, disposal=dispose, blend=blend, duration=[100, 40, 60, 300, 50]
    )
    wanted = composed(path.read_bytes())
    with open_source(path) as source:
        found = list(source.read())
        times = [float(pts * source.info.time_base) for pts, _ in found]
    assert len(found) == len(wanted) == 5 and source.damage == []
    assert np.allclose(times, np.cumsum([0, *(seconds for _, seconds in wanted)])[:-1], atol=0.001)
    for (_, picture), (pixels, _) in zip(found, wanted):
        alpha = np.full(pixels.shape[:2], 255) if picture.alpha is None else picture.alpha
        np.testing.assert_array_equal(alpha, pixels[:, :, 3])
        seen = pixels[:, :, 3] > 0
        np.testing.assert_array_equal(picture.pixels[seen], pixels[:, :, :3][seen])


@pytest.mark.parametrize("dispose", [0, 1, 2])
@pytest.mark.parametrize("blend", [0, 1])
def test_as_ffmpeg_shows_it(tmp_path, dispose, blend):
    """Half transparent, too; frames with an alpha channel it composes rightly."""
    import av

    found = [np.asarray(each).copy() for each in pictures("RGBA")]
    for i, pixels in enumerate(found):
        pixels[:, 15:, 3] = pixels[:, 15:, 3] // 255 * (60 + 40 * i)
    first, *others = map(Image.fromarray, found)
    path = tmp_path / "a.png"
    first.save(path, save_all=True, append_images=others, disposal=dispose, blend=blend, duration=100)
    with av.open(str(path)) as container:
        wanted = [frame.to_ndarray(format="rgba").astype(int) for frame in container.decode(video=0)]
    with open_source(path) as source:
        shown = [picture for _, picture in source.read()]
    for picture, pixels in zip(shown, wanted, strict=True):
        alpha = np.full(pixels.shape[:2], 255) if picture.alpha is None else picture.alpha
        assert np.abs(alpha - pixels[:, :, 3]).max() <= 1
        seen = pixels[:, :, 3] > 0
        assert np.abs(picture.pixels[seen] - pixels[:, :, :3][seen]).max() <= 2


def test_a_picture_for_old_programs_is_no_frame(tmp_path):
    """What programs show that know no animation: browsers never do."""
    first, *others = pictures("RGBA")
    path = tmp_path / "a.png"
    first.save(path, save_all=True, default_image=True, append_images=others, duration=[100, 40, 60, 300])
    wanted = composed(path.read_bytes())
    with open_source(path) as source:
        found = list(source.read())
        assert [float(pts * source.info.time_base) for pts, _ in found] == [0, 0.1, 0.14, 0.2]
        assert source.info.frames == 4
    for (_, picture), (pixels, _) in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(picture.alpha, pixels[:, :, 3])


def test_a_part(tmp_path):
    from fractions import Fraction

    from host.video.read.clip import Clip

    first, *others = pictures("RGBA")
    path = tmp_path / "a.png"
    first.save(path, save_all=True, append_images=others, disposal=2, blend=1, duration=100)
    wanted = composed(path.read_bytes())
    with open_source(path, Clip(Fraction(1, 5), Fraction(2, 5))) as source:
        found = list(source.read())
    assert [pts for pts, _ in found] == [0, 100]
    for (_, picture), (pixels, _) in zip(found, wanted[2:4]):
        np.testing.assert_array_equal(picture.alpha, pixels[:, :, 3])
    with open_source(path) as source:
        assert [pts for pts, _ in source.read(skip=3)] == [300, 400]


def test_cut_short(tmp_path):
    first, *others = pictures("RGBA")
    path = tmp_path / "a.png"
    first.save(path, save_all=True, append_images=others, duration=100)
    data = path.read_bytes()
    path.write_bytes(data[: data.rindex(b"fdAT") + 20])
    with open_source(path) as source:
        found = list(source.read())
    assert 3 <= len(found) < 5 and "of 5 frames could be read: the file is damaged" in source.damage[0]
