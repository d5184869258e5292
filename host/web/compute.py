"""Computes one job of the server: what was sent becomes a result, and pictures to compare under the slider."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import shutil
from collections.abc import Callable, Iterator

from host.picture import pipeline
from host.picture.backends import Backend
from host.show import before_after, page
from host.video import video
from host.video.read.library import import_av, open_to_read
from host.video.read.source import Source
from host.web.kinds import VIDEO
from host.web.store import INPUT, JOB
from model.base.errors import UserError
from model.base.paths import atomic_write
from model.imaging import files as picture_files
from model.imaging.files import Picture

# FFmpeg's names of the kinds of files that hold their own contents.
_CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,flv,ogg,mpeg,mpegts,asf,mxf,nut,yuv4mpegpipe,ivf,rm,mpegvideo"


@dataclasses.dataclass(frozen=True)
class Order:
    """What a job asks for.

    Attributes
    ----------
    folder : pathlib.Path
        Of the job: `INPUT` is in it, results are written into it.
    name : str
        What sentences call the input.
    kind : str
        As of `host.web.kinds`.
    max_mpixel : float
        Largest result, or frame of it.
    spare_mb : float
        That the disk keeps free.
    views : int
        Most frames of a video to compare.
    """

    folder: pathlib.Path
    name: str
    kind: str
    max_mpixel: float
    spare_mb: float
    views: int


def compute(order: Order, backend: Backend, report: Callable) -> dict:
    """Compute a job.

    Parameters
    ----------
    order : Order
    backend : host.picture.backends.Backend
    report : callable
        `report(step, done, total)`, as often as there is something to say; `done` of `total` pixels or frames.

    Returns
    -------
    dict
        JSON values: "result", the file's name; "views", a list of what the slider shows; "seconds" per step; "size";
        "frames" of a video; "notes".

    Raises
    ------
    UserError
        The input is none that can be upscaled; its sentence has the user's name for it and no path of the server.
    """
    source = order.folder / INPUT
    _clear(order.folder, but=".parts")  # of a try before; but the parts of a video are worth going on from

    def watch(step, done, total):
        free = shutil.disk_usage(order.folder).free
        if free < order.spare_mb * 1e6:
            raise UserError(f"{order.name} is given up: the server's disk is nearly full; delete what you don't need")
        report(step, done, total)

    try:
        return (_video if order.kind == VIDEO else _picture)(order, source, backend, watch)
    except Exception as error:
        _clear(order.folder)
        if not isinstance(error, UserError):
            raise
        raise UserError(str(error).replace(str(source), order.name).replace(f"{order.folder}{os.sep}", "")) from error


def _clear(folder, but=None):
    """Remove what was computed."""
    for path in folder.iterdir():
        if path.name not in (INPUT, JOB) and not (but and path.name.endswith(but)):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def refuse_references(path: pathlib.Path, name: str) -> None:
    """Raise `UserError` if FFmpeg would take a file for a list of other files or addresses, before it follows them."""
    av = import_av()
    options = {"format_whitelist": _CONTAINERS, "protocol_whitelist": "file"}
    try:
        open_to_read(av, str(path), options=options).close()
    except (OSError, ValueError, av.FFmpegError) as error:
        raise UserError(
            f"{name} is not a readable video (another kind, damaged or cut short); convert it to mp4"
        ) from error


def _picture(order, source, backend, report):
    clock, upscale = pipeline.Clock(), backend.model.upscale
    report("read", 0, 1)
    with clock("read"):
        picture = picture_files.read_picture(source, lambda width, height: _check_size(order, width, height, upscale))
    total = picture.size[0] * picture.size[1] * upscale**2
    with _counting("compute", total, report) as count:
        result = pipeline.upscale_picture(picture, backend, None, clock, count)
    report("write", 0, 1)
    with clock("write"):
        notes = picture_files.write_picture(order.folder / "result.png", result)
    report("compare", 0, 1)
    method = before_after.method_name(backend.model.network)
    with clock("compare"):
        bicubic = before_after.compare(picture, result, None, method)[0]
        _write_png(order.folder / "bicubic.png", bicubic.picture)
    return {
        "result": "result.png",
        "views": [_view("", result.size, "bicubic.png", "result.png", method)],
        "seconds": clock.seconds,
        "size": list(result.size),
        "notes": [*picture.notes, *notes],
    }


def _check_size(order, width, height, upscale):
    if width * height * upscale**2 > order.max_mpixel * 1e6:  # who sent it cannot raise the limit
        raise UserError(
            f"{order.name} would become {width * upscale}x{height * upscale} pixels, this server's limit is "
            f"{order.max_mpixel:g} Mpixel; choose a smaller factor or cut it into parts"
        )
    pipeline.check_size(width, height, upscale, order.max_mpixel)


def _video(order, source, backend, report):
    clock, upscale, output = pipeline.Clock(), backend.model.upscale, order.folder / "result.mp4"
    report("read", 0, 1)
    refuse_references(source, order.name)
    with video.open_source(source) as opened, _counting("compute", opened.info.frames or 1, report) as count:
        info = opened.info
        done = video.upscale_video(
            opened,
            output,
            backend,
            clock=clock,
            check_size=lambda width, height: _check_size(order, width, height, upscale),
            progress=lambda pixels: count(1),
        )
    report("compare", 0, 1)
    size = [side * upscale for side in info.size]
    method = before_after.method_name(backend.model.network)
    with clock("compare"):
        views = list(video_views(order, source, output, done.frames, method))
    return {
        "result": output.name,
        "views": views,
        "seconds": clock.seconds,
        "size": size,
        "frames": done.frames,
        "notes": [*done.notes, *done.damage],
    }


def video_views(order: Order, source: pathlib.Path, output: pathlib.Path, frames: int, method: str) -> Iterator[dict]:
    """Write some frames of a clip, bicubic and as they are in the result; yield what the slider shows.

    Parameters
    ----------
    order : Order
    source, output : pathlib.Path
        The clip and its result.
    frames : int
        That the result has.
    method : str
        What the result is called.
    """
    wanted = sorted({frames * (2 * i + 1) // (2 * order.views) for i in range(order.views)})
    with Source(source) as before, Source(output) as after:
        for index, ((_, picture), (_, result)) in enumerate(zip(before.read(), after.read())):
            if index not in wanted:
                continue
            width, height = picture.size
            upscale = result.size[0] // width
            pixels = result.pixels[: height * upscale, : width * upscale]  # sides are made even
            panels = before_after.compare(picture, Picture(pixels), None, method)
            names = [f"frame{index}_{what}.png" for what in ("bicubic", "result")]
            for name, panel in zip(names, panels, strict=True):
                _write_png(order.folder / name, panel.picture)
            yield _view(f"frame {index + 1} of {frames}", panels[0].picture.size, *names, method)
            if index == wanted[-1]:
                return


def _view(name, size, bicubic, result, method):
    panels = [{"name": "bicubic", "file": bicubic}, {"name": method, "file": result}]
    return {"name": name, "width": size[0], "height": size[1], "panels": panels}


def _write_png(path, picture):
    with atomic_write(path) as temporary:
        temporary.write_bytes(page.encode_png(picture))


@contextlib.contextmanager
def _counting(step: str, total: int, report: Callable) -> Iterator[Callable]:
    """Yield a function that adds what is done to a step's count and reports it."""
    done = 0

    def count(more):
        nonlocal done
        done += more
        report(step, min(done, total), total)

    report(step, 0, total)
    yield count
