"""The server without a browser: a job, the queue, who sees what. A worker that computes nothing stands in."""

import asyncio
import json
import threading
import time

import pytest

pytest.importorskip("starlette")

from host.picture import pipeline
from host.web.app import FILES
from host.web.choices import WEIGHTS, choices
from host.web.settings import Limits
from tests.host.web.client import PATIENCE, PNG, Browser, left

# --- a job ---


def test_a_job(serve, tmp_path):
    browser = serve()
    answer = browser.send("photo.of.me.png", PNG)
    assert answer.status_code == 201
    job = browser.wait(answer.json()["id"])
    assert (job["state"], job["file"], job["backend"]) == ("done", "photo.of.me_x3.png", "none")
    (order,) = map(json.loads, (tmp_path / "orders").read_text().splitlines())
    assert (order["network"], order["upscale"], order["weights"], order["kind"]) == (
        "srcnn915",
        3,
        "standard",
        "picture",
    )
    place = f"/api/jobs/{job['id']}"
    answer = browser.get(f"{place}/result.png?download")
    assert answer.content == b"result of " + job["id"].encode()
    assert answer.headers["content-disposition"] == 'attachment; filename="photo.of.me_x3.png"'
    assert browser.get(f"{place}/result.png", Range="bytes=0-5").content == b"result"
    for name in ("input", "job.json", "../../.srcnn_serve", "..%2f..%2f.srcnn_serve", "%2e%2e/job.json", ""):
        assert browser.get(f"{place}/{name}").status_code in (404, 405)
    assert browser.client.delete(place, headers=browser.headers).status_code == 200
    assert browser.jobs() == [] and left(tmp_path) == []


NAMES = {
    "../../../etc/passwd.png": "passwd.png",
    "..": "..",
    "C:\\photos\\a.png": "a.png",
    "/": "unnamed",
    "": "unnamed",
    "a\r\nSet-Cookie: x=y.png": "aSet-Cookie: x=y.png",
    "\0.png": ".png",
    "<img src=x onerror=alert(1)>.png": "<img src=x onerror=alert(1)>.png",
    "猫の写真 ü.png": "猫の写真 ü.png",
    "x" * 500 + ".png": "x" * 120,
    "\u202egnp.exe": "gnp.exe",
}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_only_a_text(serve, tmp_path, name):
    browser = serve()
    job = browser.send(name, PNG).json()
    assert job["name"] == NAMES[name]
    assert browser.wait(job["id"])["state"] == "done"
    answer = browser.get(f"/api/jobs/{job['id']}/result.png?download")
    assert answer.status_code == 200 and answer.headers["content-disposition"].startswith("attachment; filename")
    assert left(tmp_path) == [f"jobs/{job['id']}/{file}" for file in ("input", "job.json", "result.png")]
    assert {path.name for path in tmp_path.iterdir()} == {"files", "orders"}


def test_choices_are_what_can_be_loaded(serve):
    answer = serve().get("/api/choices").json()
    assert answer["choices"][0] == {"network": "srcnn915", "upscale": 3, "weights": "standard"}
    assert answer["limits"]["upload_mb"] == Limits().upload_mb
    assert WEIGHTS == pipeline.WEIGHTS and {kind for _, _, kind in choices()} == set(WEIGHTS)
    for network, upscale, weights in choices():
        assert pipeline.load_model(network, upscale, degradation=weights).upscale == upscale


def test_the_page_and_its_files(serve):
    browser = serve()
    page = browser.client.get("/")
    assert page.status_code == 200 and "HttpOnly" in page.headers["set-cookie"]
    for name, (path, kind) in FILES.items():
        answer = browser.get(f"/static/{name}")
        assert answer.content == path.read_bytes() and answer.headers["content-type"].startswith(kind)
    for name in ("index.html", "app.py", "..%2fapp.py", "../app.py", "%2fetc%2fpasswd"):
        assert browser.get(f"/static/{name}").status_code == 404


# --- the queue ---


def test_two_users_at_once(serve, tmp_path):
    one = serve()
    two = Browser(one.client, "b")
    answers = {}

    def send(browser, name):
        answers[name] = browser.send(f"wait.{name}.png", PNG).json()["id"]

    threads = [threading.Thread(target=send, args=pair) for pair in ((one, "a"), (two, "b"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    for browser, mine, other in ((one, "a", "b"), (two, "b", "a")):
        assert [job["id"] for job in browser.jobs()] == [answers[mine]]
        place = f"/api/jobs/{answers[other]}"  # even who guesses it
        assert browser.get(f"{place}/result.png").status_code == 404
        assert browser.client.delete(place, headers=browser.headers).status_code == 404
    states = [one.wait(answers["a"], "queued", "running"), two.wait(answers["b"], "queued", "running")]
    assert sorted(job.get("ahead", 0) for job in states) == [0, 1]
    time.sleep(0.2)
    assert len((tmp_path / "orders").read_text().splitlines()) == 1  # one at a time
    (tmp_path / "go").touch()
    assert one.wait(answers["a"])["state"] == two.wait(answers["b"])["state"] == "done"


def test_progress(serve, tmp_path):
    browser = serve()
    job = browser.wait(browser.send("wait.png", PNG).json()["id"], "running")
    while not job["progress"]:
        job = browser.wait(job["id"], "running")
    assert job["progress"] == {"step": "compute", "done": 1, "total": 4}
    (tmp_path / "go").touch()
    assert "progress" not in browser.wait(job["id"])


def test_a_bad_file_does_not_stop_the_next_one(serve):
    browser = serve()
    bad, good = (browser.send(name, PNG).json()["id"] for name in ("bad.png", "good.png"))
    assert browser.wait(good)["state"] == "done"
    job = browser.wait(bad)
    assert (job["state"], job["error"]) == ("failed", "bad.png is bad")
    assert browser.get(f"/api/jobs/{bad}/result.png").status_code == 404


def test_a_worker_that_dies_gets_a_second_chance(serve, tmp_path):
    browser = serve()
    assert browser.wait(browser.send("once.png", PNG).json()["id"])["state"] == "done"
    job, good = (browser.send(name, PNG).json() for name in ("die.png", "good.png"))
    job = browser.wait(job["id"])
    assert job["state"] == "failed" and "given up after 3 tries: the computation ended" in job["error"]
    assert browser.wait(good["id"])["state"] == "done"
    assert len((tmp_path / "orders").read_text().splitlines()) == 2 + 3 + 1


def test_what_was_given_up_can_be_tried_again(serve, tmp_path):
    browser = serve()
    die, bad = (browser.wait(browser.send(name, PNG).json()["id"]) for name in ("die.png", "bad.png"))
    assert die["again"] and not bad["again"]

    def again(job, who=browser):
        return who.client.post(f"/api/jobs/{job['id']}/again", headers=who.headers).status_code

    assert again(bad) == 409 and again(die, Browser(browser.client, "b")) == 404
    assert again(die) == 200
    assert "3 tries" in browser.wait(die["id"])["error"]
    assert len((tmp_path / "orders").read_text().splitlines()) == 3 + 1 + 3


def test_what_takes_too_long_is_ended(serve):
    browser = serve(minutes=0.005)
    job, good = (browser.send(name, PNG).json() for name in ("ever.png", "good.png"))
    assert "took longer than 0.005 minutes" in browser.wait(job["id"])["error"]
    assert browser.wait(good["id"], "done", "failed")  # a worker may be slow to start, too


def test_what_is_computed_can_be_deleted(serve, tmp_path):
    browser = serve()
    job = browser.wait(browser.send("ever.png", PNG).json()["id"], "running")
    assert browser.client.delete(f"/api/jobs/{job['id']}", headers=browser.headers).status_code == 200
    assert browser.jobs() == []
    good = browser.send("good.png", PNG).json()["id"]
    assert browser.wait(good)["state"] == "done"
    assert left(tmp_path) == [f"jobs/{good}/{file}" for file in ("input", "job.json", "result.png")]


def test_what_is_not_yet_computed_can_be_deleted(serve, tmp_path, monkeypatch):
    """While the worker starts: it never hears of that job."""
    start = asyncio.create_subprocess_exec

    async def start_late(*arguments, **options):
        await asyncio.sleep(0.3)
        return await start(*arguments, **options)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", start_late)
    browser = serve()
    job = browser.wait(browser.send("ever.png", PNG).json()["id"], "running")
    browser.client.delete(f"/api/jobs/{job['id']}", headers=browser.headers)
    assert browser.wait(browser.send("good.png", PNG).json()["id"])["state"] == "done"
    assert "ever" not in (tmp_path / "orders").read_text()


def test_a_server_that_is_stopped_goes_on_when_it_is_started_again(serve, tmp_path):
    browser = serve()
    jobs = [browser.send("wait.png", PNG).json()["id"] for _ in range(2)]
    browser.wait(jobs[0], "running")
    serve.stop()
    browser = serve()
    assert [job["id"] for job in browser.jobs()] == jobs
    (tmp_path / "go").touch()
    assert [browser.wait(job)["state"] for job in jobs] == ["done", "done"]


def test_the_queue_survives_a_full_disk(serve, monkeypatch, capsys):
    import host.web.store

    write, broken = host.web.store._write, []

    def full(path, value):
        if value["state"] in ("running", "done") and len(broken) < 3:
            broken.append(value["state"])
            raise OSError(28, "No space left on device")
        write(path, value)

    browser = serve()
    monkeypatch.setattr(host.web.store, "_write", full)
    assert browser.wait(browser.send("good.png", PNG).json()["id"])["state"] == "done"
    assert len(broken) == 3 and "No space left" in capsys.readouterr().err


def test_old_results_go(serve, tmp_path):
    browser = serve(keep_hours=1e-9)
    browser.send("good.png", PNG)
    end = time.monotonic() + PATIENCE
    while browser.jobs() and time.monotonic() < end:
        time.sleep(0.02)
    assert browser.jobs() == [] and left(tmp_path) == []
