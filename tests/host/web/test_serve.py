"""`host/serve.py` as a process: what it says, what it refuses, how it ends."""

import http.client
import io
import os
import re
import signal
import socket
import stat
import subprocess
import sys

import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
from PIL import Image

from host import serve
from host.web.settings import Limits
from model.base.paths import ROOT
from tests.host.web.client import PATIENCE, PNG, Server, ask
from tests.host.web.test_killed import STEPS


def test_to_this_machine_alone_unless_told_otherwise(tmp_path):
    with Server(tmp_path / "files") as server:
        assert re.fullmatch(r"open http://127\.0\.0\.1:\d+/ in a browser; Ctrl-C ends the server\n", server.line)
        assert ask(server).jobs() == []
        assert stat.S_IMODE(os.stat(tmp_path / "files").st_mode) == 0o700  # other users of the machine see nothing
        port = int(server.address.rsplit(":", 1)[1])
        addresses = {name[4][0] for name in socket.getaddrinfo(socket.gethostname(), None)} - {"127.0.0.1", "::1"}
        for address in sorted(addresses):
            if not address.startswith("127."):
                with pytest.raises(OSError):
                    socket.create_connection((address, port), timeout=2)
        server.process.send_signal(signal.SIGINT)
        out, err = server.process.communicate(timeout=PATIENCE)
        assert (server.process.returncode, out, err) == (0, "", "")


def test_a_token_is_made_up_where_others_can_ask(tmp_path):
    with Server(tmp_path / "files", "--host", "0.0.0.0") as server:
        token = re.search(r"\?token=(\S{32}) ", server.line).group(1)
        assert ask(server).get("/api/jobs").status_code == 401
        assert ask(server).get("/api/jobs", Authorization=f"Bearer {token}").status_code == 200


def test_a_body_without_an_end(tmp_path):
    """In pieces, without a length, by a client that knows no limits."""
    with Server(tmp_path / "files", "--max-upload-mb", "0.1") as server:
        connection = http.client.HTTPConnection(server.address.removeprefix("http://"), timeout=PATIENCE)
        connection.putrequest("POST", "/api/jobs?name=a.png&network=srcnn915&upscale=3&weights=standard")
        connection.putheader("Content-Type", "application/octet-stream")
        connection.putheader("Transfer-Encoding", "chunked")
        connection.endheaders()
        sent = 0
        try:
            for _ in range(100_000):
                connection.send(b"%x\r\n%s\r\n" % (len(PNG), PNG))
                sent += len(PNG)
            raise AssertionError(f"the server listens for ever, {sent} bytes")
        except OSError:
            pass
        assert ask(server).jobs() == [] and os.listdir(tmp_path / "files" / "incoming") == []


def test_what_cannot_be_a_server(tmp_path, capsys):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").touch()
    taken = socket.create_server(("127.0.0.1", 0))
    port = taken.getsockname()[1]
    bad = {
        (
            "--port",
            str(port),
            "--folder",
            str(tmp_path / "a"),
        ): f"cannot listen on 127.0.0.1, port {port}: Address already in use",
        ("--port", "0", "--folder", str(tmp_path / "mine")): "give an empty folder",
        ("--host", "0.0.0.0", "--token", "short", "--folder", str(tmp_path / "b")): "the token has 5 characters",
        ("--host", "no such host", "--folder", str(tmp_path / "c")): "cannot listen on no such host",
        ("--max-minutes", "0"): "0 is not in the range",
        ("--port", "99999"): "99999 is not in the range",
        ("extra",): "unexpected extra argument",
    }
    mask = os.umask(0)
    os.umask(mask)
    try:
        for arguments, says in bad.items():
            with pytest.raises(SystemExit) as end:
                serve.main(list(arguments))
            err = capsys.readouterr().err
            assert end.value.code == 2 and says in err and err.count("\n") == 1 and err.startswith("error: ")
    finally:
        os.umask(mask)
        taken.close()


def test_without_its_packages():
    """One sentence, with the remedy."""
    spy = f"import sys, runpy; sys.modules['uvicorn'] = None; runpy.run_path({serve.__file__!r}, run_name='__main__')"
    ended = subprocess.run([sys.executable, "-c", spy], capture_output=True, text=True, timeout=PATIENCE)
    assert ended.returncode == 2 and ended.stderr.count("\n") == 1 and "pip install '.[serve]'" in ended.stderr


def peak_mb(pid):
    """The most memory that a process has had."""
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmHWM"))


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="memory is read from Linux' /proc")
def test_light_enough_for_a_board(tmp_path):
    """A PYNQ-Z2 has 512 MB; uploads go to the disk piece by piece. `pytest -s` shows the figures."""
    psutil = pytest.importorskip("psutil")
    picture = io.BytesIO()
    Image.new("RGB", (200, 150), (200, 90, 20)).save(picture, "PNG")
    with Server(tmp_path / "files") as server:
        browser = ask(server)
        job = browser.wait(browser.send("small.png", picture.getvalue()).json()["id"])
        large = browser.wait(browser.send("large.bmp", b"BM" + bytes(60_000_000)).json()["id"])
        assert (job["state"], large["state"]) == ("done", "failed")
        (worker,) = psutil.Process(server.process.pid).children()
        mb = {"server": peak_mb(server.process.pid), "worker": peak_mb(worker.pid)}
    print(mb)
    assert mb["server"] < 70 and mb["worker"] < 150


def test_the_page_in_docs_names_the_limits():
    text, limits = (ROOT / "docs" / "page-and-server.md").read_text(), Limits()
    for words in (
        f"{limits.upload_mb} MB a file, {limits.mpixel} Mpixel a result or frame, {limits.minutes} minutes a job",
        f"{limits.waiting} files waiting ({limits.waiting_each} of one browser), {limits.folder_mb:,} MB in all",
        f"deleted after {limits.keep_hours} hours",
        f"{limits.uploads} uploads and {serve.CONNECTIONS} connections at a time, {limits.spare_mb} MB of the disk",
        f"{limits.idle_seconds} seconds or takes {limits.upload_seconds // 60} minutes is ended",
    ):
        assert words in re.sub(r"\s+", " ", text), words
    assert f"each of its {len(STEPS)} changes" in text
