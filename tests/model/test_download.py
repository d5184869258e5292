"""The download command, with made-up archives and a server on this machine."""

import hashlib
import http.server
import threading
import zipfile

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from model.base.errors import UserError
from model.data import download


def picture(seed, grey=False):
    return np.random.default_rng(seed).integers(0, 256, (6, 7) if grey else (6, 7, 3), np.uint8)


PICTURES = {
    "T91/t1.bmp": picture(1),
    "T91/t2.bmp": picture(1),
    "Set5/baby_GT.bmp": picture(2),
    "Set14/bridge.bmp": picture(3, grey=True),
}
SUMS = {name: download.pixel_sum(pixels) for name, pixels in PICTURES.items()}


def encoded(pixels, suffix=".bmp"):
    return cv2.imencode(suffix, pixels)[1].tobytes()


def make_archive(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


@pytest.fixture
def project(tmp_path, monkeypatch):
    sums = tmp_path / "sums"
    sums.write_text("".join(f"{digest}  {name}\n" for name, digest in SUMS.items()))
    monkeypatch.setattr(download, "BUILD", tmp_path / "build")
    monkeypatch.setattr(download, "read_sums", lambda: dict(SUMS))
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(download.main, [str(a) for a in arguments])


def test_pictures_are_found_by_their_pixels_and_written_under_our_names(project):
    members = {
        "Train/t1.bmp": encoded(PICTURES["T91/t1.bmp"]),
        "../../evil/x.bmp": encoded(PICTURES["Set5/baby_GT.bmp"]),
        "/etc/bridge.png": encoded(PICTURES["Set14/bridge.bmp"], ".png"),
        "../../pwned.bmp": encoded(picture(99)),
        "code/demo.m": b"imresize",
        "empty.bmp": b"",
        "broken.png": b"nothing",
    }
    result = run("--from", make_archive(project / "a.zip", members))
    assert result.exit_code == 0, result.output
    data = project / "build" / "data"
    assert sorted(str(p.relative_to(data)) for p in data.rglob("*.bmp")) == sorted(SUMS)
    assert download.is_complete(data, SUMS)
    assert sorted(p.name for p in project.rglob("*") if p.is_file()) == sorted(
        ["a.zip", "sums", *(n.split("/")[1] for n in SUMS)]
    )
    assert "is complete" in run().output  # nothing is fetched a second time


def test_two_archives_together(project):
    names = list(SUMS)
    first = make_archive(project / "a.zip", {n: encoded(PICTURES[n]) for n in names[:2]})
    second = make_archive(project / "b.zip", {n: encoded(PICTURES[n]) for n in names[2:]})
    assert run("--from", first, "--from", second).exit_code == 0


def truncated(project):
    whole = make_archive(project / "a.zip", {name: encoded(pixels) for name, pixels in PICTURES.items()})
    whole.write_bytes(whole.read_bytes()[:-60])
    return whole


def flipped(project):
    whole = make_archive(project / "a.zip", {name: encoded(pixels) for name, pixels in PICTURES.items()})
    content = bytearray(whole.read_bytes())
    content[60] ^= 0xFF
    whole.write_bytes(content)
    return whole


def altered(project):
    return make_archive(project / "a.zip", {name: encoded(pixels ^ 1) for name, pixels in PICTURES.items()})


def text(project):
    (project / "a.zip").write_text("404 not found")
    return project / "a.zip"


@pytest.mark.parametrize(
    "make", [truncated, flipped, altered, text, lambda project: project / "absent.zip", lambda project: project]
)
def test_bad_archives_leave_the_data_as_it_was(project, make):
    old = project / "build" / "data" / "Set5" / "old.bmp"
    old.parent.mkdir(parents=True)
    old.write_text("kept")
    result = run("--from", make(project))
    assert result.exit_code == 2 and result.stderr.startswith("error: ") and result.stderr.count("\n") == 1, (
        result.output
    )
    assert [p for p in (project / "build").rglob("*") if p.is_file()] == [old]


def test_download_needs_both_archives_and_says_when_offline(project, monkeypatch):
    names = list(SUMS)
    served = project / "served"
    served.mkdir()
    make_archive(served / "SRCNN_v1.zip", {n: encoded(PICTURES[n]) for n in names[2:]})
    make_archive(served / "SRCNN_train.zip", {n: encoded(PICTURES[n]) for n in names})

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, directory=served, **options)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(download, "PAGE", f"http://127.0.0.1:{server.server_port}/")
        result = run()
        assert result.exit_code == 0, result.output
        assert hashlib.sha256((served / "SRCNN_v1.zip").read_bytes()).hexdigest() in result.output
        with pytest.raises(UserError, match="ot found.*--from FILE"):
            download.fetch(download.PAGE + "absent.zip", project / "absent.zip")
        server.shutdown()
    monkeypatch.setattr(download, "PAGE", f"http://127.0.0.1:{server.server_port}/")
    (project / "build" / "data" / "T91" / "t1.bmp").unlink()
    result = run()
    assert result.exit_code == 2 and "cannot download" in result.stderr and "--from FILE" in result.stderr


def test_the_committed_sums():
    sums = download.read_sums(download.SUMS)
    assert {s: sum(name.startswith(s + "/") for name in sums) for s in ("T91", "Set5", "Set14")} == {
        "T91": 91,
        "Set5": 5,
        "Set14": 14,
    }
    assert all(len(digest) == 64 for digest in sums.values())
