"""Connections on which nothing is asked: uvicorn keeps them for ever, and they count as much as all others.

So somebody without a token, who only opens as many as the server takes, would keep all others out.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

ASK_SECONDS = 10  # from the connection, or from the first byte, until a request's headers are complete


class Impatient(H11Protocol):
    """uvicorn's protocol, which closes a connection on which no request comes in time; for `http=` of its Config."""

    _timer = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Wait no longer if a request is complete; a part of one gets no more time."""
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop()
        else:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop()
        super().connection_lost(exc)

    def _wait(self):
        if self._timer is None:
            self._timer = self.loop.call_later(ASK_SECONDS, self._close)

    def _stop(self):
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _close(self):
        self._timer = None
        if self.transport is not None and not self.transport.is_closing():
            self.transport.close()
