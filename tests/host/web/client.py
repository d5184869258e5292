"""A server in a process of its own, and somebody who asks it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.parse

import httpx2

from host.web.guard import WHO
from model.base.paths import ROOT

PATIENCE = 60  # seconds; only a fault takes this long
PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)
CHOICE = {"network": "srcnn915", "upscale": "3", "weights": "standard"}
OCTETS = {"Content-Type": "application/octet-stream"}


class Server:
    """`host/serve.py` in a process group of its own; use as a context manager.

    Parameters
    ----------
    folder : pathlib.Path
    *options : str
    environment : dict, optional
    """

    def __init__(self, folder, *options, environment=None):
        command = [sys.executable, ROOT / "host" / "serve.py", "--folder", folder, "--port", "0", *options]
        if "--backend" not in options:
            command += ["--backend", "golden"]  # the fastest to start
        self.process = subprocess.Popen(
            [str(word) for word in command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})},
            start_new_session=True,
        )
        self.line = self.process.stdout.readline()
        found = re.search(r"http://\S+", self.line)
        self.address = found.group().split("?")[0].rstrip("/") if found else None

    def kill(self):
        """End all of it, at once; return what it said."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        return self.process.communicate(timeout=PATIENCE)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.kill()


class Browser:
    """Somebody with a cookie.

    Parameters
    ----------
    client : httpx2.Client
        Starlette's test client is one.
    name : str
        Whose cookie it is.
    """

    def __init__(self, client, name="a"):
        self.client, self.headers = client, {"Cookie": f"{WHO}={name * 32}"}

    def send(self, name, content, choice=None, **headers):
        """Send a file."""
        asked = urllib.parse.urlencode({"name": name, **CHOICE, **(choice or {})})
        return self.client.post(f"/api/jobs?{asked}", content=content, headers={**self.headers, **OCTETS, **headers})

    def jobs(self):
        """What is known of this one's jobs."""
        answer = self.client.get("/api/jobs", headers=self.headers)
        assert answer.status_code == 200, answer.text
        return answer.json()["jobs"]

    def get(self, path, **headers):
        """Ask for something."""
        return self.client.get(path, headers={**self.headers, **headers})

    def wait(self, identity, *states):
        """Return a job when it is in one of these states (done, or failed, unless said otherwise)."""
        states, end = states or ("done", "failed"), time.monotonic() + PATIENCE
        while time.monotonic() < end:
            found = next((job for job in self.jobs() if job["id"] == identity), None)
            if found is not None and found["state"] in states:
                return found
            time.sleep(0.02)
        raise AssertionError(f"{identity} is {json.dumps(found)} after {PATIENCE} seconds")


def ask(server, name="a"):
    """Return a `Browser` of a `Server`."""
    return Browser(httpx2.Client(base_url=server.address, timeout=PATIENCE), name)


def left(tmp_path):
    """Whatever lies in the server's folder, but for its own two files."""
    files = [path for path in (tmp_path / "files").rglob("*") if path.is_file()]
    return sorted(str(path.relative_to(tmp_path / "files")) for path in files if path.name != ".srcnn_serve")
