"""Who opens connections and asks nothing keeps nobody out."""

import asyncio
import time

import pytest

pytest.importorskip("uvicorn")
import uvicorn
from uvicorn.server import ServerState

from host.web import connections

MOST = 4


async def _app(scope, receive, send):
    """Read the whole body, then answer with its length."""
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
    await send({"type": "http.response.body", "body": b"%04d" % size})


def in_server(talk, monkeypatch, seconds=0.3):
    """Run `talk(open)`; `open` opens a connection to a server."""

    async def run():
        monkeypatch.setattr(connections, "ASK_SECONDS", seconds)
        config = uvicorn.Config(_app, limit_concurrency=MOST, log_level="critical", lifespan="off")
        config.load()
        state = ServerState()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: connections.Impatient(config=config, server_state=state, app_state={}), "127.0.0.1", 0
        )
        async with server:
            port = server.sockets[0].getsockname()[1]
            return await asyncio.wait_for(talk(lambda: asyncio.open_connection("127.0.0.1", port)), 30)

    return asyncio.run(run())


async def ask(opened, body=b"", pause=0.0, more="Connection: close\r\n"):
    reader, writer = opened
    writer.write(f"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n{more}\r\n".encode())
    for i in range(len(body)):
        writer.write(body[i : i + 1])
        await writer.drain()
        await asyncio.sleep(pause)
    answer = await reader.read() if more else await reader.readuntil(b"%04d" % len(body))
    return answer.split(b" ")[1], answer[-4:]


@pytest.mark.parametrize("begin", [b"", b"GET / HTTP/1.1\r\nHost: a\r\n"])
def test_silent_connections_are_closed(monkeypatch, begin):
    async def talk(connect):
        silent = [await connect() for _ in range(MOST + 2)]
        for _, writer in silent:
            writer.write(begin)
        assert (await ask(await connect()))[0] == b"503"
        assert [await reader.read() for reader, _ in silent] == [b""] * len(silent)  # closed
        return await ask(await connect())

    assert in_server(talk, monkeypatch) == (b"200", b"0000")


def test_a_byte_now_and_then_gets_no_more_time(monkeypatch):
    async def talk(connect):
        reader, writer = await connect()
        begin = time.monotonic()
        while not reader.at_eof() and time.monotonic() - begin < 10:
            try:
                writer.write(b"GET / HTTP/1.1\r\n" if time.monotonic() - begin < 0.01 else b"a: b\r\n")
                await writer.drain()
                await asyncio.wait_for(reader.read(1), 0.05)
            except asyncio.TimeoutError:
                continue
            except ConnectionError:
                break
        return time.monotonic() - begin

    assert 0.25 < in_server(talk, monkeypatch) < 5


def test_a_slow_body_has_the_time_that_the_server_gives_it(monkeypatch):
    async def talk(connect):
        return await ask(await connect(), b"0123456789", 0.1)

    assert in_server(talk, monkeypatch) == (b"200", b"0010")


def test_one_request_after_the_other(monkeypatch):
    async def talk(connect):
        opened = await connect()
        answers = []
        for _ in range(3):
            answers.append(await ask(opened, b"ab", 0.02, ""))
            await asyncio.sleep(0.15)
        return answers

    assert in_server(talk, monkeypatch) == [(b"200", b"0002")] * 3
