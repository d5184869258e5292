"""Draws docs/images/serve.png: the server's page in a real browser, with a picture that it has upscaled."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click
import numpy as np

from host.show.explain import sample_photo
from model.base.errors import UserError, report_user_errors
from model.base.paths import ROOT, atomic_write
from model.imaging.files import Picture, write_picture
from model.imaging.resize import imresize, modcrop, to_uint8

if TYPE_CHECKING:
    from playwright.sync_api import Browser

BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
SIZE = {"width": 1000, "height": 860}
UPSCALE = 3
_SECONDS = 120  # for the computation


def find_browser() -> str | None:
    """Return the path of a Chromium, or None."""
    return next((path for path in map(shutil.which, BROWSERS) if path), None)


@contextlib.contextmanager
def open_browser(path: str) -> Iterator[Browser]:
    """Start a Chromium without a screen; use as a context manager.

    Parameters
    ----------
    path : str
        What `find_browser` returned.

    Raises
    ------
    ImportError
        Without playwright.
    """
    from playwright.sync_api import sync_playwright

    # on a busy machine Playwright's node was seen at 95 % of a core for minutes before its first page, in the kernel
    os.environ.setdefault("UV_USE_IO_URING", "0")
    with sync_playwright() as driver:
        # Chromium's sandbox does not take root, and what is opened is our own
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"] if os.geteuid() == 0 else [])
        yield browser
        browser.close()


@click.command()
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=pathlib.Path),
    default=ROOT / "docs" / "images" / "serve.png",
    show_default=True,
)
@report_user_errors
def main(output: pathlib.Path) -> None:
    """Take a picture of the server's page."""
    path = find_browser()
    if path is None:
        raise UserError("a picture of a page needs a browser; install it: apt-get install chromium-headless-shell")
    if importlib.util.find_spec("playwright") is None:
        raise UserError("a picture of a page needs playwright; run `make setup`")
    with tempfile.TemporaryDirectory() as folder, open_browser(path) as browser:
        small = to_uint8(imresize(modcrop(sample_photo()[0], UPSCALE).astype(np.float64), 1 / UPSCALE))
        photo = pathlib.Path(folder) / "astronaut.png"
        write_picture(photo, Picture(small))
        command = [sys.executable, "-u", ROOT / "host" / "serve.py", "--folder", f"{folder}/files", "--port", "0"]
        with subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True) as server:
            try:
                address = server.stdout.readline().split()[1]
                page = browser.new_page(viewport=SIZE)
                page.goto(address)
                page.wait_for_function("() => document.getElementById('weights').options.length > 0")
                page.locator("#files").set_input_files(photo)
                page.get_by_role("button", name="Compare").click(timeout=_SECONDS * 1000)
                page.locator(".stage").evaluate("stage => { stage.style.height = '420px'; }")
                page.keyboard.press("l")
                page.wait_for_function("() => !document.querySelector('.loupe').textContent.includes('…')")
                page.evaluate("scrollTo(0, 0)")
                with atomic_write(output) as temporary:
                    temporary.write_bytes(page.screenshot(full_page=True))
            finally:
                server.terminate()
    print(f"wrote {output}")


if __name__ == "__main__":
    main()
