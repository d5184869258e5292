"""The server's worker, as it computes: pictures, clips, what is too large, a disk that fills up."""

import io
import os
import sys

import numpy as np
import pytest

pytest.importorskip("starlette")
from PIL import Image

from host.picture import pipeline
from host.web import runner
from tests.host.web.client import left


@pytest.fixture
def compute(serve, tmp_path, monkeypatch):
    """As `serve`, with the worker that computes."""
    monkeypatch.setattr(runner, "WORKER", (sys.executable, "-m", "host.web.worker"))
    return serve


def picture(name, **options):
    pixels = np.random.default_rng(8).integers(0, 256, (12, 15, 3)).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, name, **options)
    return pixels, file.getvalue()


def test_pictures_and_what_was_cut_short(compute, tmp_path):
    from host.picture.backends import GoldenBackend
    from host.show import before_after
    from model.imaging.files import Picture

    browser = compute()
    pixels, content = picture("PNG")
    choice = {"network": "abpn8m3", "upscale": "2"}
    jobs = [
        browser.send(*what).json()
        for what in (("a.png", content, choice), ("cut.png", content[:200]), ("b.mp4", content))
    ]
    job, cut, misnamed = (browser.wait(job["id"]) for job in jobs)
    assert (job["state"], job["size"], job["file"]) == ("done", [30, 24], "a_x2.png")
    assert job["backend"] in ("golden", "cpu", "pynq") and {"start", "read", "compute", "write"} <= set(job["seconds"])
    backend = GoldenBackend(pipeline.load_model("abpn8m3", 2))
    result = pipeline.upscale_picture(Picture(pixels), backend)
    bicubic = before_after.compare(Picture(pixels), result)[0].picture
    (view,) = job["views"]
    for panel, expected in zip(view["panels"], (bicubic, result), strict=True):
        answer = browser.get(f"/api/jobs/{job['id']}/{panel['file']}")
        assert answer.headers["content-type"] == "image/png"
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(answer.content))), expected.pixels)
    assert cut["state"] == "failed" and cut["error"].startswith("cut.png is ") and str(tmp_path) not in cut["error"]
    assert misnamed["state"] == "done" and misnamed["kind"] == "picture"  # by content, not by name
    assert left(tmp_path).count("worker.lock") == 1 and not [name for name in left(tmp_path) if "/." in name]


def test_a_clip(compute, tmp_path):
    av = pytest.importorskip("av")
    path = tmp_path / "clip.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 16, 12, "yuv420p"
        for i in range(7):
            frame = av.VideoFrame.from_ndarray(np.full((12, 16, 3), 30 * i, np.uint8))
            for packet in stream.encode(frame):
                container.mux(packet)
        container.mux(stream.encode(None))
    browser = compute(views=3)
    job = browser.wait(browser.send("clip.mkv", path.read_bytes()).json()["id"])
    assert (job["state"], job["frames"], job["file"]) == ("done", 7, "clip_x3.mp4"), job
    with av.open(io.BytesIO(browser.get(f"/api/jobs/{job['id']}/result.mp4").content)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(frames) == 7 and frames[0].shape == (36, 48, 3)
    assert [view["name"] for view in job["views"]] == ["frame 2 of 7", "frame 4 of 7", "frame 6 of 7"]
    for view, brightness in zip(job["views"], (30, 90, 150)):
        for panel in view["panels"]:
            image = Image.open(io.BytesIO(browser.get(f"/api/jobs/{job['id']}/{panel['file']}").content))
            assert image.size == (48, 36) and abs(np.asarray(image).mean() - brightness) < 4
    assert not [name for name in os.listdir(tmp_path / "files" / "jobs" / job["id"]) if name.startswith(".")]


@pytest.mark.parametrize("views, shown", [(1, [4]), (2, [2, 6]), (5, [1, 3, 4, 5, 7]), (100, [1, 2, 3, 4, 5, 6, 7])])
def test_how_many_frames_of_a_clip_are_compared(tmp_path, views, shown):
    """Each with itself: none is the one beside it."""
    av = pytest.importorskip("av")
    from host.web import compute

    for name, side in (("input", 16), ("result.mkv", 32)):
        with av.open(str(tmp_path / name), "w", format="matroska") as container:
            stream = container.add_stream("ffv1", rate=10)
            stream.width, stream.height, stream.pix_fmt = side, side, "bgr0"
            for i in range(7):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((side, side, 3), 30 * i, np.uint8))))
            container.mux(stream.encode(None))
    order = compute.Order(tmp_path, "clip.mkv", "video", 64, 0, views)
    found = list(compute.video_views(order, tmp_path / "input", tmp_path / "result.mkv", 7, "SRCNN"))
    assert [view["name"] for view in found] == [f"frame {number} of 7" for number in shown]
    for view, number in zip(found, shown):
        assert (view["width"], view["height"]) == (32, 32)
        for panel, most in zip(view["panels"], (1, 0)):  # bicubic goes through Y, Cb and Cr
            pixels = np.asarray(Image.open(tmp_path / panel["file"])).astype(int)
            assert np.abs(pixels - 30 * (number - 1)).max() <= most


def test_what_is_too_large_speaks_to_who_sent_it(tmp_path):
    from host.picture.backends import GoldenBackend
    from host.web import compute
    from model.base.errors import UserError
    from tests.random_models import random_model

    _, content = picture("PNG")
    (tmp_path / "input").write_bytes(content)
    order = compute.Order(tmp_path, "a.png", "picture", 0.001, 0, 3)
    with pytest.raises(UserError) as error:
        compute.compute(order, GoldenBackend(random_model()), lambda *step: None)
    assert str(error.value) == (
        "a.png would become 45x36 pixels, this server's limit is 0.001 Mpixel; choose a smaller factor or cut it into "
        "parts"
    )


def test_a_disk_that_fills_up_ends_the_job(tmp_path, monkeypatch):
    """With a sentence, and nothing is left but what was sent."""
    from host.picture.backends import GoldenBackend
    from host.web import compute
    from model.base.errors import UserError
    from tests.random_models import random_model

    pixels, content = picture("PNG")
    (tmp_path / "input").write_bytes(content)
    (tmp_path / ".result.mp4.parts").mkdir()
    (tmp_path / ".result.mp4.parts" / "000000.npz").touch()
    order = compute.Order(tmp_path, "a.png", "picture", 64, spare_mb=1e12, views=3)
    with pytest.raises(UserError, match="a.png is given up: the server's disk is nearly full"):
        compute.compute(order, GoldenBackend(random_model()), lambda *step: None)
    assert os.listdir(tmp_path) == ["input"]
