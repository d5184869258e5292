"""Videos that are no files: pipes of y4m and raw frames, numbered frames, parts between two times."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, ImageSequence

from host.picture import pipeline
from host.picture.backends import GoldenBackend
from model.imaging.files import Picture, read_picture
from tests.host.test_batch import interrupt_at
from tests.host.test_run_pynq import COLOUR, SCRIPT, folder, run  # noqa: F401 (fixtures)
from tests.host.test_video import clip, clips, make, packets, rgb, times  # noqa: F401 (some are fixtures)
from tests.random_models import random_model

av = pytest.importorskip("av")


@pytest.fixture
def chain(run, monkeypatch, tmp_path_factory):  # noqa: F811
    """Return a function that runs the command line behind a pipe: exit code, standard output, standard error."""

    def run_piped(*arguments, given=b""):
        read, write = os.pipe()
        assert len(given) < 1 << 16 and os.write(write, given) == len(given)  # as much as a pipe holds
        os.close(write)
        shown = tmp_path_factory.mktemp("chain") / "stdout"
        with open(read) as stdin, open(shown, "w") as stdout, monkeypatch.context() as patched:
            patched.setattr(sys, "stdin", stdin)
            patched.setattr(sys, "stdout", stdout)
            code, _, err = run(*arguments)
        return code, shown.read_bytes(), err

    return run_piped


def y4m(frames, size=(32, 24), rate="25:1"):
    """A y4m file written by hand: 4:2:0, random."""
    width, height = size
    data, rng = b"YUV4MPEG2 W%d H%d F%s Ip A1:1 C420jpeg\n" % (width, height, rate.encode()), np.random.default_rng(4)
    for _ in range(frames):
        luma = rng.integers(16, 236, (height, width)).astype(np.uint8)
        chroma = rng.integers(60, 200, (2, (height + 1) // 2, (width + 1) // 2)).astype(np.uint8)
        data += b"FRAME\n" + luma.tobytes() + chroma.tobytes()
    return data


def test_a_program_in_a_chain(folder, weight_files):  # noqa: F811
    command = [sys.executable, SCRIPT, "-", "-o", "-", "--weights", weight_files["srcnn915", 3]]
    process = subprocess.run(command, input=y4m(2), capture_output=True)
    assert process.returncode == 0 and process.stdout.startswith(b"YUV4MPEG2 W96 H72 F25:1 Ip ")
    assert len(process.stdout.partition(b"\n")[2]) == 2 * (6 + 96 * 72 * 3 // 2)
    assert b"; 2 frames, no audio: this pipe holds none; " in process.stderr


def test_y4m_in_and_out(folder, chain):  # noqa: F811
    """The header in plain bytes, and the pixels of a lossless file of the same frames."""
    data = y4m(5)
    code, out, err = chain("-", "-o", "-", given=data)
    header, _, rest = out.partition(b"\n")
    assert code == 0 and header.startswith(b"YUV4MPEG2 W96 H72 F25:1 Ip ") and b"C420" in header
    assert len(rest) == 5 * (6 + 96 * 72 * 3 // 2) and rest.startswith(b"FRAME\n")
    assert "- 32x24 -> - 96x72, srcnn915 x3 on " in err and "; 5 frames, no audio: this pipe holds none; " in err
    pathlib.Path("in.y4m").write_bytes(data)
    pathlib.Path("out.y4m").write_bytes(out)
    assert chain("in.y4m", "-o", "exact.mkv", "--codec", "ffv1")[0] == 0
    with av.open("exact.mkv") as exact, av.open("out.y4m") as piped:
        for left, right in zip(exact.decode(video=0), piped.decode(video=0), strict=True):
            luma = 16 + left.to_ndarray(format="rgb24") @ np.array([65.481, 128.553, 24.966]) / 255  # BT.601
            assert np.abs(luma - right.to_ndarray()[:72]).max() < 1.5


def test_a_chain_ends_in_a_file(folder, chain):  # noqa: F811
    code, out, err = chain("-", "-o", "out.mkv", "--codec", "ffv1", given=y4m(4, rate="30000:1001"))
    assert (code, err) == (0, "") and b"- 32x24 -> out.mkv" in out and sorted(os.listdir()) == ["img.bmp", "out.mkv"]
    with av.open("out.mkv") as container:
        assert [round(float(frame.time) * 30000 / 1001, 1) for frame in container.decode(video=0)] == [0, 1, 2, 3]


def test_a_file_into_a_pipe(clip, chain):  # noqa: F811
    code, out, err = chain("clip.mp4", "-o", "-", "--end", "0.2")
    assert code == 0 and out.startswith(b"YUV4MPEG2 W96 H72 F25:1") and out.count(b"FRAME\n") == 5
    assert "clip.mp4 32x24 -> - 96x72, about 5 frames" in err


@pytest.mark.parametrize("pixels", ["rgb24", "gray"])
def test_raw_frames(folder, chain, pixels):  # noqa: F811
    """To the bit, through the picture's pipeline."""
    given = np.random.default_rng(1).integers(0, 256, (3, 10, 14, 3 if pixels == "rgb24" else 1)).astype(np.uint8)
    code, out, err = chain("-", "-o", "-", "--raw", f"14x10,{pixels},25", given=given.tobytes())
    assert code == 0 and len(out) == given.size * 9
    if pixels == "rgb24":
        backend, results = GoldenBackend(random_model()), np.frombuffer(out, np.uint8).reshape(3, 30, 42, 3)
        for frame, result in zip(given, results):
            np.testing.assert_array_equal(result, pipeline.upscale_picture(Picture(frame), backend).pixels)


def test_the_program_behind_the_pipe_ends(folder, weight_files):  # noqa: F811
    command = [sys.executable, SCRIPT, "-", "-o", "-", "-q", "--weights", weight_files["srcnn915", 3]]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    process.stdin.write(y4m(40))
    process.stdin.close()
    err = process.stderr.read().decode()
    assert process.wait() == 2 and err == (
        "error: the program behind the pipe ended before all frames were written; see what it says\n"
    )


def test_nothing_and_no_video_in_a_pipe(folder, chain):  # noqa: F811
    for given in (b"", b"not a video " * 99):
        code, out, err = chain("-", "-o", "-", given=given)
        assert (code, out) == (2, b"") and re.fullmatch("error: standard input (is not a readable|is damaged).*\n", err)
    code, out, err = chain("-", "-o", "out.mp4", given=y4m(3)[:-100])
    assert code == 0 and b"; 2 frames, " in out  # an incomplete frame is none


BAD = {
    "no output": (["-"], "- reads a video from a pipe; say where the result goes, -o FILE or -o -"),
    "raw of a file": (["clip.mp4", "--raw", "32x24,rgb24,25"], "--raw describes what comes through a pipe"),
    "raw without pixels": (["-", "-o", "o.mp4", "--raw", "32x24"], "does not describe raw frames; give width, height"),
    "rate of a video": (["clip.mp4", "--rate", "30"], "--rate goes with numbered frames"),
    "no frames": (["none/%05d.png"], "cannot read the folder none: No such file"),
    "no frames there": (["f%05d.png"], "there are no frames f%05d.png (looked for f00000.png, f00001.png and so on)"),
    "frames of a kind": (["clip.mp4", "-o", "f%05d.gif"], "frames cannot be .gif; choose .png"),
    "end before start": (["clip.mp4", "--start", "1:00", "--end", "2"], "--end 2 s is not behind --start 60 s"),
    "start behind the end": (["clip.mp4", "--start", "7"], "clip.mp4 ends before --start 7 s: there is nothing"),
    "no time": (["clip.mp4", "--start", "soon"], "'soon' is no time; give seconds"),
    "no rate": (["f%d.png", "--rate", "0"], "'0' is no frame rate"),
    "crf of ffv1": (["clip.mp4", "--codec", "ffv1", "--crf", "3"], "--crf goes with h264, hevc, av1; ffv1 has one qu"),
    "ffv1 in mp4": (["clip.mp4", "-o", "o.mp4", "--codec", "ffv1"], ".mp4 holds no ffv1; choose .mkv, or --codec h264"),
    "lossless av1": (["clip.mp4", "--codec", "av1", "--crf", "0"], "lossless RGB, which av1 is not written in here"),
}


@pytest.mark.parametrize("what", BAD)
def test_what_cannot_be_meant_is_one_sentence(clip, run, what):  # noqa: F811
    arguments, says = BAD[what]
    before = sorted(os.listdir())
    code, out, err = run(*arguments)
    assert code == 2 and says in err and err.startswith("error: ") and err.count("\n") == 1
    assert sorted(os.listdir()) == before


# --- numbered frames -------------------------------------------------------------------------------------------


@pytest.fixture
def frames(folder):  # noqa: F811
    """in/00007.png to in/00012.png, without the tenth, in a coat of noise."""
    os.mkdir("in")
    rng = np.random.default_rng(8)
    for number in (7, 8, 9, 11, 12):
        noise = rng.integers(-20, 20, COLOUR.shape)
        av.VideoFrame.from_ndarray((COLOUR.astype(int) + noise).clip(0, 255).astype(np.uint8)).to_image().save(
            f"in/{number:05d}.png"
        )
    return folder


def test_numbered_frames_in_and_out(frames, run):  # noqa: F811
    code, out, err = run("in/%05d.png", "-o", "out/large_%03d.png")
    assert (code, err) == (0, "") and "in/%05d.png 19x14 -> out/large_%03d.png 57x42, 5 frames" in out
    assert "note: 1 numbers between the frames are missing" in out
    assert sorted(os.listdir("out")) == [f"large_{number:03d}.png" for number in (7, 8, 9, 11, 12)]
    backend = GoldenBackend(random_model())
    for number in (7, 11):
        expected = pipeline.upscale_picture(read_picture(f"in/{number:05d}.png"), backend).pixels
        np.testing.assert_array_equal(read_picture(f"out/large_{number:03d}.png").pixels, expected)
    assert run("in/%05d.png")[0] == 0 and len(os.listdir("in")) == 10  # in/%05d_x3.png


def test_numbered_frames_become_a_video(frames, run):  # noqa: F811
    assert run("in/%05d.png", "-o", "clip.mkv", "--codec", "ffv1", "--rate", "10")[0] == 0
    assert [float(time) for time in times("clip.mkv")] == [0, 0.1, 0.2, 0.4, 0.5]
    results = rgb("clip.mkv")
    expected = pipeline.upscale_picture(read_picture("in/00011.png"), GoldenBackend(random_model())).pixels
    np.testing.assert_array_equal(results[3], expected)


def test_a_video_becomes_numbered_frames_in_two_runs(clip, run, monkeypatch):  # noqa: F811
    with monkeypatch.context() as patched:
        interrupt_at(patched, 12, KeyboardInterrupt())
        assert run("clip.mp4", "-o", "f/%04d.png")[0] == 130
    assert sorted(os.listdir("f"))[1:] == [f"{number:04d}.png" for number in range(1, 12)]
    pathlib.Path("f/0008.png").write_bytes(b"something else")
    code, out, err = run("clip.mp4", "-o", "f/%04d.png")
    assert code == 0 and "20 frames (7 of them in an earlier run)" in out
    assert sorted(os.listdir("f")) == [f"{number:04d}.png" for number in range(1, 21)]
    backend = GoldenBackend(random_model())
    for i, frame in enumerate(rgb("clip.mp4"), 1):
        expected = pipeline.upscale_picture(Picture(frame), backend).pixels
        np.testing.assert_array_equal(read_picture(f"f/{i:04d}.png").pixels, expected)


def test_frames_are_never_written_over_the_input(frames, run):  # noqa: F811
    code, out, err = run("in/%05d.png", "-o", "in/../in/%05d.png")
    assert code == 2 and "is the input; choose another output" in err
    os.mkdir("out")
    os.link("in/00009.png", "out/00009.png")
    before = pathlib.Path("in/00009.png").read_bytes()
    code, out, err = run("in/%05d.png", "-o", "out/%05d.png", "--overwrite")
    assert code == 2 and "the output out/00009.png is the input" in err
    assert pathlib.Path("in/00009.png").read_bytes() == before


def test_frames_that_cannot_be_read_are_left_out(frames, run):  # noqa: F811
    pathlib.Path("in/00008.png").write_bytes(pathlib.Path("in/00008.png").read_bytes()[:200])
    shutil.copy("img.bmp", "in/00009.png")
    code, out, err = run("in/%05d.png", "-o", "out.mkv", "--codec", "ffv1")
    assert code == 1 and re.fullmatch(r"note: in/%05d.png: a frame is left out: in/00008.png is damaged .*\n", err)
    assert len(rgb("out.mkv")) == 4


# --- start and end ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["v.mp4", "v.mkv", "v.avi"])
def test_start_and_end(folder, run, name):  # noqa: F811
    """The frames between the two times, from any key frame, and the audio that belongs to them."""
    options = {"g": "7"}
    make(name, frames=50, codec="mpeg4" if name == "v.avi" else "libx264", audio="mp3", options=options)
    whole, source_times = rgb(name), times(name)
    assert run(name, "-o", "out.mkv", "--codec", "ffv1", "--start", "0.5", "--end", "0:01.3")[0] == 0
    wanted = [i for i, time in enumerate(source_times) if 0.5 <= time - source_times[0] < 1.3]
    results, backend = rgb("out.mkv"), GoldenBackend(random_model())
    assert len(results) == len(wanted) == 20
    for i in (0, 9, 19):
        expected = pipeline.upscale_picture(Picture(whole[wanted[i]]), backend).pixels
        np.testing.assert_array_equal(results[i], expected)
    shown = times("out.mkv")
    assert 0 <= float(shown[0] - (source_times[wanted[0]] - source_times[0]) + 0.5) < 0.04
    sound, result = packets(name, "audio"), packets("out.mkv", "audio")
    kept = [(time, data) for time, data in sound if 0.5 <= time - source_times[0] < 1.3]
    assert [data for _, data in result] == [data for _, data in kept] and len(kept) > 20
    # how far sound and picture are apart stays
    assert abs(float((result[0][0] - shown[0]) - (kept[0][0] - source_times[wanted[0]]))) < 0.002


# --- animated pictures -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.png"])
@pytest.mark.parametrize("result", ["out.mkv", "out.mp4", "f/%d.png"])
def test_animated_pictures(folder, run, name, result):  # noqa: F811
    """All frames, their times and their transparency."""
    rgba = np.zeros((14, 20, 4), np.uint8)
    rgba[:, :, 0], rgba[:, :10, 3] = 200, 255
    images = [Image.fromarray(np.roll(rgba, 4 * i, 1)) for i in range(3)]
    more = {"lossless": True} if name == "a.webp" else {"disposal": 2} if name == "a.gif" else {}
    images[0].save(name, save_all=True, append_images=images[1:], duration=[100, 200, 60], loop=0, **more)
    code, out, err = run(name, "-o", result, *(["--codec", "ffv1"] if result == "out.mkv" else []))
    assert (code, err) == (0, "") and f"{name} 20x14 -> {result} 60x42, 3 frames" in out
    backend = GoldenBackend(random_model())
    expected = [
        pipeline.upscale_picture(
            Picture(*(np.ascontiguousarray(part) for part in (array[:, :, :3], array[:, :, 3]))), backend
        )
        for array in map(np.asarray, (image.convert("RGBA") for image in ImageSequence.Iterator(Image.open(name))))
    ]
    if result == "f/%d.png":
        for i, picture in enumerate(expected, 1):
            np.testing.assert_array_equal(read_picture(f"f/{i}.png").alpha, picture.alpha)
            np.testing.assert_array_equal(read_picture(f"f/{i}.png").pixels, picture.pixels)
        return
    assert [round(float(time), 3) for time in times(result)] == [0, 0.1, 0.3]
    assert ("note: transparency is dropped" in out) == (result == "out.mp4")
    if result == "out.mkv":
        with av.open(result) as container:
            for frame, picture in zip(container.decode(video=0), expected, strict=True):
                shown = frame.to_ndarray(format="rgba")
                np.testing.assert_array_equal(shown[:, :, 3], picture.alpha)
                np.testing.assert_array_equal(shown[:, :, :3], picture.pixels)


def test_an_animated_picture_becomes_a_picture_unless_a_video_is_asked_for(folder, run):  # noqa: F811
    images = [Image.new("RGB", (20, 14), (i * 100, 0, 0)) for i in range(3)]
    images[0].save("a.png", save_all=True, append_images=images[1:], duration=100)
    assert "a.png 20x14 -> a_x3.png 60x42" in run("a.png")[1]
    assert "2 frames" in run("a.png", "-o", "o.mp4", "--start", "0.1")[1]
