"""Runs over many files from the command line: what they write, how they go on, and what they say when something
fails.
"""

import contextlib
import errno
import fcntl
import os
import pathlib
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time

import cv2
import numpy as np
import pytest

from host.jobs import record
from host.many import batch
from host.picture import backends
from host.picture.backends import GoldenBackend
from model.imaging.files import read_picture
from model.integer import golden
from tests.host.test_backends import board_with_overlay

# folder and run are fixtures
from tests.host.test_run_pynq import COLOUR, SCRIPT, expected_colour, folder, run, snapshot  # noqa: F401
from tests.random_models import random_model

PICTURES = {
    "a.png": COLOUR,
    "b.bmp": COLOUR[:, ::-1],
    "sub/c.jpg": COLOUR[::-1],
    "sub/deeper/d.tif": COLOUR[::-1, ::-1],
}
RESULTS = ["out/a_x3.png", "out/b_x3.png", "out/sub/c_x3.png", "out/sub/deeper/d_x3.png"]


@pytest.fixture
def photos(folder):  # noqa: F811
    """A folder photos/ with sub-folders, in the current one."""
    for name, pixels in PICTURES.items():
        path = pathlib.Path("photos", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.ascontiguousarray(pixels[:, :, ::-1]))
    return folder / "photos"


def written():
    """The files in out/, without the record."""
    return sorted(str(path) for path in pathlib.Path("out").rglob("*") if path.is_file() and path.name != record.RECORD)


def check(*names):
    """Compare results with those of single pictures, bit for bit."""
    for name in names or PICTURES:
        source, result = pathlib.Path("photos", name), pathlib.Path("out", name)
        expected = expected_colour(read_picture(source).pixels, random_model())
        np.testing.assert_array_equal(read_picture(result.with_name(f"{result.stem}_x3.png")).pixels, expected)


def spoil():
    """Put what people have between the pictures: text, a broken, a cut and an empty picture, a hidden file."""
    pathlib.Path("photos/notes.txt").write_text("about my holidays")
    pathlib.Path("photos/sub/letter.docx").write_bytes(b"PK\3\4")
    pathlib.Path("photos/broken.png").write_bytes(b"no picture at all")
    pathlib.Path("photos/sub/cut.bmp").write_bytes(pathlib.Path("img.bmp").read_bytes()[:400])
    pathlib.Path("photos/empty.jpg").touch()
    pathlib.Path("photos/.DS_Store").write_bytes(b"\0")


# --- what it writes ------------------------------------------------------------------------------------------


def test_a_folder_and_a_picture(photos, run):  # noqa: F811
    code, out, err = run("photos", "img.bmp", "-o", "out")
    assert (code, err) == (0, "") and written() == sorted([*RESULTS, "out/img_x3.png"])
    check()
    assert "photos/sub/c.jpg -> out/sub/c_x3.png\n" in out
    assert re.search(r"\n5 of 5 upscaled; read .* compute .* write .*; [0-9.]+ s in all, [0-9.]+ Mpixel/s\n$", out)


def test_other_formats(photos, run):  # noqa: F811
    assert run("photos", "-o", "out", "--format", "bmp", "-q") == (0, "", "")
    assert written() == [name.replace(".png", ".bmp") for name in RESULTS]
    np.testing.assert_array_equal(read_picture("out/a_x3.bmp").pixels, expected_colour(COLOUR, random_model()))


@pytest.mark.parametrize("output", ["out/", "out"])
def test_one_picture_into_a_folder(photos, run, output):  # noqa: F811
    if output == "out":
        pathlib.Path("out").mkdir()
    assert run("photos/a.png", "-o", output)[0] == 0 and written() == ["out/a_x3.png"]
    check("a.png")


def test_board_takes_a_folder(photos, run, monkeypatch, models):  # noqa: F811
    board = board_with_overlay(monkeypatch, photos.parent / "bitstreams", models["srcnn915"])
    code, out, err = run("photos", "-o", "out")
    assert (code, err) == (0, "") and "on pynq (overlay in" in out and board.live_buffers == 0
    check()


def test_mixed_folder(photos, run):  # noqa: F811
    spoil()
    code, out, err = run("photos", "-o", "out")
    assert code == batch.EXIT_SOME_FAILED and written() == RESULTS
    check()
    assert "4 of 7 upscaled, 3 failed, 2 of other kinds left alone (notes.txt, letter.docx); " in out
    sentences = err.splitlines()
    assert len(sentences) == 3 and all(line.startswith("error: photos/") for line in sentences)
    for line, says in zip(
        sentences, ["broken.png is not a readable", "empty.jpg is empty", "sub/cut.bmp is damaged or cut short"]
    ):
        assert says in line


def test_limits_are_per_picture(photos, run):  # noqa: F811
    cv2.imwrite("photos/large.png", np.zeros((40, 40), np.uint8))
    code, out, err = run("photos", "-o", "out", "--max-mpixel", "0.01")
    assert code == 1 and written() == RESULTS and "photos/large.png: 40x40 pixels x3 make 120x120 = " in err


def test_figures(photos, run):  # noqa: F811
    assert run("photos/a.png", "photos/b.bmp", "-o", "out")[0] == 0
    code, out, err = run("photos/a.png", "photos/b.bmp", "-o", "out", "--compare")  # finished, but without figures
    assert code == 0 and written() == ["out/a_x3.png", "out/a_x3_compare.png", "out/b_x3.png", "out/b_x3_compare.png"]
    assert (
        "2 of 2 upscaled" in out
        and "2 finished before" in run("photos/a.png", "photos/b.bmp", "-o", "out", "--compare")[1]
    )


def test_with_the_host_s_packages_only(photos, weight_files):
    absent = ["tensorflow", "keras", "skimage", "matplotlib", "scipy", "pynq", "av", "dask", "distributed"]
    spy = (
        f"import runpy, sys; sys.argv = sys.argv[1:]; "
        f"sys.modules.update(dict.fromkeys({absent}))\nrunpy.run_path(sys.argv[0], run_name='__main__')"
    )
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            spy,
            SCRIPT,
            "photos",
            "-o",
            "out",
            "--compare",
            "--weights",
            weight_files["srcnn915", 3],
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert len(written()) == 2 * len(RESULTS)
    check()


def terminal(*arguments):
    """Run the command line on a terminal; return what it shows."""
    reader, writer = pty.openpty()
    fcntl.ioctl(writer, termios.TIOCSWINSZ, struct.pack("HHHH", 25, 120, 0, 0))
    process = subprocess.Popen([sys.executable, SCRIPT, *arguments], stdout=writer, stderr=writer)
    os.close(writer)
    shown = b""
    with contextlib.suppress(OSError):  # how a terminal says that nobody writes any more
        while data := os.read(reader, 1 << 16):
            shown += data
    os.close(reader)
    assert process.wait(timeout=60) == 0
    return shown.decode()


def test_bar_over_pictures_and_pixels(photos, weight_files):
    shown = terminal("photos", "-o", "out", "--tile", "4", "--weights", weight_files["srcnn915", 3])
    assert re.search(
        r"\r[1-4]/4 [a-d]\.[a-z]{3}: +[0-9]+%\|.*\| [0-9.]+k/9.58k \[[0-9:]+<[0-9:?]+, *[0-9.?]+k?pixel/s\]", shown
    )
    assert re.search(r"\rphotos/sub/c.jpg -> out/sub/c_x3.png\r?\n", shown)  # lines stand above the bar


# --- going on ------------------------------------------------------------------------------------------------


def test_second_run_does_what_is_new_or_changed(photos, run):  # noqa: F811
    assert run("photos", "-o", "out")[0] == 0
    before = {name: os.stat(name).st_mtime_ns for name in RESULTS}
    assert "0 of 4 upscaled, 4 finished before\n" in run("photos", "-o", "out")[1]
    cv2.imwrite("photos/a.png", COLOUR[:5])
    cv2.imwrite("photos/new.png", COLOUR)
    pathlib.Path("out/sub/c_x3.png").unlink()
    assert "3 of 5 upscaled, 2 finished before; " in run("photos", "-o", "out")[1]
    check(*PICTURES, "new.png")
    assert [name for name in RESULTS if os.stat(name).st_mtime_ns == before[name]] == [
        "out/b_x3.png",
        "out/sub/deeper/d_x3.png",
    ]


def test_other_settings_begin_anew(photos, run, weight_files):  # noqa: F811
    assert run("photos", "-o", "out")[0] == 0
    other = weight_files["srcnn935", 3]
    assert "4 of 4 upscaled; " in run("photos", "-o", "out", weights=other)[1]
    assert (
        "4 finished before" in run("photos", "-o", "out", "--tile", "8", "--backend", "golden", weights=other)[1]
    )  # the same bits
    assert "4 of 4 upscaled; " in run("photos", "-o", "out", "--again", weights=other)[1]


def test_failed_ones_are_tried_again(photos, run):  # noqa: F811
    spoil()
    assert run("photos", "-o", "out")[0] == 1
    cv2.imwrite("photos/broken.png", COLOUR)
    code, out, err = run("photos", "-o", "out")
    assert code == 1 and "1 of 7 upscaled, 4 finished before, 2 failed" in out and "out/broken_x3.png" in written()


def interrupt_at(monkeypatch, count, error):
    """Make the network raise at its `count`th tile."""
    calls, infer_valid = [], golden.infer_valid

    def counted(*arguments):
        calls.append(1)
        if len(calls) == count:
            raise error
        return infer_valid(*arguments)

    monkeypatch.setattr("host.picture.backends._fastest_here", GoldenBackend)
    monkeypatch.setattr(golden, "infer_valid", counted)


def test_ctrl_c_keeps_what_is_finished(photos, run, monkeypatch):  # noqa: F811
    with monkeypatch.context() as patched:
        interrupt_at(patched, 3, KeyboardInterrupt())
        code, out, err = run("photos", "-o", "out")
    assert code == 130 and "2 of 4 upscaled" in out
    assert err == "interrupted; what is finished is kept, and the same command goes on from there\n"
    assert written() == RESULTS[:2]
    assert "2 of 4 upscaled, 2 finished before" in run("photos", "-o", "out")[1] and written() == RESULTS
    check()


@pytest.mark.parametrize(
    "inherited", [signal.SIG_DFL, signal.SIG_IGN]
)  # as a terminal starts it; as a script does in the background
@pytest.mark.parametrize("sent, code, leftovers", [(signal.SIGINT, 130, 0), (signal.SIGKILL, -9, 1)])
def test_a_process_that_is_ended(photos, run, weight_files, sent, code, leftovers, inherited):  # noqa: F811
    """Ctrl-C as a shell sends it; and a kill while a picture is being written, which leaves a temporary file."""
    hook = (
        "import pathlib, runpy, sys, time; sys.argv = sys.argv[1:]; write = pathlib.Path.write_bytes; written = []\n"
        "def slow(self, data):\n"
        "    write(self, bytes(data)[:len(data) // 2])\n"
        # one sleep could begin after the signal
        "    written.append(self)\n"
        "    if len(written) == 2: print('writing', flush=True); [time.sleep(0.1) for _ in range(600)]\n"
        "    write(self, data)\n"
        "pathlib.Path.write_bytes = slow\nrunpy.run_path(sys.argv[0], run_name='__main__')"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", hook, SCRIPT, "photos", "-o", "out", "--weights", weight_files["srcnn915", 3]],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, inherited),
    )
    while process.stdout.readline() != "writing\n":
        assert process.poll() is None
    process.send_signal(sent)
    out, err = process.communicate(timeout=20)
    assert process.returncode == code and "Traceback" not in err
    assert written()[-1] == "out/a_x3.png" and len(written()) == 1 + leftovers
    assert "3 of 4 upscaled, 1 finished before" in run("photos", "-o", "out")[1] and written() == RESULTS
    check()


def test_a_user_s_hidden_file_survives(photos, run):  # noqa: F811
    mine = pathlib.Path("out/.a_x3-backup01.png")
    mine.parent.mkdir()
    mine.write_text("mine")
    assert run("photos", "-o", "out", "-q")[0] == 0 and mine.read_text() == "mine"
    assert run("photos", "-o", "out", "-q", "--again")[0] == 0 and mine.read_text() == "mine"


def test_a_figure_in_the_place_of_an_input(photos, run):  # noqa: F811
    pathlib.Path("out").mkdir()
    os.rename("img.bmp", "out/a_x3_compare.png")
    before = pathlib.Path("out/a_x3_compare.png").read_bytes()
    code, out, err = run("photos/a.png", "out/a_x3_compare.png", "-o", "out", "--compare")
    assert code == 1 and "photos/a.png is left out: its figure out/a_x3_compare.png would replace the input" in err
    assert pathlib.Path("out/a_x3_compare.png").read_bytes() == before


def test_a_board_that_stumbles_once_goes_on(photos, run, monkeypatch):  # noqa: F811
    interrupt_at(monkeypatch, 2, backends.UserError("the DMA did not finish in time"))
    code, out, err = run("photos", "-o", "out")
    assert (code, err) == (0, "") and written() == RESULTS
    check()


def test_a_board_that_fails_twice_ends_the_run(photos, run, monkeypatch, models):  # noqa: F811
    board = board_with_overlay(monkeypatch, photos.parent / "bitstreams", models["srcnn915"])
    board.fault, board.fault_until_download = "short answer", False
    code, out, err = run("photos", "-o", "out")
    assert code == 2 and written() == [] and "0 of 4 upscaled\n" in out and board.live_buffers == 0
    assert re.fullmatch("error: .*; what is finished is kept, and the same command goes on from there\n", err)


# --- bad input -----------------------------------------------------------------------------------------------

BAD = {
    "output is the input": (["photos", "-o", "photos"], "is the input folder photos"),
    "output inside the input": (["photos", "-o", "photos/out"], "lies inside the input folder photos"),
    "output through a link": (["photos", "-o", "link/out"], "lies inside the input folder photos"),
    "no output": (["photos"], "photos is a folder; give another one for its results, -o FOLDER"),
    "two pictures, no output": (["img.bmp", "photos/a.png"], "several pictures need a folder for their results"),
    "output looks like a file": (["photos", "-o", "out.png"], "out.png looks like a file"),
    "output is a file": (["photos", "-o", "texts/a.txt"], "cannot make the folder texts/a.txt"),
    "output below a file": (["photos", "-o", "texts/a.txt/out/"], "cannot make the folder texts/a.txt/out"),
    "nothing there": (["none", "-o", "none_out"], "there is no file none"),
    "an empty folder": (["empty", "-o", "none_out"], "there are no pictures and no videos in empty"),
    "other files only": (["texts", "-o", "none_out"], "there are no pictures and no videos in texts"),
    "truth for many": (["photos", "-o", "none_out", "--compare", "--truth", "img.bmp"], "--truth goes with"),
    "format unknown": (["photos", "-o", "none_out", "--format", "gif"], "'gif' is not one of"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_input_is_one_sentence_and_changes_nothing(photos, run, what):  # noqa: F811
    arguments, says = BAD[what]
    os.symlink("photos", "link")
    pathlib.Path("empty").mkdir()
    pathlib.Path("texts").mkdir()
    pathlib.Path("texts/a.txt").touch()
    before = snapshot(photos.parent)
    code, out, err = run(*arguments)
    assert code == 2 and says in err and err.startswith("error: ") and err.count("\n") == 1
    assert snapshot(photos.parent) == before


def test_a_name_that_is_not_there_fails_alone(photos, run):  # noqa: F811
    code, out, err = run("none.png", "photos", "-o", "out")
    assert (
        code == 1
        and err == "error: there is no file none.png; check the name and the folder\n"
        and written() == RESULTS
    )


def test_two_runs_with_one_output(photos, run):  # noqa: F811
    with record.Record(pathlib.Path("out")):
        code, out, err = run("photos", "-o", "out")
    assert (
        code == 2
        and err == "error: another run is writing into out; wait for its end or choose another output folder\n"
        and written() == []
    )
    assert run("photos", "-o", "out")[0] == 0


def test_disk_full_while_writing(photos, run, monkeypatch):  # noqa: F811
    write, calls = pathlib.Path.write_bytes, []

    def full(self, data):
        write(self, bytes(data)[:50])
        calls.append(self)
        if len(calls) == 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(self, data)

    with monkeypatch.context() as patched:
        patched.setattr(pathlib.Path, "write_bytes", full)
        code, out, err = run("photos", "-o", "out")
    assert code == 2 and written() == RESULTS[:2] and "2 of 4 upscaled; " in out
    assert err == (
        "error: the disk is full, out/sub/c_x3.png could not be written; free some space; "
        "what is finished is kept, and the same command goes on from there\n"
    )
    assert "2 of 4 upscaled, 2 finished before" in run("photos", "-o", "out")[1] and written() == RESULTS
    check()


@pytest.mark.parametrize("kind", ["png", "jpg", "bmp", "tif"])
def test_disk_that_is_really_full(photos, run, kind):  # noqa: F811
    pathlib.Path("out").mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24k", "tmpfs", "out"], capture_output=True).returncode:
        pytest.skip("mounting a small disk takes root")
    try:
        cv2.imwrite(
            "photos/e.png", np.random.default_rng(1).integers(0, 256, (60, 60, 3)).astype(np.uint8)
        )  # larger than the disk
        code, out, err = run("photos", "-o", "out", "--format", kind)
        assert code == 2 and re.fullmatch(
            "error: the disk is full, out/[^ ]* could not be written; free some space; .*\n", err
        )
        assert all(read_picture(name).size == (57, 42) for name in written())
    finally:
        subprocess.run(["umount", "out"], check=True)


def test_disk_full_while_recording(photos, run, monkeypatch):  # noqa: F811
    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(record.Record, "add", full)
    code, out, err = run("photos", "-o", "out")
    assert code == 2 and err.startswith(
        "error: cannot write the record of what is finished (No space left on device); free some space; "
    )


def test_a_file_that_cannot_be_written_fails_alone(photos, run, monkeypatch):  # noqa: F811
    pathlib.Path("out/b_x3.png").mkdir(parents=True)
    pathlib.Path("out/sub").touch()
    code, out, err = run("photos", "-o", "out")
    assert code == 1 and "1 of 4 upscaled, 3 failed" in out
    assert "cannot write out/b_x3.png: it is a folder" in err and "cannot make the folder out/sub" in err


def test_a_picture_that_vanishes(photos, run, monkeypatch):  # noqa: F811
    todo = batch._Run._todo

    def vanish(self):
        found = todo(self)
        pathlib.Path("photos/b.bmp").unlink()
        return found

    monkeypatch.setattr(batch._Run, "_todo", vanish)
    code, out, err = run("photos", "-o", "out")
    assert (
        code == 1
        and err == "error: cannot read photos/b.bmp: No such file or directory; check the name and the folder\n"
    )
    assert written() == [RESULTS[0], *RESULTS[2:]]


def test_an_input_that_changes_meanwhile_is_not_finished(photos, run, monkeypatch):  # noqa: F811
    add = record.Record.add

    def change(self, job, *arguments):
        if job.source.name == "a.png":
            time.sleep(0.01)
            cv2.imwrite("photos/a.png", COLOUR[:5])
        add(self, job, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(record.Record, "add", change)
        assert run("photos", "-o", "out")[0] == 0
    assert "1 of 4 upscaled, 3 finished before" in run("photos", "-o", "out")[1]
    check()
