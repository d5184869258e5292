"""Who may ask: requests for another host, from another site or without the token go no further.

A page of another site can send requests from the user's own browser to this machine, and with a name that it points
here (DNS rebinding) even read the answers. So the Host has to be one of ours, an Origin has to be our own, and the
token lies in a cookie that other sites' requests don't carry.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
import secrets
import urllib.parse

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from host.web.settings import Settings

WHO = "srcnn_who"  # the cookie that tells one browser's jobs from another's
WRONG_TOKEN_SECONDS = 1  # guessing takes time
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_ASK = """<!DOCTYPE html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>token</title><form><p><label>This server's token (it was shown when it started):
<input name="token" type="password" autofocus></label> <button>Enter</button></form></html>"""


class Guard:
    """Middleware around the application.

    Parameters
    ----------
    app : callable
    settings : Settings
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app, self._settings = app, settings
        self._token_cookie = f"srcnn_token_{settings.port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # there are no web sockets here
        request = Request(scope)

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        refusal = self._refuse_place(request) or await self._refuse_token(request)
        if refusal is not None and request.method not in ("GET", "HEAD"):
            refusal.headers["Connection"] = "close"  # what they send is not read
        await (refusal or self._app)(scope, receive, send_safely)

    def _refuse_place(self, request):
        """Return the answer to a request for another host or from another site, else None."""
        hosts = request.headers.getlist("host")
        if len(hosts) != 1 or not self._is_ours(hosts[0]):
            return PlainTextResponse("this server is not known by that name; --name NAME lets it be\n", 403)
        origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site", "none")
        foreign = origin is not None and origin.lower() not in (
            f"http://{hosts[0]}".lower(),
            f"https://{hosts[0]}".lower(),
        )
        if foreign or (site not in ("none", "same-origin") and request.url.path != "/"):
            return PlainTextResponse("requests from other sites are refused\n", 403)
        return None

    def _is_ours(self, host):
        try:
            name = urllib.parse.urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        if name in self._settings.names:
            return True
        try:
            ipaddress.ip_address(name)  # a number cannot be pointed elsewhere
        except ValueError:
            return False
        return self._settings.any_address

    async def _refuse_token(self, request: Request) -> Response | None:
        """Return what somebody without the token gets, else None."""
        token = self._settings.token
        if not token or self._same(request.cookies.get(self._token_cookie, ""), _cookie(token)):
            return None
        scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self._same(bearer, token):
            return None
        given = request.query_params.get("token") if request.url.path == "/" else None
        if given is not None and self._same(given, token):
            answer = RedirectResponse("/", 303)  # the token doesn't stay in the address
            answer.set_cookie(self._token_cookie, _cookie(token), httponly=True, samesite="lax", max_age=30 * 86400)
            return answer
        if given is not None or bearer:
            await asyncio.sleep(WRONG_TOKEN_SECONDS)
        if request.url.path == "/" and request.method == "GET":
            return HTMLResponse(_ASK, 401)
        return PlainTextResponse("this server wants its token\n", 401)

    @staticmethod
    def _same(given, expected):
        return hmac.compare_digest(given.encode(), expected.encode())


def _cookie(token):
    """What the cookie holds: not the token itself."""
    return hashlib.sha256(f"cookie {token}".encode()).hexdigest()


def who(request: Request) -> tuple[str, bool]:
    """Return the cookie that tells whose jobs these are, and whether it is a new one that has to be set."""
    if not hasattr(request.state, "who"):
        known = request.cookies.get(WHO, "")
        is_known = len(known) == 32 and known.isalnum()
        request.state.who = (known, False) if is_known else (secrets.token_hex(16), True)
    return request.state.who


def owner_of(cookie: str) -> str:
    """Return what jobs keep of the cookie."""
    return hashlib.sha256(f"owner {cookie}".encode()).hexdigest()[:32]
