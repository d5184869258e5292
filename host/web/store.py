"""The server's queue and files, so that whatever kills it leaves whole jobs or none.

    jobs/<id>/job.json    what is known of a job; replaced as a whole
    jobs/<id>/input       what was sent
    jobs/<id>/...         results, complete when they have their names
    incoming/<id>/        an upload under way; becomes jobs/<id> by one rename
    trash/<id>/           a job that is being deleted

A job's folder is named by random digits that nobody can guess; the name that a file was sent under is text in job.json
and never part of a path. One process writes job.json: the server, which holds the folder's lock.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import re
import secrets
import shutil
import time
from collections.abc import Iterator

from model.base.errors import UserError
from model.base.paths import TEMPORARY, atomic_write, take_lock

QUEUED, RUNNING, DONE, FAILED = "queued", "running", "done", "failed"
JOB, INPUT = "job.json", "input"
_MARK = ".srcnn_serve"  # this folder is a server's; also its lock
_ID = re.compile(r"[0-9a-f]{32}")
# A job that ends the process that computes, or the machine with the server, must not do so for ever.
MOST_TRIES, MOST_SERVERS = 3, 10


class Store:
    """The jobs of one server.

    Parameters
    ----------
    folder : pathlib.Path
        Made if missing; an existing one has to be empty, or a server's.

    Raises
    ------
    UserError
        Another server has the folder, it is not a server's, or it cannot be written.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = pathlib.Path(folder)
        self._jobs = self.folder / "jobs"
        self._incoming, self._trash = self.folder / "incoming", self.folder / "trash"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if not (self.folder / _MARK).exists() and any(self.folder.iterdir()):
                raise UserError(
                    f"{self.folder} has files that are not a server's, which deletes what is old; give an empty folder"
                )
            self._lock = open(self.folder / _MARK, "a")
        except OSError as error:
            raise UserError(
                f"cannot write into {self.folder}: {error.strerror}; choose another folder for the server's files"
            ) from error
        if not take_lock(self._lock):
            self._lock.close()
            raise UserError(f"another server uses {self.folder}; stop it or choose another folder with --folder")
        for folder in (self._incoming, self._trash):
            shutil.rmtree(folder, ignore_errors=True)
        for folder in (self._jobs, self._incoming, self._trash):
            folder.mkdir(exist_ok=True)
        self._known, self._since = {}, {}  # jobs; since when they are finished, as far as this server knows
        for path in self._jobs.iterdir():
            self._load(path)
        self._number = max((job["number"] for job in self._known.values()), default=0)

    def _load(self, path):
        """Take a job of an earlier server; one that it was computing waits again."""
        try:
            job = json.loads((path / JOB).read_text(encoding="utf-8"))
            if _ID.fullmatch(path.name) is None or job["id"] != path.name:
                raise ValueError(path.name)
        except (OSError, ValueError, KeyError, TypeError):
            self.bury(path)  # no server of this version has written it
            return
        for leftover in path.glob(f"{TEMPORARY}*"):  # of a server or a worker that was killed while it wrote
            leftover.unlink(missing_ok=True)
        self._known[job["id"]] = job
        self._since[job["id"]] = time.monotonic()
        if job["state"] == RUNNING:
            self.requeue(job["id"], "the server ended", MOST_SERVERS)

    def close(self) -> None:
        """Give the folder back."""
        self._lock.close()

    # Uploads ------------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def upload(self) -> Iterator[tuple[str, pathlib.Path]]:
        """Yield the id of a new job and the path that its input is written to; `add` makes it a job, else it is gone
        at the end of the block.
        """
        name = secrets.token_hex(16)
        folder = self._incoming / name
        folder.mkdir()
        try:
            yield name, folder / INPUT
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def add(self, identity: str, /, **about: object) -> dict:
        """Make a job of an upload: it appears as a whole.

        Parameters
        ----------
        identity : str
            From `upload`.
        **about
            JSON values that describe it.
        """
        self._number += 1
        job = {"id": identity, "number": self._number, "state": QUEUED, "tries": 0, "created": time.time(), **about}
        folder = self._incoming / identity
        _write(folder / JOB, job)
        os.rename(folder, self._jobs / identity)
        _sync(self._jobs)
        self._known[identity] = job
        return job

    # Jobs ---------------------------------------------------------------------------------------------------------

    def jobs(self, owner: str | None = None) -> list[dict]:
        """Return all jobs in the order they came, or one owner's."""
        found = [job for job in self._known.values() if owner is None or job.get("owner") == owner]
        return sorted(found, key=lambda job: job["number"])

    def get(self, identity: str, owner: str | None = None) -> dict | None:
        """Return a job, or None if there is none of this id (and owner)."""
        job = self._known.get(identity)
        return job if job is not None and (owner is None or job.get("owner") == owner) else None

    def path(self, identity: str) -> pathlib.Path:
        """Return the folder of a job that is known."""
        return self._jobs / self._known[identity]["id"]

    def next(self) -> dict | None:
        """Return the job that has waited longest, or None."""
        return next((job for job in self.jobs() if job["state"] == QUEUED), None)

    def ahead(self, identity: str) -> int:
        """Return how many jobs are before this one, the one that is being computed included."""
        number = self._known[identity]["number"]
        return sum(job["state"] in (QUEUED, RUNNING) and job["number"] < number for job in self._known.values())

    def update(self, identity: str, /, **about: object) -> None:
        """Change what is known of a job, on the disk first."""
        job = self._known[identity] | about
        _write(self._jobs / identity / JOB, job)
        self._known[identity], self._since[identity] = job, time.monotonic()

    def begin(self, identity: str) -> None:
        """Note that a job is being computed: whatever happens from here on counts as a try."""
        self.update(identity, state=RUNNING, tries=self._known[identity]["tries"] + 1)

    def requeue(self, identity: str, what: str, most: int = MOST_TRIES) -> None:
        """Let a job wait again, unless it has been tried too often.

        Parameters
        ----------
        what : str
            That ended the try, for the sentence.
        most : int
            Tries.
        """
        tries = self._known[identity]["tries"]
        if tries < most:
            self.update(identity, state=QUEUED)
            return
        sentence = (
            f"given up after {tries} tries: {what} while this file was computed, perhaps for want of memory; cut it "
            f"into parts or choose a smaller factor"
        )
        self.update(identity, state=FAILED, again=True, error=sentence)

    def again(self, identity: str) -> None:
        """Let a job wait again that was given up: its user says so."""
        self.update(identity, state=QUEUED, again=False, tries=0)

    def interrupt(self, identity: str) -> None:
        """Let a job wait again that the server itself has stopped: no try."""
        self.update(identity, state=QUEUED, tries=max(0, self._known[identity]["tries"] - 1))

    def hide(self, identity: str) -> pathlib.Path:
        """Forget a job; return its folder, for `bury`."""
        path = self.path(identity)
        del self._known[identity]
        self._since.pop(identity, None)
        return path

    def bury(self, path: pathlib.Path) -> None:
        """Delete the folder of a job: it is gone at once, its files a moment later."""
        grave = self._trash / secrets.token_hex(16)
        with contextlib.suppress(OSError):
            os.rename(path, grave)
        shutil.rmtree(grave, ignore_errors=True)

    def remove_old(self, seconds: float) -> None:
        """Delete what has been finished for longer than this.

        Counted from when this server knows of it: a board has no clock that runs while it is off, and may learn the
        date long after it has started.
        """
        for job in self.jobs():
            if job["state"] in (DONE, FAILED) and time.monotonic() - self._since[job["id"]] > seconds:
                self.bury(self.hide(job["id"]))

    def size(self) -> int:
        """Return the bytes of all files."""
        total = 0
        for parent, _, files in os.walk(self.folder):
            for file in files:
                with contextlib.suppress(OSError):
                    total += os.lstat(os.path.join(parent, file)).st_size
        return total

    def free(self) -> int:
        """Return the free bytes of the disk."""
        return shutil.disk_usage(self.folder).free


def _write(path, value):
    """Write JSON that is on the disk, not only on its way there, before it has its name."""
    with atomic_write(path) as temporary:
        with open(temporary, "w", encoding="utf-8") as file:
            json.dump(value, file)
            file.flush()
            os.fsync(file.fileno())
    _sync(path.parent)


def _sync(folder):
    """Write a folder's names to the disk, where the file system knows how."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            os.fsync(handle)
    finally:
        os.close(handle)
