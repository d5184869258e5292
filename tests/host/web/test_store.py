"""The queue on the disk: what it keeps, what it throws away, what it refuses."""

import json
import os
import time

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from host.web.store import DONE, FAILED, MOST_SERVERS, QUEUED, RUNNING, Store
from model.base.errors import UserError


def add(store, content=b"content", **about):
    with store.upload() as (identity, path):
        path.write_bytes(content)
        return store.add(identity, owner="me", **about)


def again(store):
    """The store as the next server finds it."""
    store.close()
    return Store(store.folder)


def test_a_job_outlives_its_server(tmp_path):
    store = Store(tmp_path / "s")
    jobs = [add(store, name=f"n{i}") for i in range(3)]
    store.begin(jobs[0]["id"])
    store.update(jobs[0]["id"], state=DONE, result="r.png")
    store.begin(jobs[1]["id"])
    store = again(store)
    assert [(job["name"], job["state"], job["tries"]) for job in store.jobs()] == [
        ("n0", DONE, 1),
        ("n1", QUEUED, 1),
        ("n2", QUEUED, 0),
    ]
    assert store.next()["name"] == "n1" and store.ahead(jobs[2]["id"]) == 1
    assert add(store)["number"] == 4


def test_a_job_that_ends_every_server_is_given_up(tmp_path):
    store, tries = Store(tmp_path / "s"), 0
    add(store)
    while (job := store.next()) is not None:
        store.begin(job["id"])
        store, tries = again(store), tries + 1
    (job,) = store.jobs()
    assert (
        tries == MOST_SERVERS and job["state"] == FAILED and "given up after 10 tries: the server ended" in job["error"]
    )


def test_a_server_that_is_stopped_in_order_costs_no_try(tmp_path):
    store = Store(tmp_path / "s")
    add(store)
    for _ in range(2 * MOST_SERVERS):
        store.begin(store.next()["id"])
        store.interrupt(store.jobs()[0]["id"])
        store = again(store)
    assert store.jobs()[0]["tries"] == 0


def test_an_upload_that_ends_early_is_gone(tmp_path):
    store = Store(tmp_path / "s")
    with pytest.raises(RuntimeError):
        with store.upload() as (_, path):
            path.write_bytes(b"half")
            raise RuntimeError
    assert os.listdir(store.folder / "incoming") == [] and store.jobs() == []
    (store.folder / "incoming" / "x").mkdir()
    (store.folder / "incoming" / "x" / "input").write_bytes(b"of a server that was killed")
    assert os.listdir(again(store).folder / "incoming") == []


@pytest.mark.parametrize("state", [QUEUED, DONE, FAILED])
def test_files_that_were_not_finished_go(tmp_path, state):
    """Whatever became of the job that they are of."""
    store = Store(tmp_path / "s")
    job = add(store)
    store.update(job["id"], state=state)
    for name in (".sr-12345678.json", ".sr-12345678.png"):
        (store.path(job["id"]) / name).write_bytes(b"half")
    assert sorted(os.listdir(again(store).path(job["id"]))) == ["input", "job.json"]


def test_what_is_no_job_is_thrown_away(tmp_path):
    store = Store(tmp_path / "s")
    job = add(store)
    place = store.folder / "jobs"
    for name, content in (
        ("0" * 32, "{"),
        ("1" * 32, json.dumps(job)),
        ("2" * 32, "[]"),
        ("x", json.dumps({"id": "x"})),
    ):
        (place / name).mkdir()
        (place / name / "job.json").write_text(content)
    (place / ("3" * 32)).mkdir()
    store = again(store)
    assert [known["id"] for known in store.jobs()] == [job["id"]] == os.listdir(place)


def test_deleting(tmp_path, monkeypatch):
    store = Store(tmp_path / "s")
    old, new = add(store), add(store)
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now)
    store.update(old["id"], state=DONE)
    now += 100
    store.update(new["id"], state=DONE)
    monkeypatch.setattr(time, "time", lambda: 4e9)  # a board learns the date when it has a network
    store.remove_old(200)
    assert len(store.jobs()) == 2
    store.remove_old(50)
    assert [job["id"] for job in store.jobs()] == [new["id"]] == os.listdir(store.folder / "jobs")
    store.bury(store.hide(new["id"]))
    assert again(store).jobs() == [] and os.listdir(store.folder / "trash") == []


def test_a_user_s_folder_is_not_taken(tmp_path):
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match="give an empty folder"):
        Store(tmp_path)
    assert (tmp_path / "jobs" / "thesis.txt").read_text() == "mine" and os.listdir(tmp_path) == ["jobs"]


def test_one_server_at_a_time(tmp_path):
    store = Store(tmp_path / "s")
    with pytest.raises(UserError, match="another server uses"):
        Store(tmp_path / "s")
    again(store)


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write into .*choose another folder"):
        Store(tmp_path / "file" / "s")


class Queue(RuleBasedStateMachine):
    """Whatever happens to a queue, restarts in between: the same jobs, in the same order, in the same states."""

    def __init__(self):
        super().__init__()
        import tempfile

        self.place = tempfile.TemporaryDirectory()
        self.store, self.known = Store(self.place.name), {}

    def teardown(self):
        self.store.close()
        self.place.cleanup()

    @rule(name=st.text(max_size=20))
    def send(self, name):
        self.known[add(self.store, name=name)["id"]] = [name, QUEUED, 0]

    @precondition(lambda self: self.store.next())
    @rule(end=st.sampled_from([RUNNING, DONE, FAILED]))
    def compute(self, end):
        identity = self.store.next()["id"]
        assert identity == next(key for key, (_, state, _) in self.known.items() if state == QUEUED)
        self.store.begin(identity)
        self.known[identity][2] += 1
        if end == RUNNING:
            self.restart_while(identity)
        else:
            self.store.update(identity, state=end)
            self.known[identity][1] = end

    def restart_while(self, identity):
        self.store = again(self.store)
        self.known[identity][1] = QUEUED if self.known[identity][2] < MOST_SERVERS else FAILED

    @rule()
    def restart(self):
        self.store = again(self.store)

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def delete(self, data):
        identity = data.draw(st.sampled_from(sorted(self.known)))
        self.store.bury(self.store.hide(identity))
        del self.known[identity]

    @invariant()
    def same(self):
        found = {job["id"]: [job["name"], job["state"], job["tries"]] for job in self.store.jobs()}
        assert found == self.known and list(found) == list(self.known)
        assert sorted(os.listdir(self.store.folder / "jobs")) == sorted(self.known)


TestQueue = Queue.TestCase
TestQueue.settings = settings(max_examples=10, stateful_step_count=12, deadline=None, derandomize=True)
