"""A page to look at results: bicubic and the network's result under a slider, with zoom and a loupe.

One file with everything in it, pictures too (as png, no pixel changed): it is shown from a USB stick, and it may fetch
nothing, says its content security policy.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import html
import io
import json
import pathlib
import string
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from tqdm import tqdm

from host.show import before_after
from model.base.errors import UserError
from model.base.outputs import check_place
from model.base.paths import atomic_write
from model.imaging import files as picture_files

if TYPE_CHECKING:
    from host.jobs.collect import Job
    from model.graph.weights import QuantModel
    from model.imaging.files import Picture

SUFFIXES = (".html", ".htm")
STATIC = pathlib.Path(__file__).resolve().parent / "static"  # the viewer, which the server shows, too


@dataclasses.dataclass(frozen=True)
class Item:
    """One picture of a page.

    Attributes
    ----------
    name : str
        What the page calls it.
    panels : sequence of host.show.before_after.Panel
        All of one size.
    about : str
        A line below it.
    """

    name: str
    panels: Sequence[before_after.Panel]
    about: str = ""


def check_page(path: pathlib.Path, inputs: Iterable[pathlib.Path | None]) -> None:
    """Raise `UserError` unless a page can be written to `path` later, without replacing an input."""
    path = pathlib.Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(
            f"cannot write {path}: the page's extension is {path.suffix or 'missing'}; choose {' or '.join(SUFFIXES)}"
        )
    check_place(path, inputs)


def write_page(path: pathlib.Path, items: Iterable[Item], title: str) -> tuple[int, int]:
    """Write a page; it appears under its name when it is complete.

    Parameters
    ----------
    path : path-like
    items : iterable of Item
        One at a time is held in memory.
    title : str

    Returns
    -------
    (int, int)
        Pictures and bytes.

    Raises
    ------
    UserError
        It cannot be written, or there is no picture.
    """
    path, count = pathlib.Path(path), 0
    before, after = _template(title)
    try:
        with atomic_write(path) as temporary:
            with open(temporary, "w", encoding="utf-8", newline="\n") as file:
                file.write(before)
                for item in items:
                    file.write(_block(item))
                    count += 1
                file.write(after)
                size = file.tell()
            if not count:
                raise UserError(f"there is no picture for {path}; a page shows pictures, videos have no place on it")
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}; choose another output") from error
    return count, size


def page_text(items: Iterable[Item], title: str) -> str:
    """Return a page as text, for instance for a notebook."""
    before, after = _template(title)
    return before + "".join(map(_block, items)) + after


def notebook_frame(items: Iterable[Item], title: str, height: int = 900) -> str:
    """Return a page as HTML for a notebook's cell: a frame of its own, as wide as the cell, `height` pixels high."""
    return (
        f'<iframe srcdoc="{html.escape(page_text(items, title))}" sandbox="allow-scripts" '
        f'style="width: 100%; height: {height}px; border: 0"></iframe>'
    )


def encode_png(picture: Picture) -> bytes:
    """Return a picture as a png, its transparency and its colour profile with it."""
    pixels = picture.pixels if picture.alpha is None else np.dstack([picture.pixels, picture.alpha])
    encoded = io.BytesIO()
    Image.fromarray(pixels).save(encoded, format="PNG", icc_profile=picture.icc)
    return encoded.getvalue()


@dataclasses.dataclass(frozen=True)
class Look:
    """The page that a run is asked for.

    Attributes
    ----------
    page : pathlib.Path or None
        None: no page.
    truths : pathlib.Path or None
        Folder of originals.
    model : QuantModel
        What computes.
    """

    page: pathlib.Path | None
    truths: pathlib.Path | None
    model: QuantModel

    def write(self, items: Iterable[Item], say: Callable) -> None:
        """Write the page of these items and say so."""
        name = f"{before_after.method_name(self.model.network)} x{self.model.upscale}"
        count, size = write_page(self.page, items, name)
        say(f"wrote {self.page}, {count} picture{'s' * (count > 1)}, {size / 1e6:.1f} MB")

    def write_many(self, jobs: list[Job], folder: pathlib.Path, say: Callable, quiet: bool = False) -> None:
        """Write the page of finished jobs, from their files; see `items_of_files`."""
        with tqdm(jobs, unit="picture", leave=False, disable=True if quiet else None) as bar:
            method = before_after.method_name(self.model.network)
            self.write(items_of_files(bar, folder, self.truths, method, say), say)


def find_truth(folder: pathlib.Path, source: pathlib.Path) -> pathlib.Path:
    """Return the file of a folder of originals that is called like an input, whatever its extension.

    Raises
    ------
    UserError
        There is none, or more than one.
    """
    found = [path for path in sorted(folder.iterdir()) if path.stem == source.stem and path.is_file()]
    if len(found) != 1:
        many = f"{len(found)} originals" if found else "no original"
        raise UserError(f"there is {many} of {source.name} in {folder}; put one there that is called {source.stem}.*")
    return found[0]


def items_of_files(
    jobs: Iterable[Job], folder: pathlib.Path, truths: pathlib.Path | None, method: str, say: Callable = print
) -> Iterator[Item]:
    """Yield items of finished jobs, from their inputs and results as they lie on the disk.

    Parameters
    ----------
    jobs : iterable of host.jobs.collect.Job
        Pictures.
    folder : pathlib.Path
        Of the results.
    truths : pathlib.Path or None
        Folder of originals, see `find_truth`; one that is missing or of another size is left out, with a note.
    method : str
        What the results are called.
    say : callable
        Takes a line for the user.
    """
    for job in jobs:
        picture, result = picture_files.read_picture(job.source), picture_files.read_picture(job.output)
        try:
            truth = picture_files.read_picture(find_truth(truths, job.source)) if truths is not None else None
            panels = before_after.compare(picture, result, truth, method)
        except UserError as error:
            say(f"note: {job.source}: {error}")
            panels = before_after.compare(picture, result, None, method)
        name = (job.output.relative_to(folder).parent / job.source.name).as_posix()
        yield Item(name, panels, "{}x{} -> {}x{}".format(*picture.size, *result.size))


def _template(title):
    """The page up to its pictures, and what follows them."""
    style = (STATIC / "viewer.css").read_text(encoding="utf-8")
    script = "\n".join((STATIC / name).read_text(encoding="utf-8") for name in ("viewer.js", "page.js"))
    policy = (
        f"default-src 'none'; img-src data:; style-src {_hash(style)}; script-src {_hash(script)}; base-uri 'none'; "
        f"form-action 'none'"
    )
    page = string.Template((STATIC / "page.html").read_text(encoding="utf-8"))
    mark = "\0"  # no text has it
    text = page.substitute(policy=policy, title=html.escape(title), style=style, pictures=mark, script=script)
    before, _, after = text.partition(mark)
    return before, after


def _hash(text):
    """The name of a script or style in a content security policy: no other one counts."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _block(item):
    """One picture as a block of JSON that no browser takes for anything else."""
    name = item.name.encode("utf-8", "replace").decode()  # a file's name may have bytes that are no text
    width, height = item.panels[0].picture.size
    panels = [
        {
            "name": panel.name,
            "caption": panel.caption,
            "src": f"data:image/png;base64,{base64.b64encode(encode_png(panel.picture)).decode()}",
        }
        for panel in item.panels
    ]
    content = {"name": name, "about": item.about, "width": width, "height": height, "panels": panels}
    text = json.dumps(content).replace("<", "\\u003c")  # or a name could end the block
    return f'<script type="application/json" data-picture="{html.escape(name)}">{text}</script>\n'
