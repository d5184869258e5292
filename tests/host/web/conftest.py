"""A server in this process, for its tests."""

import pathlib
import sys

import pytest


@pytest.fixture
def serve(tmp_path, monkeypatch):
    """Return a function that starts a server in this process: a `Browser` of it. Its worker computes nothing."""
    pytest.importorskip("starlette")
    from starlette.testclient import TestClient

    from host.web import runner
    from host.web.app import make_app
    from host.web.settings import Limits, Settings
    from host.web.store import Store
    from tests.host.web.client import Browser

    monkeypatch.setattr(runner, "WORKER", (sys.executable, str(pathlib.Path(__file__).with_name("fake_worker.py"))))
    monkeypatch.setattr(runner, "RETRY_SECONDS", 0.05)
    running = []

    def start(**limits):
        settings = Settings(tmp_path / "files", limits=Limits(**limits))
        store = Store(settings.folder)
        client = TestClient(make_app(settings, store), base_url="http://127.0.0.1:8000")
        client.__enter__()
        running.append((client, store))
        return Browser(client)

    def stop():
        client, store = running.pop()
        client.__exit__(None, None, None)
        store.close()

    start.stop = stop
    yield start
    while running:
        stop()
