"""`--json`: what a run does, for programs that call it: one JSON object per line, each with an "event".

    start     files, network, upscale, backend             once
    file      source, output, size, result                 a file is begun (sizes: [width, height])
    progress  source, done, total                          pixels of the result (a video's: of all frames)
    note      source (or null), text                       what was lost or converted
    done      source, output, seconds                      a file is in place
    error     source (or null), text                       the sentence that people would read
    end       done, before, failed, seconds                once

A program passes over events and fields that it doesn't know: there may be more of both.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import TextIO

EVENTS = ("start", "file", "progress", "note", "done", "error", "end")
EVERY_S = 0.5  # between two progress lines of a file


class ProgressLines:
    """Prints events.

    Parameters
    ----------
    stream : text file, optional
        Standard output if None.
    every_s : float
        Seconds that lie at least between two progress lines; the last one of a file is always printed.
    clock : callable
        Returns seconds.
    """

    def __init__(
        self, stream: TextIO | None = None, every_s: float = EVERY_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream, self._every_s, self._clock = stream, every_s, clock
        self._last = None

    def emit(self, event: str, **fields: object) -> None:
        """Print one event; paths become texts.

        Parameters
        ----------
        event : str
            One of `EVENTS`.
        **fields
            JSON values, and paths.
        """
        if event not in EVENTS:
            raise ValueError(f"{event!r} is no event; known are {', '.join(EVENTS)}")
        line = json.dumps({"event": event, **fields}, default=os.fspath)  # ASCII: any locale can print it
        print(line, file=self._stream or sys.stdout, flush=True)

    def progress(self, source: str | os.PathLike, done: int, total: int) -> None:
        """Print how far a file is, if the last time is long enough ago or it is finished."""
        now = self._clock()
        if done < total and self._last is not None and now < self._last + self._every_s:
            return
        self._last = now
        self.emit("progress", source=source, done=done, total=total)
