"""The server's page in a real browser: drop, progress, slider, download, bad files, limits, two users, a phone."""

import base64
import io
import pathlib
import re
import sys
import threading
import time

import numpy as np
import pytest

pytest.importorskip("starlette")
uvicorn = pytest.importorskip("uvicorn")
from PIL import Image

from host.picture import pipeline
from host.picture.backends import GoldenBackend
from host.serve import _listen
from host.web import runner
from host.web.app import make_app
from host.web.choices import choices
from host.web.settings import Limits, Settings
from host.web.store import Store
from model.imaging.files import Picture
from tests.host.web.browsers import chromium, open_page  # noqa: F401 (fixtures)
from tests.host.web.client import PATIENCE, PNG

FAKE = (sys.executable, str(pathlib.Path(__file__).with_name("fake_worker.py")))
PIXELS = np.random.default_rng(1).integers(0, 256, (16, 24, 3)).astype(np.uint8)
DROP = """([name, type, base64]) => {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name, {type}));
  return transfer;
}"""


class Running:
    """A server in a thread, on a port of its own."""

    def __init__(self, folder, limits, port=0, token=""):
        self.store = Store(folder)
        self.listener = _listen("127.0.0.1", port)
        self.port = self.listener.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}/"
        settings = Settings(folder, port=self.port, token=token, limits=limits, backend="golden")
        config = uvicorn.Config(make_app(settings, self.store), lifespan="on", ws="none", log_level="critical")
        config.timeout_graceful_shutdown = 1
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, args=([self.listener],))
        self.thread.start()

    def stop(self):
        self.server.should_exit = True
        self.thread.join(PATIENCE)
        self.listener.close()
        self.store.close()


@pytest.fixture
def serve(chromium, tmp_path, monkeypatch):  # noqa: F811 (without a browser there is no need of a server)
    """Return a function that starts a server."""
    running = []

    def start(worker=FAKE, port=0, token="", **limits):
        monkeypatch.setattr(runner, "WORKER", worker)
        running.append(Running(tmp_path / "files", Limits(**limits), port, token))
        return running[-1]

    yield start
    for server in running:
        server.stop()


def encode(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def choose(page, *files):
    """Choose files as with the button: (name, content)."""
    page.wait_for_function("() => document.getElementById('weights').options.length > 0")
    kinds = [{"name": name, "mimeType": "application/octet-stream", "buffer": content} for name, content in files]
    page.locator("#files").set_input_files(kinds)


def line(page, name):
    return page.locator("#jobs li", has=page.locator(".name", has_text=re.compile(f"^{re.escape(name)}$")))


def test_drop_progress_download(serve, open_page, tmp_path):  # noqa: F811
    server = serve()
    page = open_page(server.address)
    page.wait_for_function("() => document.getElementById('weights').options.length > 0")
    content = PNG + bytes(range(256))
    transfer = page.evaluate_handle(DROP, ["wait.png", "image/png", base64.b64encode(content).decode()])
    page.dispatch_event("#drop", "dragover", {"dataTransfer": transfer})
    assert "over" in page.locator("#drop").get_attribute("class")
    page.dispatch_event("body", "drop", {"dataTransfer": transfer})  # wherever on the page
    assert "over" not in page.locator("#drop").get_attribute("class")
    item = line(page, "wait.png")
    item.get_by_text("computing").wait_for()
    assert item.locator("progress").evaluate("bar => bar.value") == 0.25
    assert "srcnn915 x3" in item.text_content()
    (tmp_path / "go").touch()
    item.get_by_text("done", exact=True).wait_for()
    assert item.locator("progress").is_hidden() and "by none" in item.text_content()
    with page.expect_download() as download:
        item.get_by_role("link").click()
    assert download.value.suggested_filename == "wait_x3.png"
    assert pathlib.Path(download.value.path()).read_bytes().startswith(b"result of ")
    (job,) = server.store.jobs()
    assert (server.store.path(job["id"]) / "input").read_bytes() == content
    page.reload()  # the list is the server's
    item.get_by_role("button", name="Delete").click()
    item.wait_for(state="detached")
    assert server.store.jobs() == []


def test_compare_what_was_computed(serve, open_page):  # noqa: F811
    page = open_page(serve((sys.executable, "-m", "host.web.worker")).address)
    page.wait_for_function("() => document.getElementById('weights').options.length > 0")
    page.locator("#upscale").select_option("2")
    said = {"standard": "clean", "photo": "noisy, sharpened or compressed"}
    for network in ("abpn8m2", "abpn8m3"):
        page.locator("#network").select_option(network)
        there = [said[weights] for name, upscale, weights in choices() if (name, upscale) == (network, 2)]
        assert page.locator("#weights option").all_text_contents() == there != []
    choose(page, ("photo.png", encode(PIXELS)))
    item = line(page, "photo.png")
    item.get_by_role("button", name="Compare").click(timeout=PATIENCE * 1000)
    assert re.search(r"abpn8m3 x2 by golden: 48x32 in [\d.]+ s; start .*read .*compute .*write", item.text_content())
    expected = pipeline.upscale_picture(Picture(PIXELS), GoldenBackend(pipeline.load_model("abpn8m3", 2))).pixels
    page.locator(".slider").focus()
    page.keyboard.press("l")  # the slider keeps its own keys only
    page.wait_for_function("() => !document.querySelector('.loupe').textContent.includes('…')")
    assert page.locator(".where").text_content() == "pixel 24, 16"
    assert page.locator(".loupe b").all_text_contents() == ["bicubic", "abpn8m3"]
    values = page.locator(".loupe .values").last.text_content()
    assert values == " ".join(map(str, expected[16, 24]))
    with page.expect_download() as download:
        item.get_by_role("link").click()
    assert download.value.suggested_filename == "photo_x2.png"
    np.testing.assert_array_equal(np.asarray(Image.open(download.value.path())), expected)


def test_bad_and_large_files(serve, open_page):  # noqa: F811
    server = serve(upload_mb=0.01)
    page = open_page(server.address, allowed=("status of 415", "status of 400", "status of 413"))
    for name, content, says in (
        ("notes.txt", b"hello", "notes.txt is neither a picture nor a video"),
        ("empty.png", b"", "empty.png is empty (0 bytes)"),
        ("large.png", PNG + bytes(20_000), "large.png has 0.0 MB, this server takes 0.01; cut it into parts"),
        ("<b>bold.txt", b"hello", "<b>bold.txt is neither a picture nor a video"),
    ):
        choose(page, (name, content))
        page.locator("#message", has_text=says).wait_for()
    assert not [url for url in page.requested if "name=large.png" in url]  # it is not sent in vain
    choose(page, ("bad.png", PNG))
    line(page, "bad.png").locator(".failed", has_text="bad.png is bad").wait_for()
    choose(page, ("die.png", PNG))
    line(page, "die.png").locator(".failed", has_text="given up after 3 tries: the computation ended").wait_for()
    line(page, "die.png").get_by_role("button", name="Try again").click()
    line(page, "die.png").locator(".failed").wait_for(state="detached")
    line(page, "die.png").locator(".failed").wait_for()
    assert page.locator("#message").text_content() == ""
    # who doesn't know the limit is told by the server, in the same words
    page.evaluate("limits.upload_mb = 1")
    choose(page, ("large.png", PNG + bytes(20_000)))
    page.locator("#message", has_text="the file is larger than 0.01 MB").wait_for()
    page.evaluate("limits.upload_mb = 0.01")
    choose(page, ("notes.txt", b"hello"), ("empty.png", b""), ("good.png", PNG))  # each has its sentence
    line(page, "good.png").get_by_text("done", exact=True).wait_for()
    page.wait_for_function("() => document.querySelectorAll('#message div').length === 2")
    assert page.locator("#message button").count() == 0  # to try again would be no better


def test_many_files_at_once(serve, open_page):  # noqa: F811
    """More than a server takes at a time: the page sends them one after the other, in their order."""
    server = serve(uploads=1)
    page = open_page(server.address)
    names = [f"good.{i}.png" for i in range(8)]
    choose(page, *((name, PNG) for name in names))
    line(page, names[-1]).get_by_text("done", exact=True).wait_for()
    assert [job["name"] for job in server.store.jobs()] == names
    assert page.locator("#message").text_content() == ""
    # what waits can be taken back, and what is too much for the queue has its sentence and another chance
    page.route("**/api/jobs?*", lambda route: None)  # the first one is sent for ever
    choose(page, ("a.png", PNG), ("b.png", PNG))
    line(page, "b.png").get_by_text("waiting to be sent").wait_for()
    line(page, "b.png").get_by_role("button", name="Cancel").click()
    line(page, "a.png").get_by_role("button", name="Cancel").click()
    line(page, "a.png").wait_for(state="detached")
    assert page.locator("#jobs li").count() == 8


def test_a_full_queue(serve, open_page, tmp_path):  # noqa: F811
    page = open_page(serve(waiting_each=2).address, allowed=("status of 429",))
    choose(page, *((f"wait.{i}.png", PNG) for i in range(3)))
    page.locator("#message", has_text="wait.2.png: 2 of your files are waiting, this server's limit").wait_for()
    (tmp_path / "go").touch()
    for i in range(2):
        line(page, f"wait.{i}.png").get_by_text("done", exact=True).wait_for()
    page.get_by_role("button", name="Try again").click()
    line(page, "wait.2.png").get_by_text("done", exact=True).wait_for()


def test_two_users_at_once(serve, open_page, tmp_path):  # noqa: F811
    address = serve().address
    one, two = open_page(address), open_page(address)
    choose(one, ("wait.png", PNG))
    line(one, "wait.png").get_by_text("computing").wait_for()
    choose(two, ("wait.two.png", PNG))
    line(two, "wait.two.png").get_by_text("waiting behind 1").wait_for()
    assert one.locator("#jobs .name").all_text_contents() == ["wait.png"]
    assert two.locator("#jobs .name").all_text_contents() == ["wait.two.png"]
    (tmp_path / "go").touch()
    for page, name in ((one, "wait.png"), (two, "wait.two.png")):
        line(page, name).get_by_text("done", exact=True).wait_for()


def test_the_server_goes_and_comes_back(serve, open_page, tmp_path):  # noqa: F811
    server = serve()
    page = open_page(server.address, allowed=("ERR_CONNECTION_REFUSED", "ERR_CONNECTION_RESET", "ERR_EMPTY_RESPONSE"))
    choose(page, ("wait.png", PNG))
    line(page, "wait.png").get_by_text("computing").wait_for()
    server.stop()
    page.get_by_text("The server does not answer").wait_for()
    serve(port=server.port)
    page.locator("#offline").wait_for(state="hidden")
    (tmp_path / "go").touch()
    line(page, "wait.png").get_by_text("done", exact=True).wait_for()


def test_the_token(serve, open_page):  # noqa: F811
    token = "a token of some length"
    page = open_page(serve(token=token).address, allowed=("status of 401",))
    assert page.get_by_label("token").is_visible() and page.locator("#drop").count() == 0
    page.get_by_label("token").fill(token)
    page.keyboard.press("Enter")
    page.locator("#drop").wait_for()
    assert "token" not in page.url
    choose(page, ("good.png", PNG))
    line(page, "good.png").get_by_text("done", exact=True).wait_for()


def test_by_keyboard(serve, open_page):  # noqa: F811
    """From the top: factor, network, weights, then the file; all have a name to be read out."""
    page = open_page(serve().address)
    page.wait_for_function("() => document.getElementById('weights').options.length > 0")
    reached = []
    for _ in range(4):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id"))
    assert reached == ["upscale", "network", "weights", "files"]
    page.evaluate("document.activeElement.addEventListener('click', (event) => { window.asked = event.isTrusted; })")
    page.keyboard.press("Space")  # which asks for a file
    page.wait_for_function("() => window.asked")
    choose(page, ("good.png", PNG))
    line(page, "good.png").get_by_text("done", exact=True).wait_for()
    for labelled in page.locator("button, select, input, a, progress").all():
        assert labelled.evaluate("node => node.ariaLabel || node.labels?.length || node.textContent.trim()")


def test_a_phone_s_width(serve, open_page):  # noqa: F811
    page = open_page(serve().address, viewport={"width": 360, "height": 640}, has_touch=True, is_mobile=True)
    choose(page, ("good.png", PNG), ("bad" + "0123456789" * 11 + ".png", PNG), ("bad.png", PNG))
    line(page, "bad.png").locator(".failed").wait_for()
    line(page, "good.png").get_by_text("done", exact=True).wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    for button in page.locator("button:visible, select:visible").all():
        box = button.bounding_box()
        assert box["height"] >= 30 and box["x"] + box["width"] <= 360


def test_a_page_of_another_site_gets_nothing(serve, open_page):  # noqa: F811
    """A page elsewhere, in the same browser: it can neither send, nor read, nor frame."""
    server = serve()
    page = open_page(server.address)
    choose(page, ("good.png", PNG))
    line(page, "good.png").get_by_text("done", exact=True).wait_for()
    (job,) = server.store.jobs()
    foreign = page.context.new_page()
    foreign.route("http://elsewhere.test/*", lambda route: route.fulfill(body="<p>elsewhere", content_type="text/html"))
    foreign.goto("http://elsewhere.test/")
    asked = """async ([address, method, path, headers]) => {
      try {
        const asked = {method, body: method === "POST" ? "x" : undefined, credentials: "include"};
        const answer = await fetch(address + path, headers ? {...asked, headers} : {...asked, mode: "no-cors"});
        return [answer.status, await answer.text()];
      } catch (error) { return String(error); }
    }"""
    address, send = server.address.rstrip("/"), "/api/jobs?name=evil.png&network=srcnn915&upscale=3&weights=standard"
    for arguments in (
        [address, "GET", "/api/jobs", None],
        [address, "GET", f"/api/jobs/{job['id']}/result.png", None],
        [address, "POST", send, None],
        [address, "POST", send, {"Content-Type": "application/octet-stream"}],
        [address, "DELETE", f"/api/jobs/{job['id']}", {}],
    ):
        answer = foreign.evaluate(asked, arguments)
        assert "Failed to fetch" in answer or answer == [0, ""], answer
    time.sleep(0.1)
    assert [known["name"] for known in server.store.jobs()] == ["good.png"]
    foreign.set_content(f'<a href="{server.address}">a link</a>')
    foreign.get_by_text("a link").click()  # leads to the same user's jobs
    line(foreign, "good.png").wait_for()
    foreign.goto("http://elsewhere.test/")
    foreign.set_content(f'<iframe src="{server.address}"></iframe>')
    foreign.wait_for_timeout(300)
    assert all(frame.locator("#drop").count() == 0 for frame in foreign.frames[1:])
