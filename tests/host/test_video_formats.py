"""Which files are videos, by content and not by name, and what each codec writes."""

import contextlib
import os
import pathlib
import re
import shutil
import socket

import cv2
import numpy as np
import pytest

from host.jobs.kinds import is_video, wanted
from host.picture import pipeline
from host.picture.backends import GoldenBackend
from host.video import codecs
from model.imaging.files import Picture
from tests.host.test_batch import interrupt_at
from tests.host.test_run_pynq import COLOUR, folder, run  # noqa: F401 (folder and run are fixtures)
from tests.host.test_video import clip, clips, make, rgb, short_parts, times  # noqa: F401 (some are fixtures)
from tests.random_models import random_model

av = pytest.importorskip("av")
FORMATS = {
    "ts": ("mpeg2video", "mp2"),
    "mpg": ("mpeg1video", "mp2"),
    "vob": ("mpeg2video", "mp2"),
    "flv": ("flv", "mp3"),
    "3gp": ("libx264", "aac"),
    "wmv": ("wmv2", "mp3"),
    "m4v": ("libx264", "aac"),
    "ogv": ("libvpx", None),
    "avi": ("mpeg4", "mp3"),
    "webm": ("libvpx", "libopus"),
    "mov": ("libx264", "aac"),
    "nut": ("ffv1", None),
    "y4m": ("rawvideo", None),
    "mxf": ("mpeg2video", None),
}


@pytest.mark.parametrize("name", [f"clip.{kind}" for kind in FORMATS])
def test_known_by_content_whatever_its_name(folder, run, name):  # noqa: F811
    codec, audio = FORMATS[name[5:]]
    make(name, frames=6, codec=codec, audio=audio)
    with av.open(name) as container:
        shown = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    code, out, err = run(name)
    assert (code, err) == (0, "") and f"{name} 32x24 -> clip_x3.mp4 96x72" in out
    assert len(rgb("clip_x3.mp4")) == len(shown) == 6
    for other in ("clip", "clip.png", "clip.data"):
        shutil.copy(name, other)
        assert is_video(pathlib.Path(other))
    shutil.copy(name, "clip")
    code, out, err = run("clip", "-o", "other.mp4")
    assert (code, err) == (0, "") and pathlib.Path("other.mp4").read_bytes() == pathlib.Path("clip_x3.mp4").read_bytes()


@pytest.mark.parametrize("suffix", [".ts", ".mpg", ".flv", ".3gp", ".wmv", ".m4v", ".ogv", ".mp4"])
def test_errors_speak_of_videos(folder, run, suffix):  # noqa: F811
    name = f"v{suffix}"
    pathlib.Path(name).write_bytes(b"no video at all " * 30)
    code, out, err = run(name)
    assert code == 2 and re.fullmatch(rf"error: v{suffix} is (not a readable video|damaged or cut short).*\n", err)
    code, out, err = run(f"none{suffix}")
    assert (
        code == 2
        and err == f"error: cannot read none{suffix}: No such file or directory; check the name and the folder\n"
    )


def test_a_list_of_addresses_is_not_followed(folder, run):  # noqa: F811
    make("part.ts", frames=3, codec="mpeg2video", audio=None)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        server.settimeout(0.2)
        for entry in (f"http://127.0.0.1:{server.getsockname()[1]}/a.ts", "part.ts"):
            for name in ("list.mp4", "list.m3u8"):
                pathlib.Path(name).write_text(
                    f"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{entry}\n#EXT-X-ENDLIST\n"
                )
                code, out, err = run(name, "-o", "out.mp4")
                assert code == 2 and err.count("\n") == 1 and not os.path.exists("out.mp4")
        with pytest.raises(TimeoutError):
            server.accept()


def test_pictures_are_no_videos(folder, run):  # noqa: F811
    for name in ("a.png", "a.jpg", "a.bmp", "a.tif"):
        cv2.imwrite(name, COLOUR)
        assert not is_video(pathlib.Path(name))
    shutil.copy("a.png", "picture.mp4")
    code, out, err = run("picture.mp4")
    assert (code, err) == (0, "") and "picture.mp4 19x14 -> picture_x3.png 57x42" in out


def test_a_folder_with_typescript(folder, run):  # noqa: F811
    os.mkdir("in")
    pathlib.Path("in/module.ts").write_text("export const answer: number = 42;\n" * 20)
    make("in/film.ts", frames=3, codec="mpeg2video", audio=None)
    make("in/film.wmv", frames=3, codec="wmv2", audio=None)
    code, out, err = run("in", "-o", "out")
    assert (code, err) == (0, "") and "2 of 2 upscaled, 1 of other kinds left alone (module.ts)" in out
    assert sorted(os.listdir("out"))[1:] == ["film.ts_x3.mp4", "film.wmv_x3.mp4"]
    assert not wanted(pathlib.Path("in/module.ts")) and wanted(pathlib.Path("in/film.ts"))


# --- codecs ------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def chatter():
    """What libraries write to the terminal past Python, in a file."""
    path, kept = pathlib.Path("chatter"), [(number, os.dup(number)) for number in (1, 2)]
    with open(path, "wb") as file:
        for number, _ in kept:
            os.dup2(file.fileno(), number)
        try:
            yield path
        finally:
            for number, copy in kept:
                os.dup2(copy, number)
                os.close(copy)


WRITTEN = [(codec, suffix) for codec, known in codecs.CODECS.items() for suffix in known.suffixes]


@pytest.mark.parametrize("codec, suffix", WRITTEN)
def test_codecs(clip, run, codec, suffix):  # noqa: F811
    name = f"out{suffix}"
    with chatter() as said:
        code, out, err = run("clip.mp4", "--codec", codec, "-o", name)
    assert (code, err) == (0, "") and "20 frames, " in out and said.read_text() == ""
    with av.open(name) as container:
        context = container.streams.video[0].codec_context
        expected = {"av1": ("av1", "libdav1d")}.get(codec, (codec,))
        assert context.name in expected and (context.width, context.height) == (96, 72)
        if codec == "hevc" and suffix != ".mkv":
            assert context.codec_tag == "hvc1"
    shown, source = ([time - times(path)[0] for time in times(path)] for path in (name, "clip.mp4"))
    assert shown == pytest.approx(source, abs=0.0011)  # Matroska moves all if the audio begins before zero
    backend = GoldenBackend(random_model())
    for frame, result in zip(rgb("clip.mp4"), rgb(name), strict=True):
        computed = pipeline.upscale_picture(Picture(frame), backend).pixels.astype(int)
        if codec == "ffv1":
            np.testing.assert_array_equal(result, computed)
        else:  # random networks make noise, and colour is halved
            assert np.abs(computed.mean(2) - result.mean(2)).mean() < 6


@pytest.mark.parametrize("codec, crf", [("hevc", "0"), ("h264", "0"), ("ffv1", None)])
def test_lossless(clip, run, codec, crf):  # noqa: F811
    assert run("clip.mp4", "--codec", codec, *(["--crf", crf] if crf else []), "-o", "out.mkv")[0] == 0
    backend = GoldenBackend(random_model())
    for frame, result in zip(rgb("clip.mp4"), rgb("out.mkv"), strict=True):
        np.testing.assert_array_equal(result, pipeline.upscale_picture(Picture(frame), backend).pixels)


@pytest.mark.parametrize("codec, suffix", [("hevc", ".mp4"), ("av1", ".webm"), ("ffv1", ".mkv"), ("prores", ".mov")])
def test_interrupted_and_gone_on(clip, run, monkeypatch, short_parts, codec, suffix):  # noqa: F811
    name = f"whole{suffix}"
    assert run("clip.mp4", "--codec", codec, "-o", name)[0] == 0
    whole = pathlib.Path(name).read_bytes()
    with monkeypatch.context() as patched:
        interrupt_at(patched, 14, KeyboardInterrupt())
        assert run("clip.mp4", "--codec", codec, "-o", name)[0] == 130
    assert "20 frames (8 of them in an earlier run)" in run("clip.mp4", "--codec", codec, "-o", name)[1]
    assert pathlib.Path(name).read_bytes() == whole


def test_the_usual_names(clip, run):  # noqa: F811
    for codec, name in (("prores", "clip_x3.mov"), ("ffv1", "clip_x3.mkv"), ("hevc", "clip_x3.mp4")):
        assert f"-> {name} " in run("clip.mp4", "--codec", codec)[1]
    os.mkdir("in")
    shutil.move("clip.mp4", "in/clip.mp4")
    assert run("in", "-o", "out", "--codec", "ffv1")[0] == 0 and "clip_x3.mkv" in os.listdir("out")
    assert run("in/clip.mp4", "-o", "clip.webm")[0] == 0  # AV1, which the name says


@pytest.mark.parametrize("crf", [10, 40])
@pytest.mark.parametrize("codec", ["h264", "hevc", "av1"])
def test_crf_decides_the_size(clip, run, codec, crf):  # noqa: F811
    usual = codecs.CODECS[codec].crf
    sizes = {}
    for value in (crf, usual):
        assert run("clip.mp4", "--codec", codec, "--crf", value, "-o", f"{value}.mp4")[0] == 0
        sizes[value] = os.path.getsize(f"{value}.mp4")
    assert (sizes[crf] > sizes[usual]) == (crf < usual)
