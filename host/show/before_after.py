"""The before/after figure of `--compare`: bicubic and what the network made, and the original if there is one, each
with an enlarged crop.

Drawn with Pillow and OpenCV, which are on a board; figures for papers come from `host/measure/figures.py`.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from model.base.errors import UserError
from model.imaging import color
from model.imaging.files import Picture, write_picture
from model.imaging.resize import upscale_bicubic
from model.quality.metrics import psnr

if TYPE_CHECKING:
    from model.graph.network import Network

CROP_SHARE = 5  # the crop's side is the picture's shorter side over this
LEAST_CROP = 24  # pixels
PANEL = 640  # pixels; a picture and its crop fit into squares of this side
_MARGIN, _LINE, _FONT = 12, 30, 22
_FRAME = (255, 90, 54)


@dataclasses.dataclass(frozen=True)
class Panel:
    """One way a picture was made larger.

    Attributes
    ----------
    name : str
        "bicubic", what the network is called, or "original".
    picture : model.imaging.files.Picture
    y : ndarray of uint8, shape (H, W)
    psnr : float or None
        Y-PSNR in dB, where the original is known and this is another picture.
    """

    name: str
    picture: Picture
    y: np.ndarray
    psnr: float = None

    @property
    def caption(self) -> str:
        """The name, and the PSNR if there is one."""
        return self.name if self.psnr is None else f"{self.name}  {self.psnr:.2f} dB"


def compare(picture: Picture, result: Picture, truth: Picture | None = None, name: str = "SRCNN") -> tuple[Panel, ...]:
    """Return what figure, page and notebook put side by side.

    Parameters
    ----------
    picture : model.imaging.files.Picture
        The input.
    result : model.imaging.files.Picture
        Its upscaled self.
    truth : model.imaging.files.Picture, optional
        The original that the input is a smaller version of; see `fit_truth`.
    name : str
        What the result is called; see `method_name`.

    Returns
    -------
    tuple of Panel
        Bicubic, the result, and the original if there is one; all of one size.

    Raises
    ------
    UserError
        The truth has another size.
    """
    upscale = result.size[0] // picture.size[0]
    picture, result = picture.shallow(), result.shallow()
    bicubic = dataclasses.replace(result, pixels=_bicubic(picture.pixels, upscale), notes=())
    panels = [
        Panel(what, image, color.rgb_to_y(image.pixels)) for what, image in (("bicubic", bicubic), (name, result))
    ]
    if truth is None:
        return tuple(panels)
    truth = truth.shallow()
    pixels = fit_truth(truth, picture.size, upscale)
    alpha = None if truth.alpha is None else truth.alpha[: pixels.shape[0], : pixels.shape[1]]
    original = Panel("original", dataclasses.replace(truth, pixels=pixels, alpha=alpha), color.rgb_to_y(pixels))
    measured = (dataclasses.replace(panel, psnr=_psnr(original.y, panel.y, upscale)) for panel in panels)
    return (*measured, original)


def draw(
    picture: Picture,
    result: Picture,
    path: str | pathlib.Path,
    truth: Picture | None = None,
    name: str = "SRCNN",
    announce: Callable | None = None,
) -> pathlib.Path:
    """Draw the figure.

    Parameters
    ----------
    picture : model.imaging.files.Picture
        The input.
    result : model.imaging.files.Picture
        Its upscaled self.
    path : path-like
        .png, .jpg, .bmp or .tif
    truth : model.imaging.files.Picture, optional
        The original that the input is a smaller version of; see `fit_truth`. Adds a panel, and Y-PSNR to the others.
    name : str
        What the result is called; see `method_name`.
    announce : callable, optional
        As for `model.imaging.files.write_picture`.

    Returns
    -------
    pathlib.Path
        `path`.

    Raises
    ------
    UserError
        The truth has another size; the figure cannot be written.
    """
    panels = compare(picture, result, truth, name)
    left, top, side = choose_crop(panels[0].y, panels[1].y)
    columns = [_column(panel.picture.pixels, panel.caption, left, top, side) for panel in panels]
    gap = np.full((columns[0].shape[0], _MARGIN, 3), 255, np.uint8)
    figure = np.hstack([part for column in columns for part in (gap, column)] + [gap])
    write_picture(path, Picture(figure), announce)
    return pathlib.Path(path)


def method_name(network: Network) -> str:
    """Return what figures call a network's results: SRCNN, whatever its filters, or the network's own name."""
    return "SRCNN" if network.name.startswith("srcnn") else network.name


def figure_path(output: pathlib.Path) -> pathlib.Path:
    """Return where the figure of a result belongs: img_x3.png -> img_x3_compare.png."""
    return output.with_name(f"{output.stem}_compare.png")


def fit_truth(truth: Picture, size: tuple[int, int], upscale: int) -> np.ndarray:
    """Return the pixels of the original that a picture of this size was made from.

    Parameters
    ----------
    truth : model.imaging.files.Picture
    size : (int, int)
        Width and height of the small picture.
    upscale : int

    Returns
    -------
    ndarray of uint8
        Of `upscale` times that size: up to `upscale` - 1 rows and columns at the end, which shrinking rounds away,
        are cut off.

    Raises
    ------
    UserError
        Another size.
    """
    width, height = (side * upscale for side in size)
    more = truth.size[0] - width, truth.size[1] - height
    if not all(0 <= extra < upscale for extra in more):
        raise UserError(
            f"the original has {truth.size[0]}x{truth.size[1]} pixels and the result {width}x{height}; "
            "give the picture that the input was shrunk from"
        )
    return truth.shallow().pixels[:height, :width]


def choose_crop(bicubic: np.ndarray, result: np.ndarray) -> tuple[int, int, int]:
    """Return left, top and side of the square where two pictures, uint8 (H, W), differ most."""
    height, width = bicubic.shape
    side = min(height, width, max(LEAST_CROP, min(height, width) // CROP_SHARE))
    total = cv2.integral(cv2.absdiff(bicubic, result))  # int32 may wrap, the sums over a square are right all the same
    sums = total[side:, side:] - total[:-side, side:] - total[side:, :-side] + total[:-side, :-side]
    top, left = np.unravel_index(np.argmax(sums), sums.shape)
    return int(left), int(top), side


def _bicubic(pixels, upscale):
    """All planes bicubically, as the pipeline treats those that don't go through the network."""
    if pixels.ndim == 2:
        return upscale_bicubic(pixels, upscale)
    return color.ycbcr_to_rgb(upscale_bicubic(color.rgb_to_ycbcr(pixels), upscale))


def _psnr(truth, result, border):
    """Y-PSNR without a border, where there is anything inside."""
    inside = slice(border, -border) if min(truth.shape) > 2 * border else slice(None)
    return psnr(truth[inside, inside], result[inside, inside])


def _column(pixels, caption, left, top, side):
    """One method: the picture with the crop marked, the crop enlarged, the caption; uint8 (H, PANEL, 3)."""
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[:, :, None], 3, axis=2)
    height, width = pixels.shape[:2]
    scale = PANEL / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    whole = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST)
    crop = cv2.resize(
        np.ascontiguousarray(pixels[top : top + side, left : left + side]),
        (PANEL, PANEL),
        interpolation=cv2.INTER_NEAREST,
    )
    indent, below = (PANEL - size[0]) // 2, size[1] + 2 * _MARGIN
    image = Image.new("RGB", (PANEL, below + PANEL + _LINE + _MARGIN), "white")
    image.paste(Image.fromarray(whole), (indent, _MARGIN))
    image.paste(Image.fromarray(crop), (0, below))
    pen = ImageDraw.Draw(image)
    x, y, end = indent + left * scale, _MARGIN + top * scale, max(2, side * scale) - 1
    pen.rectangle((x, y, x + end, y + end), outline=_FRAME, width=2)
    pen.rectangle((0, below, PANEL - 1, below + PANEL - 1), outline=_FRAME, width=3)
    _write(pen, (PANEL // 2, image.height - _MARGIN), caption)
    return np.asarray(image)


def _write(pen, place, text):
    """Write a line of text, centred above a place."""
    try:
        pen.text(place, text, fill="black", font=ImageFont.load_default(_FONT), anchor="ms")
    except (TypeError, ValueError, ImportError):  # a Pillow before 10.1, or without FreeType, has one small font
        pen.text((place[0] - 3 * len(text), place[1] - 12), text, fill="black", font=ImageFont.load_default())
