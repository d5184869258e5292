"""Works through the queue: hands one job at a time to the worker process, watches it, and notes what became of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
import traceback

from host.web.settings import PATIENCE_SECONDS, Settings
from host.web.store import DONE, FAILED, RUNNING, Store
from model.base.paths import ROOT

IDLE_SECONDS = 60  # after which the worker ends: it gives back its memory, and the board
SWEEP_SECONDS = 60  # between two looks for what is old
RETRY_SECONDS = 5
WORKER = (sys.executable, "-m", "host.web.worker")  # takes folder and backend
_LINE = 1 << 20  # bytes of a message, at most


class Runner:
    """The queue's motor; `run` is a task of the server.

    Parameters
    ----------
    store : Store
    settings : Settings

    Attributes
    ----------
    current : str or None
        The job that is being computed.
    progress : dict
        Its "step", "done" and "total".
    """

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store, self._settings = store, settings
        self._worker, self._wake = None, asyncio.Event()
        self.current, self.progress = None, {}

    def wake(self) -> None:
        """Say that there is something to do."""
        self._wake.set()

    async def run(self) -> None:
        """Compute jobs until the task is cancelled; the one under way then waits again."""
        try:
            while True:
                try:
                    await self._turn()
                except Exception as error:  # the disk is full, say: the queue goes on when it is not
                    print(f"the queue waits: {error}", file=sys.stderr)
                    traceback.print_exc()
                    await self._stop_worker(at_once=True)
                    await asyncio.sleep(RETRY_SECONDS)
        finally:
            if self.current is not None and self._store.get(self.current) is not None:
                self._store.interrupt(self.current)
            await self._stop_worker(at_once=True)

    async def _turn(self):
        """Compute the next job, or wait for one."""
        self._wake.clear()
        self._store.remove_old(self._settings.limits.keep_hours * 3600)
        for job in self._store.jobs():
            if job["state"] == RUNNING:  # its end could not be written
                self._store.requeue(job["id"], "its result could not be written")
        job = self._store.next()
        if job is not None:
            await self._compute(job)
            return
        try:
            await asyncio.wait_for(self._wake.wait(), IDLE_SECONDS if self._worker else SWEEP_SECONDS)
        except asyncio.TimeoutError:
            await self._stop_worker()

    async def remove(self, name: str) -> None:
        """Delete a job, at whatever step it is."""
        path = self._store.hide(name)
        if name == self.current:
            await self._stop_worker(at_once=True)  # before its files, or it would write new ones
        self._store.bury(path)

    async def _compute(self, job):
        name, minutes = job["id"], self._settings.limits.minutes
        self._store.begin(name)
        self.current, self.progress = name, {}
        begin = time.monotonic()
        try:
            answer = await asyncio.wait_for(self._ask(job), minutes * 60)
        except asyncio.TimeoutError:
            await self._stop_worker(at_once=True)
            sentence = f"{job['name']} took longer than {minutes:g} minutes, this server's limit; cut it into parts"
            answer = {"failed": sentence, "again": True}  # a clip goes on from where it was
        if self._store.get(name) is None:
            pass  # deleted meanwhile
        elif answer is None:
            self._store.requeue(name, "the computation ended")
            await self._stop_worker(at_once=True)
        else:
            if "finished" in answer:
                about = {"state": DONE, **answer["finished"]}
            else:
                about = {"state": FAILED, "error": answer["failed"], "again": answer.get("again", False)}
            self._store.update(name, took=time.monotonic() - begin, **about)
        self.current, self.progress = None, {}

    async def _ask(self, job):
        """Give the worker a job and listen; return its answer, or None if it died."""
        if self._worker is None or self._worker.returncode is not None:
            self._worker = await asyncio.create_subprocess_exec(
                *WORKER,
                str(self._store.folder),
                self._settings.backend,
                cwd=ROOT,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=_LINE,
            )
        keys = ("id", "name", "kind", "network", "upscale", "weights")
        limits = self._settings.limits
        about = {"max_mpixel": limits.mpixel, "spare_mb": limits.spare_mb, "views": limits.views}
        order = {key: job[key] for key in keys} | about
        worker = self._worker  # it may be taken away meanwhile
        if self._store.get(job["id"]) is None:  # deleted while the worker started
            return None
        try:
            worker.stdin.write(json.dumps(order).encode() + b"\n")
            await worker.stdin.drain()
            while line := await worker.stdout.readline():
                message = json.loads(line)
                if "step" not in message:
                    return message
                self.progress = message
        except (OSError, ValueError):  # it died, perhaps in the middle of a line
            pass
        return None

    async def _stop_worker(self, at_once=False):
        """End the worker, between two jobs or in the middle of one; a board's driver has the time to end a transfer."""
        worker, self._worker = self._worker, None
        if worker is None:
            return
        with contextlib.suppress(ProcessLookupError):
            if at_once:
                worker.terminate()
        worker.stdin.close()
        try:
            await asyncio.wait_for(worker.wait(), 2 * PATIENCE_SECONDS)
        except asyncio.TimeoutError:
            worker.kill()
            await worker.wait()
