"""What the server takes, and what it refuses: uploads, their limits, who sends them."""

import asyncio

import pytest

pytest.importorskip("starlette")

from tests.host.web.client import PNG, Browser, left

PLAYLISTS = {
    "hls": b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
    "concat": b"ffconcat version 1.0\nfile /etc/passwd\n",
    "sdp": b"v=0\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n",
    "dash": b'<?xml version="1.0"?><MPD></MPD>',
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
    "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n",
    "text": b"hello",
    "one byte": b"B",
}
BAD = {
    "empty": (b"", {}, {}, 400, "photo.png is empty (0 bytes)"),
    **{what: (text, {}, {}, 415, "neither a picture nor a video") for what, text in PLAYLISTS.items()},
    "too large, says its length": (bytes(20_001), {}, {}, 413, "larger than 0.02 MB, this server's limit"),
    "another content": (PNG, {}, {"Content-Type": "text/plain"}, 415, "as application/octet-stream"),
    "a form": (PNG, {}, {"Content-Type": "multipart/form-data"}, 415, "as application/octet-stream"),
    "no network": (PNG, {"network": "../srcnn915"}, {}, 400, "choose from /api/choices"),
    "no factor": (PNG, {"upscale": "7"}, {}, 400, "choose from /api/choices"),
    "no weights": (PNG, {"weights": "/etc/passwd"}, {}, 400, "choose from /api/choices"),
    "another site": (PNG, {}, {"Origin": "http://evil.example"}, 403, "other sites"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_uploads_leave_nothing(serve, tmp_path, what):
    content, choice, headers, code, says = BAD[what]
    browser = serve(upload_mb=0.02)
    answer = browser.send("photo.png", content, choice, **headers)
    assert answer.status_code == code and says in answer.text and "\n" not in answer.text.strip()
    assert browser.jobs() == [] and left(tmp_path) == []


@pytest.mark.parametrize("length", ["-1", "1e3", "99999999999999999999", "0x10"])
def test_strange_lengths(serve, length):
    assert serve(upload_mb=0.02).send("photo.png", PNG, **{"Content-Length": length}).status_code in (400, 413)


def test_one_browser_does_not_take_the_queue(serve):
    browser = serve(waiting_each=2, waiting=3)
    for _ in range(2):
        assert browser.send("wait.png", PNG).status_code == 201
    answer = browser.send("wait.png", PNG)
    assert answer.status_code == 429 and "2 of your files are waiting" in answer.json()["error"]
    other = Browser(browser.client, "b")
    assert other.send("wait.png", PNG).status_code == 201
    answer = other.send("wait.png", PNG)
    assert answer.status_code == 429 and "3 files are waiting" in answer.json()["error"]


def test_the_folder_has_a_limit(serve):
    browser = serve(folder_mb=0.001)
    assert browser.send("photo.png", PNG + bytes(2000)).status_code == 507
    browser.wait(browser.send("photo.png", PNG).json()["id"])
    assert browser.send("photo.png", PNG + bytes(800)).status_code == 507


def test_the_disk_keeps_some_space(serve):
    answer = serve(spare_mb=1e12).send("photo.png", PNG)
    assert answer.status_code == 507 and "the server's disk is nearly full" in answer.json()["error"]


class Slowly:
    """An ASGI client that sends some of a body and then nothing."""

    def __init__(self, app, browser):
        self.app, self.sent = app, []
        headers = [(b"host", b"127.0.0.1:8000"), (b"content-type", b"application/octet-stream")]
        headers.append((b"cookie", browser.headers["Cookie"].encode()))
        query = b"name=a.png&network=srcnn915&upscale=3&weights=standard"
        self.scope = {"type": "http", "method": "POST", "path": "/api/jobs", "query_string": query, "headers": headers}
        self.scope |= {"http_version": "1.1", "scheme": "http", "server": ("127.0.0.1", 8000), "root_path": ""}
        self.scope |= {"app": app, "client": ("127.0.0.1", 1), "state": {}}
        self.parts = [{"type": "http.request", "body": PNG, "more_body": True}]

    async def receive(self):
        if self.parts:
            return self.parts.pop(0)
        await asyncio.sleep(1000)

    async def send(self, message):
        self.sent.append(message)


@pytest.mark.parametrize("limits", [{"idle_seconds": 0.1}, {"upload_seconds": 0.1}])
def test_an_upload_that_stands_still_is_ended(serve, tmp_path, limits):
    browser = serve(**limits)
    slowly = Slowly(browser.client.app, browser)
    browser.client.portal.call(slowly.app, slowly.scope, slowly.receive, slowly.send)
    assert slowly.sent[0]["status"] == 408 and b"did not arrive in time" in slowly.sent[1]["body"]
    assert left(tmp_path) == []


def test_too_large_without_a_length(serve, tmp_path):
    browser = serve(upload_mb=0.02)
    endless = Slowly(browser.client.app, browser)
    endless.parts *= 1000
    browser.client.portal.call(endless.app, endless.scope, endless.receive, endless.send)
    assert endless.sent[0]["status"] == 413 and browser.jobs() == [] and left(tmp_path) == []
    assert len(endless.parts) == 1000 - 20_000 // len(PNG) - 1  # it has stopped to listen


def test_an_upload_that_breaks_off_is_gone(serve, tmp_path):
    browser = serve()
    slowly = Slowly(browser.client.app, browser)
    slowly.parts.append({"type": "http.disconnect"})
    browser.client.portal.call(slowly.app, slowly.scope, slowly.receive, slowly.send)
    assert browser.jobs() == [] and left(tmp_path) == []
    assert browser.send("photo.png", PNG).status_code == 201  # its place is free again


@pytest.mark.parametrize("what", ["hls", "concat", "sdp", "dash"])
def test_lists_of_other_files_are_not_followed(tmp_path, what):
    pytest.importorskip("av")
    from host.web.compute import refuse_references
    from model.base.errors import UserError

    path = tmp_path / "input"
    path.write_bytes(PLAYLISTS[what])
    with pytest.raises(UserError, match="clip.mp4 is not a readable video"):
        refuse_references(path, "clip.mp4")
