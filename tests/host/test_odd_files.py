"""Names, places and files that are rare: nothing of the user's is lost, and no traceback is seen."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from model.base.paths import ROOT
from tests.host.test_run_pynq import COLOUR, folder, run  # noqa: F401 (folder and run are fixtures)
from tests.host.test_video import make


def save(name, pixels=COLOUR):
    Image.fromarray(pixels).save(name, "PNG")


def test_a_page_of_a_name_that_is_no_text(folder, run):  # noqa: F811
    """A name of another system: its bytes are no UTF-8."""
    name = os.fsdecode(b"bad\xff\xfename.png")
    try:
        save(name)
    except OSError:
        pytest.skip("this file system takes UTF-8 alone")
    code, out, err = run(name, "--page", "look.html")
    assert (code, err) == (0, "")
    page = pathlib.Path("look.html").read_text(encoding="utf-8")
    assert 'data-picture="bad??name.png"' in page


@pytest.mark.parametrize("encoding", ["utf-8:strict", "latin-1:strict"])
def test_names_that_the_terminal_does_not_have(folder, encoding):  # noqa: F811
    names = [os.fsdecode(b"bad\xff\xfename.png"), "\N{SNOWMAN}.png"]
    os.mkdir("in")
    try:
        for name in names:
            save(f"in/{name}")
    except OSError:
        pytest.skip("this file system takes UTF-8 alone")
    command = [sys.executable, ROOT / "host" / "run_pynq.py", "in", "-o", "out", "--backend", "golden"]
    done = subprocess.run(command, capture_output=True, env={**os.environ, "PYTHONIOENCODING": encoding}, timeout=120)
    assert (done.returncode, done.stderr) == (0, b"")
    assert rb"bad\udcff\udcfename.png" in done.stdout and b"2 of 2 upscaled" in done.stdout
    assert {entry for entry in os.listdir("out") if "_x3" in entry} == {f"{name[:-4]}_x3.png" for name in names}


def test_what_is_no_file_is_not_replaced(folder, run):  # noqa: F811
    save("a.png")
    os.mkfifo("pipe.png")
    code, out, err = run("a.png", "-o", "pipe.png")
    assert (code, out) == (2, "")
    assert err == "error: cannot write pipe.png: it is not a regular file; choose another output\n"
    assert pathlib.Path("pipe.png").is_fifo()


def test_a_figure_replaces_nothing_without_being_told(folder, run):  # noqa: F811
    """Its name is not given by the user."""
    save("a.png")
    pathlib.Path("b_compare.png").write_bytes(b"mine")
    code, out, err = run("a.png", "-o", "b.png", "--compare")
    assert (code, out) == (2, "") and not pathlib.Path("b.png").exists()
    assert err == ("error: b_compare.png is there already; give --overwrite to replace it, or another name with -o\n")
    assert pathlib.Path("b_compare.png").read_bytes() == b"mine"
    code, out, err = run("a.png", "-o", "b.png", "--compare", "--overwrite")
    assert (code, err) == (0, "") and Image.open("b_compare.png").size[0] > 100


@pytest.fixture
def clip(folder):  # noqa: F811
    pytest.importorskip("av")
    make("clip.mp4", frames=3, audio=None)


def test_a_video_whose_name_looks_like_numbered_frames(clip, run):  # noqa: F811
    shutil.copy("clip.mp4", "100%done.mp4")
    code, out, err = run("100%done.mp4")
    assert (code, err) == (0, "") and pathlib.Path("100%done_x3.mp4").is_file()
    os.mkdir("in")
    os.rename("100%done.mp4", "in/50%d.mp4")
    code, out, err = run("in", "-o", "out")
    assert (code, err) == (0, "") and pathlib.Path("out/50%d_x3.mp4").is_file()
    code, out, err = run("clip.mp4", "-o", "frame%d.png")
    assert (code, err) == (0, "") and pathlib.Path("frame3.png").is_file()


def test_a_folder_of_the_user_s_where_parts_would_lie(clip, run):  # noqa: F811
    """Nothing in it is removed, and nothing comes into it."""
    mine = pathlib.Path(".clip_x3.mp4.parts")
    mine.mkdir()
    (mine / "thesis.txt").write_text("mine")
    code, out, err = run("clip.mp4")
    assert code == 2 and err == (
        "error: cannot write clip_x3.mp4: its parts would lie in the folder .clip_x3.mp4.parts, which has files that "
        "are no run's; move them away or choose another output\n"
    )
    assert os.listdir(mine) == ["thesis.txt"]
    (mine / "thesis.txt").rename("thesis.txt")
    (mine / "about.json").write_text('[100, "of an older run"]')  # what a run that ended early leaves
    (mine / "000000.npz").write_bytes(b"damaged")
    (mine / ".sr-0123abcd.npz").touch()
    (mine / "notes.txt").write_text("mine, added later")
    assert run("clip.mp4")[0] == 0 and pathlib.Path("clip_x3.mp4").is_file()
    assert os.listdir(mine) == ["notes.txt"]


@pytest.mark.parametrize("result, codec", [("a.mp4", "h264"), ("a.mkv", "ffv1"), ("a.mov", "prores")])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_numbered_frames_of_sixteen_bits(folder, run, result, codec, channels):  # noqa: F811
    """As renderers write them."""
    av, imagecodecs = pytest.importorskip("av"), pytest.importorskip("imagecodecs")
    levels = np.linspace(0, 65535, 24).astype(np.uint16)
    frame = np.broadcast_to(levels[:, None, None], (24, 32, channels)).copy()
    if channels in (2, 4):
        frame[:, :, -1] = 65535
        frame[:, :8, -1] = 0
    for i in (1, 2):
        pathlib.Path(f"f{i}.png").write_bytes(imagecodecs.png_encode(frame[:, :, 0] if channels == 1 else frame))
    code, out, err = run("f%d.png", "-o", result, "--codec", codec)
    assert (code, err) == (0, "")
    assert out.count("note: more than 8 bits per channel: computed as they are, written in 8") == 1
    with av.open(result) as container:
        shown = [each.to_ndarray(format="rgb24") for each in container.decode(video=0)]
    assert len(shown) == 2
    assert run("f%d.png", "-o", "r%d.png")[0] == 0
    deep = imagecodecs.png_decode(pathlib.Path("r2.png").read_bytes())
    assert deep.dtype == np.uint16
    colours = deep.reshape(72, 96, -1)[:, 60:84, : 1 if channels < 3 else 3] / 257  # opaque there
    assert np.abs(shown[1][:, 60:84] - colours).max() <= 6  # what h264 takes away


def test_frames_that_are_there_are_not_replaced_unasked(clip, run):  # noqa: F811
    """Their names are made, not given."""
    os.mkdir("f")
    pathlib.Path("f/7.png").write_bytes(b"mine")
    code, out, err = run("clip.mp4", "-o", "f/%d.png")
    assert (code, out) == (2, "") and err == (
        "error: f/7.png is there already; give --overwrite to replace frames, or another folder\n"
    )
    assert os.listdir("f") == ["7.png"]
    code, out, err = run("clip.mp4", "-o", "f/%d.png", "--overwrite")
    assert (code, err) == (0, "") and pathlib.Path("f/3.png").is_file()
    assert pathlib.Path("f/7.png").read_bytes() == b"mine"  # there is no such frame
    assert run("clip.mp4", "-o", "g/%05d.png")[0] == 0
    assert run("clip.mp4", "-o", "g/%05d.png")[0] == 2


def test_an_estimate_is_called_one(clip, run):  # noqa: F811
    code, out, err = run("clip.mp4", "-o", "counted.mkv")
    assert re.search(r"counted\.mkv \d+x\d+, 3 frames: ", out)
    code, out, err = run("counted.mkv", "-o", "other.mp4")
    assert re.search(r"other\.mp4 \d+x\d+, about \d+ frames: ", out)


def test_one_frame_is_one_frame(folder, run):  # noqa: F811
    pytest.importorskip("av")
    make("one.mp4", frames=1, audio=None)
    code, out, err = run("one.mp4")
    assert ", 1 frame: " in out and "; 1 frame, " in out


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_the_right_to_write(folder, run):  # noqa: F811
    save("a.png")
    os.mkdir("closed")
    os.chmod("closed", 0o555)
    code, out, err = run("a.png", "-o", "closed/b.png")
    assert (code, out) == (2, "") and err.startswith("error: cannot write closed/b.png: Permission denied")


def test_grey_with_transparency_and_sixteen_bits_from_another_writer(folder, run):  # noqa: F811
    imagecodecs = pytest.importorskip("imagecodecs")
    samples = np.random.default_rng(3).integers(0, 65536, (20, 24, 2)).astype(np.uint16)
    pathlib.Path("ga.png").write_bytes(imagecodecs.png_encode(samples))
    code, out, err = run("ga.png", "-o", "gb.png")
    assert (code, err) == (0, "")
    result = imagecodecs.png_decode(pathlib.Path("gb.png").read_bytes())
    assert result.shape == (60, 72, 2) and result.dtype == np.uint16
