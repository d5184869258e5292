"""What a video takes of memory and disk is known before its frames are computed."""

import io
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

from host.jobs.progress_lines import ProgressLines
from host.many import single_video
from host.many.batch import Options
from host.many.choices import Choices
from host.picture import pipeline
from host.picture.backends import GoldenBackend
from host.video import codecs, needs
from model.base.errors import UserError
from model.base.paths import ROOT
from tests.host.test_run_pynq import SCRIPT, folder, run  # noqa: F401 (fixtures)
from tests.host.test_video import clip, clips, make, short_parts  # noqa: F401 (some are fixtures)
from tests.random_models import random_model

pytest.importorskip("av")


@pytest.mark.parametrize("codec", ["h264"])
def test_memory_as_it_is_used(folder, codec):  # noqa: F811
    make("clip.mkv", frames=70, size=(640, 360), audio=None, options={"preset": "ultrafast"})
    code = (
        "import re, runpy, sys; sys.argv = sys.argv[1:]\n"
        "try: runpy.run_path(sys.argv[0], run_name='__main__')\n"  # getrusage would count what the tests' process has
        "finally: print(int(re.search(r'VmHWM:\\s+([0-9]+)', open('/proc/self/status').read())[1]) * 1024)"
    )
    suffix = codecs.CODECS[codec].suffixes[0]
    arguments = ["clip.mkv", "-q", "--network", "abpn8m2", "--upscale", "2", "--codec", codec, "-o", f"out{suffix}"]
    done = subprocess.run([sys.executable, "-c", code, SCRIPT, *arguments], capture_output=True, text=True, cwd=folder)
    used = int(done.stdout)
    asked = needs.memory_needed(1280 * 720, codecs.encoding(codec))
    assert done.stderr == "" and 0.85 * used < asked < 1.6 * used, (used, asked)


def test_a_result_that_does_not_fit_into_memory(clip, run, monkeypatch):  # noqa: F811
    monkeypatch.setattr(pipeline, "_available_memory", lambda: 190e6)
    monkeypatch.setattr(pipeline, "upscale_picture", None)
    code, out, err = run("clip.mp4")
    assert code == 2 and re.fullmatch(
        r"error: frames of 96x72 pixels need about 20\d MB of memory, 190 MB are available; choose a smaller .*\n", err
    )
    assert sorted(os.listdir()) == ["clip.mp4", "img.bmp"]


def test_the_page_s_table_of_codecs(monkeypatch):
    """docs/files-video.md: extensions, rate factors and memory are those of the code."""
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    page = (ROOT / "docs/files-video.md").read_text()
    shown = {}
    for name, files, crf, memory in re.findall(
        r"^\| (\w+(?:, `--crf 0`)?) \| (\.[^|]+) \| ([^|]+) \| (\d+) \|", page, re.MULTILINE
    ):
        shown[name] = (tuple(files.split()), crf, int(memory))
    for name, codec in codecs.CODECS.items():
        lossless = {"h264": 0, "hevc": 0}
        for crf, row in [(None, name), *((0, f"{name}, `--crf 0`") for _ in range(name in lossless))]:
            files, factor, memory = shown.pop(row)
            per_pixel = needs.memory_needed(10**6, codecs.encoding(name, crf)) - needs.memory_needed(0, None)
            assert files == codec.suffixes and memory == per_pixel / 10**6
            if crf is None and codec.crf is not None:
                assert factor == f"{1 if name == 'av1' else 0} to {codec.largest_crf} ({codec.crf})"
    assert shown == {}


@pytest.mark.parametrize("codec, crf", [*((codec, None) for codec in codecs.CODECS), ("h264", 0), ("hevc", 0)])
def test_every_encoding_has_its_figures(codec, crf):
    encoding = codecs.encoding(codec, crf)
    least, usual = needs.disk_needed(10**9, encoding)
    assert 0 < least < usual < 3e9 and needs.memory_needed(10**6, encoding) > needs.memory_needed(10**6, None)


def test_a_disk_that_is_surely_too_small(clip, run, monkeypatch):  # noqa: F811
    usage = shutil.disk_usage(".")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=20_000))
    monkeypatch.setattr(pipeline, "upscale_picture", None)
    code, out, err = run("clip.mp4", "--codec", "ffv1")
    assert code == 2 and re.fullmatch(
        r"error: cannot write clip_x3.mkv: it may take 0.0 MB more and 0.0 MB are free there; free some space or .*\n",
        err,
    )
    assert sorted(os.listdir()) == ["clip.mp4", "img.bmp"]


def test_a_disk_that_proves_too_small(clip, run, monkeypatch, short_parts):  # noqa: F811
    """After the first part, not after the last; what is finished is kept."""
    usage, part = shutil.disk_usage("."), pathlib.Path(".clip_x3.mp4.parts/000000.npz")
    with monkeypatch.context() as patched:
        patched.setattr(
            shutil, "disk_usage", lambda path: usage._replace(free=part.stat().st_size if part.exists() else 10**9)
        )
        code, out, err = run("clip.mp4")
    assert code == 2 and "error: cannot write clip_x3.mp4: it may take" in err and part.exists()
    assert "(8 of them in an earlier run)" in run("clip.mp4")[1]


@pytest.mark.parametrize("length", [240, 249, 255])
def test_long_names(clip, run, monkeypatch, short_parts, length):  # noqa: F811
    name = "ä" * 100 + "y" * (length - 204) + ".mp4"
    assert len(name.encode()) == length
    assert run("clip.mp4", "-o", name)[0] == 0 and sorted(os.listdir()) == ["clip.mp4", "img.bmp", name]


def test_a_usual_name_that_is_too_long_is_refused_first(clip, run, monkeypatch):  # noqa: F811
    name = "x" * 250 + ".mp4"
    os.rename("clip.mp4", name)
    monkeypatch.setattr(pipeline, "upscale_picture", None)
    code, out, err = run(name)
    assert code == 2 and "its name has 257 bytes, the limit there is 255; choose a shorter name with -o" in err
    assert sorted(os.listdir()) == ["img.bmp", name]


# --- lines for programs ------------------------------------------------------------------------------------------


def test_what_a_program_reads(clip):  # noqa: F811
    model, stream = random_model(), io.StringIO()
    options = Options(encoding=codecs.encoding("ffv1"), choices=Choices(lines=ProgressLines(stream, every_s=0)))
    code = single_video.upscale_file(
        pathlib.Path("clip.mp4"),
        pathlib.Path("out.mkv"),
        model,
        lambda: (GoldenBackend(model), ""),
        options,
        say=None,
    )
    events = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert code == 0 and [event["event"] for event in events] == ["start", "file", *["progress"] * 20, "done", "end"]
    assert events[1] | {"source": "clip.mp4", "output": "out.mkv", "size": [32, 24], "result": [96, 72]} == events[1]
    assert [event["done"] for event in events[2:22]] == [96 * 72 * i for i in range(1, 21)]
    assert {event["total"] for event in events[2:22]} == {96 * 72 * 20}
    assert events[22] | {"frames": 20, "damaged": False, "output": "out.mkv"} == events[22]


def test_lines_and_frames_cannot_share_standard_output(clip):  # noqa: F811
    options = Options(choices=Choices(lines=ProgressLines(io.StringIO())))
    with pytest.raises(UserError, match="--json and -o - both need standard output"):
        single_video.upscale_file("clip.mp4", "-", random_model(), None, options)


def test_json_from_the_command_line(clip, run):  # noqa: F811
    code, out, err = run("clip.mp4", "-o", "out.mkv", "--codec", "prores", "--json")
    events = [json.loads(line)["event"] for line in out.splitlines()]
    assert (code, err) == (0, "") and events[:3] == ["start", "file", "progress"] and events[-2:] == ["done", "end"]
    code, out, err = run("none.mp4", "--json")
    assert code == 2 and json.loads(out)["event"] == "error" and "cannot read none.mp4" in err


def test_a_damaged_video_in_lines(folder, run, clips):  # noqa: F811
    pathlib.Path("v.mp4").write_bytes((clips / "fast.mp4").read_bytes()[:12000])
    os.mkdir("in")
    shutil.copy("v.mp4", "in/v.mp4")
    for arguments in (("v.mp4",), ("in", "-o", "out")):
        code, out, err = run(*arguments, "--json")
        texts = [event["text"] for event in map(json.loads, out.splitlines()) if event["event"] == "note"]
        assert code == 1 and re.fullmatch(r"\d+ of 20 frames could be read: the file is cut short", texts[-1])


@pytest.mark.parametrize("output", ["out.mp4", "f/%d.png"])
def test_dry_run(clip, run, output):  # noqa: F811
    code, out, err = run("clip.mp4", "-o", output, "--dry-run", "--start", "0.4")
    assert (code, err) == (0, "") and re.search(
        rf"clip.mp4 32x24 -> {output} 96x72, 10 frames: about [0-9.]+ s, 20\d MB\n1 file would be upscaled in about ",
        out,
    )
    assert sorted(os.listdir()) == ["clip.mp4", "img.bmp"]
    code, out, err = run("clip.mp4", "-o", "out.mp4", "--dry-run", "--codec", "ffv1")
    assert (
        code == 1
        and err == "error: cannot write out.mp4: .mp4 holds no ffv1; choose .mkv, or --codec h264 or hevc or av1\n"
    )
