"""The server's pages and what they ask for.

GET    /                          the page
GET    /static/<name>             its script and style
GET    /api/choices               networks, factors, weights, limits
GET    /api/jobs                  the jobs of this browser
POST   /api/jobs?name=&network=&upscale=&weights=    the file as it is; answers the new job
DELETE /api/jobs/<id>             forget a job, at whatever step
GET    /api/jobs/<id>/<file>      a result
"""

from __future__ import annotations

import asyncio
import contextlib
import pathlib
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from host.web.choices import choices
from host.web.guard import WHO, Guard, owner_of, who
from host.web.kinds import VIDEO
from host.web.runner import Runner
from host.web.settings import Settings
from host.web.store import DONE, FAILED, QUEUED, RUNNING, Store
from host.web.uploads import Uploads

STATIC = pathlib.Path(__file__).resolve().parent / "static"
SHOW = pathlib.Path(__file__).resolve().parents[1] / "show" / "static"
FILES = {  # all that /static has
    "app.js": (STATIC / "app.js", "text/javascript"),
    "app.css": (STATIC / "app.css", "text/css"),
    "icon.svg": (STATIC / "icon.svg", "image/svg+xml"),
    "viewer.js": (SHOW / "viewer.js", "text/javascript"),
    "viewer.css": (SHOW / "viewer.css", "text/css"),
}
LONGEST_NAME = 120  # characters
_PUBLIC = (  # what a browser is told of a job
    *("id", "name", "kind", "bytes", "network", "upscale", "weights", "state", "created", "took", "error", "again"),
    *("backend", "why", "seconds", "size", "frames", "notes", "views", "result"),
)


def make_app(settings: Settings, store: Store) -> Starlette:
    """Return the application; the queue moves while it is up."""

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        runner = Runner(store, settings)
        app.state.api = _Api(settings, store, runner)
        task = asyncio.create_task(runner.run())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def api(name):
        async def endpoint(request: Request) -> Response:
            return await getattr(request.app.state.api, name)(request)

        return endpoint

    routes = [
        Route("/", _page),
        Route("/static/{name}", _static),
        Route("/api/choices", api("choices")),
        Route("/api/jobs", api("list")),
        Route("/api/jobs", api("add"), methods=["POST"]),
        Route("/api/jobs/{id}", api("remove"), methods=["DELETE"]),
        Route("/api/jobs/{id}/again", api("again"), methods=["POST"]),
        Route("/api/jobs/{id}/{file}", api("file")),
    ]
    return Starlette(
        routes=routes,
        lifespan=lifespan,
        middleware=[Middleware(Guard, settings=settings)],
        exception_handlers={HTTPException: _sentence},
    )


async def _page(request: Request) -> Response:
    answer = FileResponse(STATIC / "index.html", media_type="text/html")
    _set_who(request, answer)
    return answer


async def _static(request: Request) -> Response:
    found = FILES.get(request.path_params["name"])
    if found is None:
        raise HTTPException(404, "there is no such file")
    return FileResponse(found[0], media_type=found[1], headers={"Cache-Control": "no-cache"})


async def _sentence(request: Request, error: HTTPException) -> Response:
    """Errors are a sentence, in JSON for scripts and readable for people."""
    return JSONResponse({"error": error.detail}, error.status_code, headers=error.headers)


def _set_who(request, answer):
    cookie, new = who(request)
    if new:
        answer.set_cookie(
            WHO, cookie, httponly=True, samesite="lax", max_age=30 * 86400
        )  # so links lead to the same jobs
    return owner_of(cookie)


class _Api:
    def __init__(self, settings, store, runner):
        self._settings, self._limits, self._store, self._runner = settings, settings.limits, store, runner
        self._uploads = Uploads(store, settings.limits)

    async def choices(self, request):
        known = [
            {"network": network, "upscale": upscale, "weights": weights} for network, upscale, weights in choices()
        ]
        limits = {"upload_mb": self._limits.upload_mb, "mpixel": self._limits.mpixel, "minutes": self._limits.minutes}
        return JSONResponse({"choices": known, "limits": limits | {"keep_hours": self._limits.keep_hours}})

    async def list(self, request):
        owner = owner_of(who(request)[0])
        return JSONResponse({"jobs": [self._public(job) for job in self._store.jobs(owner)]})

    def _public(self, job):
        told = {key: job[key] for key in _PUBLIC if key in job}
        if job["state"] == QUEUED:
            told["ahead"] = self._store.ahead(job["id"])
        if job["state"] == RUNNING and job["id"] == self._runner.current:
            told["progress"] = self._runner.progress
        if job["state"] == DONE:
            told["file"] = _result_name(job)
        return told

    async def remove(self, request):
        job = self._mine(request)
        await self._runner.remove(job["id"])
        return JSONResponse({})

    async def again(self, request):
        job = self._mine(request)
        if job["state"] != FAILED or not job.get("again"):
            raise HTTPException(409, f"{job['name']} would fail again; send another file")
        self._store.again(job["id"])
        self._runner.wake()
        return JSONResponse({})

    async def file(self, request):
        job, name = self._mine(request), request.path_params["file"]
        known = {panel["file"] for view in job.get("views", ()) for panel in view["panels"]}
        if job["state"] != DONE or name not in known | {job["result"]}:
            raise HTTPException(404, "there is no such file")
        path = self._store.path(job["id"]) / name
        if "download" in request.query_params:
            return FileResponse(path, filename=_result_name(job))
        return FileResponse(path, headers={"Cache-Control": "private, max-age=3600"})  # it never changes

    def _mine(self, request):
        job = self._store.get(request.path_params["id"], owner_of(who(request)[0]))
        if job is None:
            raise HTTPException(404, "there is no such job, or it has been deleted")
        return job

    async def add(self, request):
        """Take a file and make it a job."""
        name, owner = _clean_name(request.query_params.get("name", "")), owner_of(who(request)[0])
        try:
            job = await self._uploads.take(request, name, owner, self._choice(request))
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        except HTTPException as error:
            all_read = error.status_code not in (408, 413) and await self._uploads.swallow(request)
            headers = None if all_read else {"Connection": "close"}  # or the rest would still come
            raise HTTPException(error.status_code, error.detail, headers) from error
        self._runner.wake()
        answer = JSONResponse(self._public(job), 201)
        _set_who(request, answer)
        return answer

    def _choice(self, request):
        asked = request.query_params
        for choice in choices():
            if tuple(asked.get(key) for key in ("network", "upscale", "weights")) == tuple(map(str, choice)):
                return choice
        raise HTTPException(400, "there is no such network, factor and weights; choose from /api/choices")


def _clean_name(name: str) -> str:
    """Return a name to show: the last part of a path, printable, short. It is never a path of the server's."""
    name = "".join(letter for letter in name.replace("\\", "/").rsplit("/", 1)[-1] if letter.isprintable()).strip()
    return name[:LONGEST_NAME] or "unnamed"


def _result_name(job):
    """What a result is called when it is downloaded: clip.mov becomes clip_x2.mp4."""
    stem = pathlib.PurePosixPath(job["name"]).stem or "result"
    return f"{stem}_x{job['upscale']}{'.mp4' if job['kind'] == VIDEO else '.png'}"
