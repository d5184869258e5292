"""Videos that are interrupted, damaged or refused: the same file in the end, or one sentence, and nothing is lost."""

import errno
import os
import pathlib
import re
import signal
import subprocess
import sys

import numpy as np
import pytest

from host.picture.backends import GoldenBackend
from host.video import muxing
from model.integer import golden
from tests.host.test_batch import interrupt_at
from tests.host.test_run_pynq import SCRIPT, folder, run, snapshot  # noqa: F401 (folder and run are fixtures)
from tests.host.test_video import FRAMES, clip, clips, make, packets, rgb, short_parts  # noqa: F401 (some are fixtures)

av = pytest.importorskip("av")


@pytest.mark.parametrize("crf", ["17", "0"])
def test_the_same_file_whatever_lies_in_memory(folder, weight_files, crf):  # noqa: F811
    """The C library fills fresh memory with another byte in each run; an encoder that reads what it has not written
    shows it.
    """
    make("clip.mp4", frames=10, size=(48, 36))
    files = set()
    for fill in ("0", "1", "170"):
        subprocess.run(
            [
                sys.executable,
                SCRIPT,
                "clip.mp4",
                "-o",
                "large.mp4",
                "-q",
                "--crf",
                crf,
                "--weights",
                weight_files["srcnn915", 3],
            ],
            check=True,
            env=os.environ | {"MALLOC_PERTURB_": fill},
        )
        files.add(pathlib.Path("large.mp4").read_bytes())
    assert len(files) == 1


# --- going on ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("crf", ["17", "0"])
def test_interrupted_and_gone_on_is_the_same_file(clip, run, monkeypatch, short_parts, crf):  # noqa: F811
    assert run("clip.mp4", "--crf", crf, "-o", "whole.mp4")[0] == 0
    whole = pathlib.Path("whole.mp4").read_bytes()
    pathlib.Path("whole.mp4").unlink()
    for tile in (14, 6):  # in the second part; then, going on from frame 8, still in the second
        with monkeypatch.context() as patched:
            interrupt_at(patched, tile, KeyboardInterrupt())
            code, out, err = run("clip.mp4", "--crf", crf, "-o", "whole.mp4")
        assert code == 130 and err == "interrupted; what is finished is kept, and the same command goes on from there\n"
        assert not pathlib.Path("whole.mp4").exists() and pathlib.Path(".whole.mp4.parts/000000.npz").exists()
    code, out, err = run("clip.mp4", "--crf", crf, "-o", "whole.mp4")
    assert code == 0 and "20 frames (8 of them in an earlier run), audio (aac) copied untouched" in out
    assert pathlib.Path("whole.mp4").read_bytes() == whole and sorted(os.listdir()) == [
        "clip.mp4",
        "img.bmp",
        "whole.mp4",
    ]


def test_parts_of_something_else_are_not_taken(clip, run, monkeypatch, short_parts):  # noqa: F811
    for _ in range(2):
        with monkeypatch.context() as patched:
            interrupt_at(patched, 10, KeyboardInterrupt())
            assert run("clip.mp4")[0] == 130
        assert pathlib.Path(".clip_x3.mp4.parts/000000.npz").exists()
        os.utime("clip.mp4")  # as if it were another clip
    assert "(8 of them" not in run("clip.mp4")[1]
    with monkeypatch.context() as patched:
        interrupt_at(patched, 10, KeyboardInterrupt())
        assert run("clip.mp4", "--overwrite")[0] == 130
    assert "(8 of them" not in run("clip.mp4", "--crf", "20", "--overwrite")[1]


@pytest.mark.parametrize("damage", [lambda data: data[:-100], lambda data: data[:-4000] + bytes(50) + data[-3950:]])
def test_damaged_parts_are_made_again(clip, run, monkeypatch, short_parts, damage):  # noqa: F811
    assert run("clip.mp4", "-o", "whole.mp4")[0] == 0
    with monkeypatch.context() as patched:
        interrupt_at(patched, 18, KeyboardInterrupt())
        assert run("clip.mp4")[0] == 130
    part = pathlib.Path(".clip_x3.mp4.parts/000000.npz")
    part.write_bytes(damage(part.read_bytes()))
    assert "(8 of them" not in run("clip.mp4")[1]
    assert pathlib.Path("clip_x3.mp4").read_bytes() == pathlib.Path("whole.mp4").read_bytes()


def test_a_killed_process_goes_on(clip, run, weight_files, short_parts):  # noqa: F811
    hook = (
        "import runpy, sys, time; sys.argv = sys.argv[1:]; sys.path.insert(0, sys.argv.pop(0))\n"
        "from host.video import parts; parts.PART_FRAMES = 8; add = parts.Parts.add\n"
        "def slow(self, packets):\n"
        "    add(self, packets)\n"
        "    if self.count == 2: print('two', flush=True); time.sleep(60)\n"
        "parts.Parts.add = slow\nrunpy.run_path(sys.argv[0], run_name='__main__')"
    )
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            hook,
            SCRIPT.parent.parent,
            SCRIPT,
            "clip.mp4",
            "-q",
            "--weights",
            weight_files["srcnn915", 3],
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "two\n"
    code, out, err = run("clip.mp4")
    assert code == 2 and err == "error: another run is writing clip_x3.mp4; wait for its end or choose another output\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert "(16 of them in an earlier run)" in run("clip.mp4")[1] and len(rgb("clip_x3.mp4")) == FRAMES


# --- bad input -----------------------------------------------------------------------------------------------


def test_parts_wait_for_the_folder_s_next_run(clip, run, monkeypatch, short_parts):  # noqa: F811
    with monkeypatch.context() as patched:
        interrupt_at(patched, 18, KeyboardInterrupt())
        assert run("clip.mp4", "-o", "out/")[0] == 130
    calls, infer_valid = [], golden.infer_valid
    monkeypatch.setattr("host.picture.backends._fastest_here", GoldenBackend)
    monkeypatch.setattr(golden, "infer_valid", lambda *arguments: (calls.append(1), infer_valid(*arguments))[1])
    assert run("clip.mp4", "-o", "out/")[0] == 0 and len(calls) == FRAMES - 16


def broken(clips, kind):  # noqa: F811
    data = (clips / ("fast.mp4" if kind.startswith("header first") else "clip.mp4")).read_bytes()
    return {
        "empty": b"",
        "text": b"not a video " * 99,
        "cut short": data[: len(data) // 2],
        "header first, cut before the frames": data[: data.index(b"mdat") + 9],
    }[kind]


BROKEN = {
    "empty": "v.mp4 is empty",
    "text": "v.mp4 is not a readable video",
    "cut short": "v.mp4 is not a readable video",
    "header first, cut before the frames": "v.mp4 is damaged or cut short: no frame could be read",
}


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_videos(folder, run, clips, kind):  # noqa: F811
    pathlib.Path("v.mp4").write_bytes(broken(clips, kind))
    before = snapshot(folder)
    code, out, err = run("v.mp4")
    assert code == 2 and re.match(f"error: {BROKEN[kind]}", err) and err.count("\n") == 1
    assert snapshot(folder) == before and sorted(os.listdir()) == ["img.bmp", "v.mp4"]


BAD = {
    "missing": (["none.mp4"], "cannot read none.mp4: No such file"),
    "named pipe": (["fifo.mp4"], "fifo.mp4 is not a regular file; give a video file, or - for what comes"),
    "sound only": (["sound.mp4"], "sound.mp4 holds no moving pictures"),
    "output extension": (["clip.mp4", "-o", "out.avi"], "extension is .avi; choose .mp4, .m4v, .mov, .mkv, .webm for"),
    "name too long": (["clip.mp4", "-o", "x" * 252 + ".mp4"], "its name has 256 bytes, the limit there is 255; choose"),
    "output picture": (["clip.mp4", "-o", "out.png"], "extension is .png"),
    "output is input": (["clip.mp4", "-o", "clip.mp4"], "the output clip.mp4 is the input"),
    "output folder missing": (["clip.mp4", "-o", "none/out.mp4"], "the folder none does not exist"),
    "too large": (["clip.mp4", "--max-mpixel", "0.005"], "32x24 pixels x3 make 96x72"),
    "compare": (["clip.mp4", "--compare"], "--compare and --page show pictures, not videos"),
    "crf": (["clip.mp4", "--crf", "52"], "--crf 52 is not in the range of h264, 0 to 51"),
    "video as picture's output": (["img.bmp", "-o", "img.mp4"], "extension is .mp4; choose .png"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_input_is_one_sentence_and_changes_nothing(clip, run, what):  # noqa: F811
    arguments, says = BAD[what]
    if what == "named pipe":
        os.mkfifo("fifo.mp4")
    if what == "sound only":
        with av.open("sound.mp4", "w") as container:
            tone = container.add_stream("aac", rate=48000, layout="stereo")
            sound = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), format="fltp", layout="stereo")
            sound.sample_rate = 48000
            container.mux(tone.encode(sound))
            container.mux(tone.encode(None))
    before = snapshot(clip)
    code, out, err = run(*arguments)
    assert code == 2 and says in err and err.startswith("error: ") and err.count("\n") == 1
    assert snapshot(clip) == before and not list(clip.glob(".*"))


def test_without_pyav(clip, run, monkeypatch):  # noqa: F811
    monkeypatch.setitem(sys.modules, "av", None)
    code, out, err = run("clip.mp4")
    assert code == 2 and re.fullmatch(
        r"error: videos need the package av, which cannot be imported here \(.*\); install it: pip install av\n", err
    )
    assert run("img.bmp")[0] == 0  # pictures don't


@pytest.mark.parametrize("where", ["part", "file"])
def test_disk_full(clip, run, monkeypatch, short_parts, where):  # noqa: F811
    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(*((pathlib.Path, "write_bytes") if where == "part" else (muxing, "interleave")), full)
        code, out, err = run("clip.mp4")
        assert code == 2 and err == "error: cannot write clip_x3.mp4: No space left on device; choose another output\n"
        code, out, err = run("clip.mp4", "img.bmp", "-o", "out")
        assert code == 2 and err.startswith(
            "error: the disk is full, out/clip_x3.mp4 could not be written; free some space; what is finished is kept"
        )
    assert not pathlib.Path("clip_x3.mp4").exists() and not pathlib.Path("out/clip_x3.mp4").exists()
    assert ("(16 of them" if where == "file" else "20 frames, ") in run("clip.mp4")[1]


def test_disk_that_is_really_full(clip, run):  # noqa: F811
    pathlib.Path("out").mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", "out"], capture_output=True).returncode:
        pytest.skip("mounting a small disk takes root")
    try:
        code, out, err = run("clip.mp4", "-o", "out/", "--crf", "0")
        assert (
            code == 2
            and err.startswith("error: the disk is full, out/clip_x3.mp4 could not be written; free some space; ")
            and err.count("\n") == 1
        )
        assert not pathlib.Path("out/clip_x3.mp4").exists()
    finally:
        subprocess.run(["umount", "out"], check=True)
