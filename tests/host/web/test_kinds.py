"""What is let through is told by content: files as Pillow and FFmpeg write them, and what only looks like one."""

import io

import numpy as np
import pytest
from PIL import Image, features

from host.web.kinds import HEAD, PICTURE, VIDEO, kind_of

PICTURES = ["PNG", "JPEG", "BMP", "TIFF", "GIF", "PPM", "WEBP", "AVIF", "JPEG2000"]
CONTAINERS = ["mp4", "mov", "3gp", "matroska", "avi", "flv", "mpegts", "mpeg", "ogg", "asf", "webm"]


@pytest.mark.parametrize("name", PICTURES)
def test_pictures(name):
    needs = {"WEBP": "webp", "AVIF": "avif", "JPEG2000": "jpg_2000"}.get(name)
    if needs and not features.check(needs):
        pytest.skip(f"Pillow is without {needs} here")
    file = io.BytesIO()
    Image.new("RGB", (40, 30), (9, 99, 199)).save(file, name)
    assert kind_of(file.getvalue()[:HEAD]) == PICTURE


@pytest.mark.parametrize("name", CONTAINERS)
def test_videos(name, tmp_path):
    av = pytest.importorskip("av")
    from host.web.compute import refuse_references

    codec = {"flv": "flv1", "webm": "libvpx", "ogg": "libtheora"}.get(name, "mpeg4")
    codec = {"mpeg": "mpeg2video", "mpegts": "mpeg2video"}.get(name, codec)
    file = io.BytesIO()
    try:
        with av.open(file, "w", format=name) as container:
            stream = container.add_stream("flv" if codec == "flv1" else codec, rate=25)
            stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
            for pixels in np.random.default_rng(1).integers(0, 256, (30, 32, 32, 3)).astype(np.uint8):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels)))
            container.mux(stream.encode(None))
    except (ValueError, av.FFmpegError) as error:  # of a codec that this FFmpeg was built without
        pytest.skip(f"FFmpeg writes no {name} here ({error})")
    assert kind_of(file.getvalue()[:HEAD]) == VIDEO
    (tmp_path / "input").write_bytes(file.getvalue())
    refuse_references(tmp_path / "input", "clip")  # doesn't: it holds its own contents


@pytest.mark.parametrize("name", ["m2ts", "mxf", "nut", "y4m", "ivf", "mpeg2video"])
def test_videos_that_cameras_and_programs_write(name, tmp_path):
    """192 bytes a packet, and others whose first bytes are their own."""
    av = pytest.importorskip("av")
    from host.video.read.source import Source
    from host.web.compute import refuse_references

    codec = {"nut": "ffv1", "y4m": "rawvideo", "ivf": "libvpx"}.get(name, "mpeg2video")
    kind, options = {"m2ts": "mpegts", "y4m": "yuv4mpegpipe"}.get(name, name), {"mpegts_m2ts_mode": "1"}
    with av.open(str(tmp_path / "input"), "w", kind, options=options if name == "m2ts" else {}) as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for i in range(12):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((48, 64, 3), 20 * i, np.uint8))))
        container.mux(stream.encode(None))
    assert kind_of((tmp_path / "input").read_bytes()[:HEAD]) == VIDEO
    refuse_references(tmp_path / "input", "clip")
    with Source(tmp_path / "input") as source:
        assert len(list(source.read())) == 12


@pytest.mark.parametrize("order", "<>")
def test_tiff_of_more_than_four_gigabytes(order):
    tifffile = pytest.importorskip("tifffile")
    file = io.BytesIO()
    tifffile.imwrite(file, np.zeros((8, 8), np.uint8), bigtiff=True, byteorder=order)
    assert kind_of(file.getvalue()[:HEAD]) == PICTURE


@pytest.mark.parametrize("brand", [b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1", b"miaf", b"avif", b"avis"])
def test_brands_of_pictures(brand):
    assert kind_of(b"\0\0\0\x18ftyp" + brand + b"\0\0\0\0mif1miaf") == PICTURE


@pytest.mark.parametrize("head", [b"", b"P7 x", b"P6", b"G" * 100, b"RIFF\0\0\0\0WAVE", b"PK\3\4", b"\x7fELF", b"%PDF"])
def test_others(head):
    assert kind_of(head) is None
