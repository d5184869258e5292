"""A server that is killed, at each step of a job, leaves whole files or none, and its queue goes on."""

import io
import json
import os
import signal
import time

import httpx2
import numpy as np
import pytest
from PIL import Image

from host.picture import pipeline
from host.picture.backends import GoldenBackend
from model.imaging.files import Picture
from tests.host.web.client import PATIENCE, Server, ask

pytest.importorskip("starlette")
PIXELS = np.random.default_rng(4).integers(0, 256, (7, 9, 3)).astype(np.uint8)
# Each is a change of the file system, in the order that they happen: (who makes it, what).
STEPS = [
    *[
        ("server", what)
        for what in (
            "mkdir incoming",
            "open input",
            "open temporary .json",
            "rename temporary .json",
            "rename incoming",
        )
    ],
    *[("server", what) for what in ("open temporary .json", "rename temporary .json")],  # it is being computed
    *[("worker", what) for what in ("open worker.lock", *["open temporary .png", "rename temporary .png"] * 2)],
    *[("server", what) for what in ("open temporary .json", "rename temporary .json")],  # it is done
    *[("server", what) for what in ("rename jobs", "rmdir trash")],  # it is deleted
]
# Is imported when Python starts. Kills before the n-th change: the server alone, or the worker and the server.
SITE = """
import os, re, signal, sys
folder, role, at, said = (os.environ[name] for name in ("KILL_FOLDER", "KILL_ROLE", "KILL_AT", "KILL_SAID"))
me = "worker" if "host.web.worker" in sys.orig_argv else "server"
count = 0

def what(event, arguments):
    path = str(arguments[0])
    if not os.path.isabs(path) or not path.startswith(folder + os.sep):
        return None
    parts = path[len(folder) + 1:].split(os.sep)
    name = re.sub("^[.]sr-[^.]*", "temporary ", parts[-1])  # model.base.paths.TEMPORARY
    if event == "open":
        made = arguments[2] & os.O_CREAT and (arguments[2] & os.O_EXCL or parts[-1] == "worker.lock")
        return made and "open " + name
    if event in ("os.mkdir", "os.rmdir"):
        return len(parts) == 2 and (event == "os.rmdir") == os.path.exists(path) and event[3:] + " " + parts[0]
    return "rename " + (parts[0] if len(parts) == 2 else name)

def hook(event, arguments):
    global count
    if event not in ("open", "os.rename", "os.mkdir", "os.rmdir"):
        return
    path = arguments[0]
    writes = event != "open" or arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    if writes and not isinstance(path, int) and not os.path.abspath(path).startswith((folder, said, "/dev/")):
        with open(said, "a") as file:
            file.write(me + " writes " + str(path) + " outside of its folder" + chr(10))
    name = what(event, arguments)
    if not name:
        return
    count += 1
    with open(said, "a") as file:
        file.write(me + " " + name + chr(10))
    if me == role and count == int(at):
        os.killpg(0, signal.SIGKILL) if me == "worker" else os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(hook)
"""


def encode(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


SENT = encode(PIXELS)


@pytest.fixture(scope="module")
def expected():
    return pipeline.upscale_picture(Picture(PIXELS), GoldenBackend(pipeline.load_model("srcnn915", 3))).pixels


def start(tmp_path, role="nobody", at=0):
    site = tmp_path / "site"
    site.mkdir(exist_ok=True)
    (site / "sitecustomize.py").write_text(SITE)
    environment = {
        "PYTHONPATH": str(site),
        "PYTHONDONTWRITEBYTECODE": "1",
        "KILL_FOLDER": str(tmp_path / "files"),
        "KILL_ROLE": role,
        "KILL_AT": str(at),
        "KILL_SAID": str(tmp_path / "said"),
    }
    return Server(tmp_path / "files", environment=environment)


def whole(folder):
    """Check every file that has a name: nothing is half there."""
    for job in (folder / "jobs").iterdir():
        assert json.loads((job / "job.json").read_text())["id"] == job.name
        assert (job / "input").read_bytes() == SENT
        for path in job.glob("*.png"):
            with Image.open(path) as image:
                image.load()
                assert image.size == (27, 21)


def life(browser):
    """What a user does: send, wait, delete."""
    job = browser.send("photo.png", SENT).json()
    assert browser.wait(job["id"])["state"] == "done"
    assert browser.client.delete(f"/api/jobs/{job['id']}", headers=browser.headers).status_code == 200


def test_the_steps_are_these(tmp_path):
    """So that none is forgotten below when the server does something new. And none is outside of its folder."""
    with start(tmp_path) as server:
        life(ask(server))
    said = [tuple(line.split(" ", 1)) for line in (tmp_path / "said").read_text().splitlines()]
    assert said == STEPS


@pytest.mark.parametrize("index", range(len(STEPS)), ids=[f"{i} {' '.join(step)}" for i, step in enumerate(STEPS)])
def test_killed_at_a_step(tmp_path, expected, index):
    folder, (role, _) = tmp_path / "files", STEPS[index]
    at = sum(step[0] == role for step in STEPS[: index + 1])
    with start(tmp_path, role, at) as server:
        try:
            life(ask(server))
        except (httpx2.TransportError, AssertionError, KeyError):
            pass
        assert server.process.wait(60) == -signal.SIGKILL
        whole(folder)
        with start(tmp_path) as again:  # while the worker of the one before may not have ended yet
            browser = ask(again)
            jobs = browser.jobs()
            if index >= STEPS.index(("server", "rename jobs")) + 1:
                assert jobs == []  # it was deleted
            else:
                sent = STEPS.index(("server", "rename incoming"))
                assert len(jobs) == (index > sent)  # it is there when, and only when, it is there as a whole
                job = jobs[0] if jobs else browser.send("photo.png", SENT).json()
                assert browser.wait(job["id"])["state"] == "done"
                place = folder / "jobs" / job["id"]
                result = Image.open(io.BytesIO(browser.get(f"/api/jobs/{job['id']}/result.png").content))
                np.testing.assert_array_equal(np.asarray(result), expected)
                assert sorted(os.listdir(place)) == ["bicubic.png", "input", "job.json", "result.png"]
            assert os.listdir(folder / "incoming") == os.listdir(folder / "trash") == []
            whole(folder)


def test_a_clip_goes_on_where_it_was(tmp_path):
    """Its first hundred frames are not computed again, and the file is that of a server that was left alone."""
    av = pytest.importorskip("av")
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 16, 16, "yuv420p"
        for i in range(130):
            frame = av.VideoFrame.from_ndarray(np.full((16, 16, 3), i, np.uint8))
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    files = []
    for killed in (True, False):
        folder = tmp_path / f"files{killed}"
        with Server(folder) as server:
            browser = ask(server)
            job = browser.send("clip.mp4", path.read_bytes()).json()
            place, end = folder / "jobs" / job["id"], time.monotonic() + PATIENCE
            part = place / ".result.mp4.parts" / "000000.npz"
            while killed and not part.exists() and time.monotonic() < end:
                time.sleep(0.001)
            if killed:
                server.kill()
                written = part.stat().st_mtime_ns
                assert not (place / "result.mp4").exists()
                with Server(folder) as again:
                    browser = ask(again)
                    browser.wait(job["id"], "running")
                    assert part.stat().st_mtime_ns == written
                    job = browser.wait(job["id"])
            else:
                job = browser.wait(job["id"])
            assert (job["state"], job["frames"]) == ("done", 130)
            files.append((place / "result.mp4").read_bytes())
            views = {panel["file"] for view in job["views"] for panel in view["panels"]}
            assert set(os.listdir(place)) == {"input", "job.json", "result.mp4"} | views
    assert files[0] == files[1]
