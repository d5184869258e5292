"""Who is let in: by host name, by the site that asks, by token; and what every answer says."""

import re

import pytest

pytest.importorskip("starlette")
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from host.web import guard
from host.web.settings import Limits, Settings, is_local, make_settings
from model.base.errors import UserError

TOKEN = "a token of some length"


def client(settings, base="http://127.0.0.1:8000"):
    """A client of an application that says what it did."""

    async def inside(request):
        return PlainTextResponse("inside")

    routes = [Route(path, inside, methods=["GET", "POST"]) for path in ("/", "/api/jobs")]
    app = Starlette(routes=routes, middleware=[Middleware(guard.Guard, settings=settings)])
    return TestClient(app, base_url=base, follow_redirects=False)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(guard, "WRONG_TOKEN_SECONDS", 0)


HOSTS = {
    "127.0.0.1:8000": True,
    "localhost:9999": True,  # a tunnel may have another port
    "LOCALHOST": True,
    "[::1]:8000": True,
    "evil.example": False,
    "localhost.evil.example": False,
    "localhost@evil.example": False,
    "evil.example:127.0.0.1": False,
    "192.168.2.99": False,
    "": False,
}


@pytest.mark.parametrize("host", HOSTS)
def test_a_name_that_is_not_ours_is_refused(host):
    answer = client(Settings()).get("/api/jobs", headers={"Host": host})
    assert (answer.status_code == 200) == HOSTS[host] and (answer.text == "inside") == HOSTS[host]


def test_in_a_network_numbers_are_ours_and_foreign_names_are_not():
    settings = make_settings("x", "0.0.0.0", 8000, None, ("board.lan",), "auto", Limits())
    headers = {"Authorization": f"Bearer {settings.token}"}
    for host, ours in (("192.168.2.99:8000", True), ("[fe80::1]", True), ("Board.LAN", True), ("evil.example", False)):
        assert (client(settings).get("/api/jobs", headers={"Host": host, **headers}).status_code == 200) == ours


SITES = {
    "none said": ({}, True),
    "our own": ({"Origin": "http://127.0.0.1:8000"}, True),
    "through a proxy with https": ({"Origin": "https://127.0.0.1:8000"}, True),
    "another": ({"Origin": "http://evil.example"}, False),
    "another port": ({"Origin": "http://127.0.0.1:8001"}, False),
    "another name of ours": ({"Origin": "http://localhost:8000"}, False),
    "a file or a sandbox": ({"Origin": "null"}, False),
    "nothing": ({"Origin": ""}, False),
    "another site, says the browser": ({"Sec-Fetch-Site": "cross-site"}, False),
    "another port, says the browser": ({"Sec-Fetch-Site": "same-site"}, False),
    "ours, says the browser": ({"Sec-Fetch-Site": "same-origin"}, True),
}


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("site", SITES)
def test_a_page_of_another_site_is_refused(site, method):
    headers, ours = SITES[site]
    answer = client(Settings()).request(method, "/api/jobs", headers=headers)
    assert answer.status_code == (200 if ours else 403)


def test_a_link_from_another_site_leads_to_the_page():
    assert client(Settings()).get("/", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200


def test_without_the_token_nothing_is_shown():
    somebody = client(Settings(token=TOKEN))
    assert somebody.get("/").status_code == 401 and "inside" not in somebody.get("/").text
    for headers in (
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": TOKEN},
        {"Cookie": f"srcnn_token_8000={TOKEN}"},
    ):
        assert somebody.get("/api/jobs", headers=headers).status_code == 401
        assert somebody.post("/api/jobs", headers=headers).status_code == 401
    assert somebody.get("/?token=wrong").status_code == 401
    assert somebody.get(f"/api/jobs?token={TOKEN}").status_code == 401  # an address of a file may be passed on


def test_the_token_opens_the_page_once_and_for_all():
    somebody = client(Settings(token=TOKEN))
    answer = somebody.get("/", params={"token": TOKEN})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert re.search("HttpOnly", answer.headers["set-cookie"]) and TOKEN not in answer.headers["set-cookie"]
    assert somebody.get("/api/jobs").text == "inside"
    assert client(Settings(token=TOKEN)).get("/api/jobs", headers={"Authorization": f"Bearer {TOKEN}"}).text == "inside"


def test_every_answer_is_locked_up():
    somebody = client(Settings(token=TOKEN))
    for answer in (
        somebody.get("/"),
        somebody.get("/", headers={"Host": "evil.example"}),
        somebody.get("/?token=" + TOKEN),
    ):
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert answer.headers["cache-control"] == "no-store" and "server" not in answer.headers


def test_two_hosts_in_one_request():
    answer = client(Settings()).get("/", headers=[("Host", "127.0.0.1"), ("Host", "evil.example")])
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "host, local",
    [
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("board", False),
    ],
)
def test_who_listens_to_others_has_a_token(host, local):
    assert is_local(host) == local
    tokens = {make_settings("x", host, 1, None, (), "auto", Limits()).token for _ in range(2)}
    assert tokens == {""} if local else len(tokens) == 2 and min(map(len, tokens)) >= 32
    if not local:
        with pytest.raises(UserError, match="give 16 or more"):
            make_settings("x", host, 1, "", (), "auto", Limits())


def test_a_token_that_is_guessed_in_a_day():
    with pytest.raises(UserError, match="the token has 5 characters .* give 16 or more"):
        make_settings("x", "127.0.0.1", 1, "12345", (), "auto", Limits())
