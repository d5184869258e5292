"""The process that computes, one job at a time; the server gives it jobs and reads how far they are.

A line of JSON per job comes in, lines of JSON go out: {"step", "done", "total"}, then {"finished"} or {"failed"}. It
ends when nobody listens any more: with the server, however that ends, and when the server has had nothing to do.
"""

from __future__ import annotations

import fcntl
import json
import os
import pathlib
import queue
import signal
import sys
import threading
import time
import traceback

from host.picture import backends, pipeline
from host.web.compute import Order, compute
from host.web.settings import PATIENCE_SECONDS
from model.base.errors import UserError

LOCK = "worker.lock"
LEAST_PAUSE = 0.2  # seconds between two reports of a step


class _Worker:
    def __init__(self, folder: pathlib.Path, backend: str, out) -> None:
        self._folder, self._backend, self._out = folder, backend, out
        self._open, self._of = None, None  # the backend of the last job, and what for
        self._last = "", 0.0

    def run(self, order: dict) -> None:
        """Compute a job and say what became of it."""
        try:
            begin = time.perf_counter()
            backend, why = self._backend_for(order["network"], order["upscale"], order["weights"])
            start = time.perf_counter() - begin
            folder = self._folder / "jobs" / order["id"]
            wanted = Order(folder, *(order[key] for key in ("name", "kind", "max_mpixel", "spare_mb", "views")))
            done = compute(wanted, backend, self._report)
            seconds = {"start": start, **done["seconds"]}
            self._say(finished={**done, "seconds": seconds, "backend": backend.name, "why": why})
        except UserError as error:
            self._say(failed=str(error))
        except MemoryError:
            self._say(failed=f"{order['name']} does not fit into the server's memory; cut it into parts")
        except Exception as error:  # of whatever library: the next job may fare better
            traceback.print_exc()
            self._say(
                failed=f"{order['name']} could not be computed ({type(error).__name__}); the server's log says why"
            )

    def close(self) -> None:
        """Give back what the backend holds: a board is used by one at a time."""
        if self._open is not None:
            self._open[0].close()
        self._open = self._of = None

    def _backend_for(self, *of):
        """The backend of a network, kept open while the next job wants the same."""
        if self._of != of:
            self.close()
            network, upscale, weights = of
            model = pipeline.load_model(network, upscale, degradation=weights)
            self._open, self._of = backends.open_backend(self._backend, model), of
        return self._open

    def _report(self, step, done, total):
        now = time.monotonic()
        if step == self._last[0] and now - self._last[1] < LEAST_PAUSE:
            return
        self._last = step, now
        self._say(step=step, done=done, total=total)

    def _say(self, **message):
        self._out.write(json.dumps(message) + "\n")
        self._out.flush()


def _read_orders(orders):
    """Pass on what the server says; end the process with it, at whatever it is."""
    for line in sys.stdin:
        orders.put(json.loads(line))
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(PATIENCE_SECONDS)
    os._exit(1)


def main(folder: str, backend: str) -> None:
    """Compute what stdin asks for until it ends."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is no message
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))  # in order: a driver ends its transfer
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server
    orders = queue.Queue()
    threading.Thread(target=_read_orders, args=(orders,), daemon=True).start()
    lock = open(pathlib.Path(folder) / LOCK, "a")
    fcntl.flock(lock, fcntl.LOCK_EX)  # until the worker of a server that was killed has ended, too
    worker = _Worker(pathlib.Path(folder), backend, out)
    try:
        while True:
            worker.run(orders.get())
    finally:
        worker.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
