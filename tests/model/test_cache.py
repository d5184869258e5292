"""Builds once per content: what the digest covers, what a failure leaves, two processes at once."""

import os
import pathlib
import subprocess
import sys

import pytest

from hls.open.errors import Refused
from model.base import cache
from model.base.cache import built, digest
from model.base.errors import UserError
from model.base.paths import ROOT, take_lock


@pytest.fixture(autouse=True)
def build(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "BUILD", tmp_path)
    return tmp_path


def test_whatever_goes_in_changes_the_digest(tmp_path):
    (tmp_path / "sub").mkdir()
    a, b, twin = tmp_path / "a", tmp_path / "b", tmp_path / "sub" / "a"
    for path in (a, b, twin):
        path.write_text("same")
    assert digest("recipe", [a]) == digest("recipe", [str(twin)]), "wherever it lies"
    assert (
        len(
            {
                digest("recipe", [a]),
                digest("other", [a]),
                digest("recipe", [b]),
                digest("recipe", [a, b]),
                digest("recipe", [b, a]),
                digest("recipe", [a], tmp_path),
                digest("recipe", [twin], tmp_path),
            }
        )
        == 6
    ), "the first and the sixth are the same"
    before = digest("recipe", [a])
    a.write_text("another")
    assert digest("recipe", [a]) != before and len(before) == 12


def test_a_folder_is_made_once_with_the_usual_rights(tmp_path):
    calls = []

    def make(folder):
        calls.append(folder)
        (folder / "result").write_text("done")

    target = tmp_path / "kind" / "name-0123"
    before = os.umask(0o027)
    try:
        assert built(target, make) == built(target, make) == target
    finally:
        os.umask(before)
    assert len(calls) == 1 and (target / "result").read_text() == "done"
    assert [path.name for path in target.parent.iterdir()] == ["name-0123"]
    assert target.stat().st_mode & 0o777 == 0o750


def test_what_is_there_is_found_where_nothing_can_be_written(tmp_path, monkeypatch):
    folder = tmp_path / "thing-1"
    built(folder, lambda new: None)
    monkeypatch.setattr(cache, "build_lock", None)  # a lock is a file
    assert built(folder, lambda new: None) == folder


@pytest.mark.parametrize("kind", [UserError, Refused])
def test_a_failure_keeps_its_logs_until_the_next_one(tmp_path, kind):
    def fail(folder):
        (folder / f"log-{len(list(tmp_path.glob('failed-*')))}").touch()
        raise kind(f"it fails; the log is {folder / 'log'}")

    for name, logs in (("name-0123", ["log-0"]), ("name-4567", ["log-1"])):
        with pytest.raises(kind, match=f"^it fails; the log is {tmp_path}/failed-name/log$"):
            built(tmp_path / name, fail)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["failed-name", "locks"]
        assert [path.name for path in (tmp_path / "failed-name").iterdir()] == logs
    built(tmp_path / "name-0123", lambda folder: None)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["locks", "name-0123"]


def test_what_is_interrupted_leaves_nothing(tmp_path):
    def interrupt(folder):
        (folder / "half").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        built(tmp_path / "name-0123", interrupt)
    assert [path.name for path in tmp_path.iterdir()] == ["locks"]
    (tmp_path / ".name-0123").mkdir()
    (tmp_path / ".name-0123" / "half").touch()  # of a process that was killed
    assert list(built(tmp_path / "name-0123", lambda folder: None).iterdir()) == []


def test_processes_that_want_the_same_build_it_once(tmp_path):
    script = (
        "import pathlib, sys, time; from model.base.cache import built; folder = pathlib.Path(sys.argv[1])\n"
        "def make(new):\n    print('made', flush=True); time.sleep(0.5); (new / 'result').touch()\n"
        "assert (built(folder, make) / 'result').is_file()"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "name-0123")]
    running = [
        subprocess.Popen(
            command, cwd=ROOT, env=os.environ | {"SRCNN_BUILD": str(tmp_path)}, stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    said = [process.communicate()[0] for process in running]
    assert [process.returncode for process in running] == [0, 0, 0] and sorted(said) == ["", "", "made\n"]


def test_a_lock_is_held_until_its_file_is_closed(tmp_path):
    path = pathlib.Path(tmp_path / "file")
    with open(path, "w", encoding="ascii") as mine, open(path, "w", encoding="ascii") as other:
        assert take_lock(mine) and not take_lock(other)
        mine.close()
        assert take_lock(other)
