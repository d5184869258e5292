"""Damaged videos: what can be read is upscaled and written, what is missing is said with both numbers, exit code 1."""

import os
import pathlib
import re
import shutil

import numpy as np
import pytest

from host.video.read.completeness import Completeness
from host.video.read.source import Source
from tests.host.test_batch import interrupt_at
from tests.host.test_run_pynq import folder, run  # noqa: F401 (fixtures)
from tests.host.test_video import clip, clips, make, packets, short_parts  # noqa: F401 (some are fixtures)

av = pytest.importorskip("av")


def readable(path):
    """Frames that FFmpeg reads of a damaged file."""
    count = 0
    with av.open(str(path)) as container:
        try:
            for _ in container.decode(video=0):
                count += 1
        except av.FFmpegError:
            pass
    return count


def cut(path, share):
    data = pathlib.Path(path).read_bytes()
    pathlib.Path(path).write_bytes(data[: int(len(data) * share)])


def test_an_mp4_whose_index_stands_in_front(folder, run, clips):  # noqa: F811
    shutil.copy(clips / "fast.mp4", "v.mp4")
    cut("v.mp4", 0.7)
    there = readable("v.mp4")
    assert 5 < there < 20
    code, out, err = run("v.mp4")
    assert code == 1 and err == f"note: v.mp4: {there} of 20 frames could be read: the file is cut short\n"
    assert f"; {there} frames, audio (aac) copied untouched; " in out and readable("v_x3.mp4") == there
    source, result = packets("v.mp4", "audio"), packets("v_x3.mp4", "audio")
    assert len(result) > 10 and result == source[: len(result)] and len(source) - len(result) <= 1
    assert sorted(os.listdir()) == ["img.bmp", "v.mp4", "v_x3.mp4"]


def test_parts_of_a_damaged_video_stay(folder, run, clips, monkeypatch, short_parts):  # noqa: F811
    shutil.copy(clips / "fast.mp4", "v.mp4")
    cut("v.mp4", 0.7)
    there = readable("v.mp4")
    assert run("v.mp4", "-o", "whole.mp4")[0] == 1
    with monkeypatch.context() as patched:
        interrupt_at(patched, 10, KeyboardInterrupt())
        assert run("v.mp4", "-q")[0] == 130
    code, out, err = run("v.mp4")
    assert code == 1 and f"{there} frames (8 of them in an earlier run)" in out and f"{there} of 20 frames" in err
    assert pathlib.Path("v_x3.mp4").read_bytes() == pathlib.Path("whole.mp4").read_bytes()


def test_in_a_folder_it_is_done_once(folder, run, clips):  # noqa: F811
    os.mkdir("in")
    shutil.copy(clips / "fast.mp4", "in/v.mp4")
    cut("in/v.mp4", 0.7)
    code, out, err = run("in", "-o", "out", "-q")
    assert code == 1 and re.fullmatch(r"note: in/v.mp4: \d+ of 20 frames could be read: the file is cut short\n", err)
    code, out, err = run("in", "-o", "out")
    assert (code, err) == (0, "") and "0 of 1 upscaled, 1 finished before" in out


KINDS = {
    "mkv": ("libx264", "aac"),
    "silent.mkv": ("libx264", None),
    "webm": ("libvpx-vp9", None),
    "flv": ("flv", "aac"),
    "silent.flv": ("flv", None),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_recording_cut_at_97_percent(folder, kind):  # noqa: F811
    name, (codec, audio) = f"v.{kind}", KINDS[kind]
    make(name, frames=250, codec=codec, audio=audio, size=(64, 48))
    cut(name, 0.97)
    there = readable(name)
    assert 230 < there < 249
    with Source(name) as source:
        assert sum(1 for _ in source.read()) == there
    said = re.fullmatch(
        rf"{there} of about (\d+) frames could be read, up to ([0-9.]+) s of the ([0-9.]+) s that the file says: it is "
        "cut short",
        source.damage[0],
    )
    assert said and abs(int(said[1]) - 250) <= 4 and 9.2 < float(said[2]) < 9.95 <= float(said[3]) < 10.1


def test_what_a_recording_lacks_is_said_when_the_rest_is_written(folder, run):  # noqa: F811
    make("v.mkv", frames=100, audio=None)
    cut("v.mkv", 0.9)
    code, out, err = run("v.mkv")
    assert code == 1 and err.startswith(f"note: v.mkv: {readable('v.mkv')} of about 100 frames could be read, up to ")
    assert f"; {readable('v.mkv')} frames, no audio; " in out and readable("v_x3.mp4") == readable("v.mkv") < 98


@pytest.mark.parametrize("name", ["v.mkv", "v.flv", "v.avi", "v.wmv", "v.mpg", "v.ts", "v.mov", "v.webm"])
@pytest.mark.parametrize("sound", [False, True])
def test_whole_files_are_called_whole(folder, name, sound):  # noqa: F811
    codec, audio = {
        "avi": ("mpeg4", "mp3"),
        "flv": ("flv", "mp3"),
        "wmv": ("wmv2", "mp3"),
        "mpg": ("mpeg1video", "mp2"),
        "ts": ("mpeg2video", "mp2"),
        "webm": ("libvpx", "libopus"),
    }.get(name[2:], ("libx264", "aac"))
    make(name, frames=60, codec=codec, audio=audio if sound else None)
    with av.open(name) as container:
        stream = container.streams.video[0]
        complete, decoded = Completeness(container, stream), 0
        for packet in container.demux(complete.streams):
            complete.saw(packet)
            decoded += len(packet.decode()) if packet.stream is stream else 0
        assert decoded == 60 and complete.missing(decoded, stream.average_rate) == []


@pytest.mark.parametrize("said, note", [("250", "240 of 250 frames could be read"), ("2500", None)])
def test_the_number_of_frames_that_mkvmerge_writes(folder, said, note):  # noqa: F811
    """Copied into a shorter file it is no reason for alarm."""
    make("v.mkv", frames=240, audio=None, setup=lambda stream: stream.metadata.update(NUMBER_OF_FRAMES=said))
    with av.open("v.mkv") as container:
        stream = container.streams.video[0]
        complete = Completeness(container, stream)
        complete._total = 10.0  # as of a file that was cut
        for packet in container.demux(complete.streams):
            complete.saw(packet)
        assert complete.missing(240, stream.average_rate) == ([f"{note}: the file is cut short"] if note else [])


def test_bytes_overwritten_in_the_middle(folder, run, clips):  # noqa: F811
    """Never a traceback; whatever could be read is there, and all else is said."""
    data, rng, damaged = (clips / "fast.mp4").read_bytes(), np.random.default_rng(3), 0
    for length in (300, 300, 1000, 3000):
        bad = bytearray(data)
        at = int(rng.integers(len(data) // 3, len(data) - length))
        bad[at : at + length] = rng.bytes(length)
        pathlib.Path("v.mp4").write_bytes(bad)
        code, out, err = run("v.mp4", "--overwrite")
        count = readable("v_x3.mp4")
        assert count >= 1 and (code, err) in (
            (0, ""),
            (1, f"note: v.mp4: {count} of 20 frames could be read: the others are damaged\n"),
        )
        damaged += code
    assert damaged >= 2


def test_a_change_of_size(folder, run):  # noqa: F811
    """Two transport streams one after the other."""
    for name, size in (("a.ts", (32, 24)), ("b.ts", (48, 16))):
        make(name, frames=10, size=size, codec="mpeg2video", audio=None)
    pathlib.Path("v.ts").write_bytes(pathlib.Path("a.ts").read_bytes() + pathlib.Path("b.ts").read_bytes())
    with av.open("v.ts") as container:
        there = sum(frame.width == 32 for frame in container.decode(video=0))
    code, out, err = run("v.ts", "-o", "out.mp4")
    assert code == 1 and err == (
        f"note: v.ts: the frames change their size behind frame {there} from 32x24 to 48x16, and what follows is left "
        "out; cut the video there and upscale both parts\n"
    )
    assert there >= 9 and readable("out.mp4") == there
