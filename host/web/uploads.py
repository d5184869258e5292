"""Files as they come in: streamed to the disk in pieces, within limits of size, time, number and space."""

from __future__ import annotations

import asyncio
import contextlib
import pathlib
from collections.abc import AsyncIterator

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from host.web.kinds import HEAD, kind_of
from host.web.settings import Limits
from host.web.store import QUEUED, RUNNING, Store


class Uploads:
    """Takes files into a store.

    Parameters
    ----------
    store : Store
    limits : Limits
    """

    def __init__(self, store: Store, limits: Limits) -> None:
        self._store, self._limits, self._count = store, limits, 0

    async def take(self, request: Request, name: str, owner: str, choice: tuple[str, int, str]) -> dict:
        """Take a request's body and make it a job.

        Parameters
        ----------
        request : Request
        name : str
            To show.
        owner : str
        choice : (str, int, str)
            Network, factor, weights.

        Raises
        ------
        HTTPException
            It is refused, with the status and a sentence.
        ClientDisconnect
            It broke off.
        """
        if request.headers.get("content-type") != "application/octet-stream":
            raise HTTPException(415, "send the file as it is, as application/octet-stream")
        self._check_room(request, owner)
        self._count += 1
        try:
            with self._store.upload() as (identity, path):
                size, head = await asyncio.wait_for(self._receive(request, path), self._limits.upload_seconds)
                kind = kind_of(head)
                if size == 0:
                    raise HTTPException(400, f"{name} is empty (0 bytes); choose another file")
                if kind is None:
                    raise HTTPException(
                        415, f"{name} is neither a picture nor a video of a known kind; convert it to png, jpg or mp4"
                    )
                self._check_waiting(owner)  # others may have come meanwhile
                about = dict(zip(("network", "upscale", "weights"), choice))
                return self._store.add(identity, name=name, owner=owner, bytes=size, kind=kind, **about)
        except asyncio.TimeoutError:
            raise HTTPException(408, f"{name} did not arrive in time; try again on a faster connection") from None
        except OSError as error:
            raise HTTPException(507, f"the server could not keep {name} ({error.strerror}); try again later") from error
        finally:
            self._count -= 1

    async def swallow(self, request: Request) -> bool:
        """Read what is left of a refused body and forget it, or a browser would show a broken connection in place of
        the answer; return whether that was all of it.
        """

        async def read():
            async for _ in self._pieces(request):
                pass

        with contextlib.suppress(asyncio.TimeoutError, ClientDisconnect, HTTPException):
            await asyncio.wait_for(read(), self._limits.idle_seconds)
            return True
        return False

    async def _receive(self, request: Request, path: pathlib.Path) -> tuple[int, bytes]:
        """Write the body to a file; return its size and its first bytes."""
        size, head = 0, b""
        with open(path, "xb") as file:
            async for piece in self._pieces(request):
                size += len(piece)
                head = (head + piece[:HEAD])[:HEAD]
                await run_in_threadpool(file.write, piece)
        return size, head

    async def _pieces(self, request: Request) -> AsyncIterator[bytes]:
        """Yield the body as it comes, within the limits of size and of pauses."""
        size, pieces = 0, request.stream()
        while True:
            try:
                piece = await asyncio.wait_for(pieces.__anext__(), self._limits.idle_seconds)
            except (StopAsyncIteration, RuntimeError):  # the latter if it has been read already
                return
            size += len(piece)
            if size > self._limits.upload_mb * 1e6:
                raise self._too_large()
            yield piece

    def _too_large(self):
        return HTTPException(
            413, f"the file is larger than {self._limits.upload_mb:g} MB, this server's limit; cut it into parts"
        )

    def _check_room(self, request, owner):
        length = request.headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > self._limits.upload_mb * 1e6:
            raise self._too_large()
        if self._count >= self._limits.uploads:
            raise HTTPException(503, "too many files are being sent at the moment; try again in a minute")
        self._check_waiting(owner)
        need = max(int(length), 1)
        if self._store.size() + need > self._limits.folder_mb * 1e6:
            raise HTTPException(
                507, f"this server keeps {self._limits.folder_mb:g} MB and they are taken; delete what you don't need"
            )
        if self._store.free() - need < self._limits.spare_mb * 1e6:
            raise HTTPException(507, "the server's disk is nearly full; delete what you don't need")

    def _check_waiting(self, owner):
        waiting = [job for job in self._store.jobs() if job["state"] in (QUEUED, RUNNING)]
        mine = sum(job["owner"] == owner for job in waiting)
        if mine >= self._limits.waiting_each:
            raise HTTPException(429, f"{mine} of your files are waiting, this server's limit; wait until some are done")
        if len(waiting) >= self._limits.waiting:
            raise HTTPException(429, f"{len(waiting)} files are waiting, this server's limit; try again later")
