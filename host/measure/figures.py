"""The comparison figure: ground truth, bicubic, a network in float and in fixed point, each with an enlarged crop."""

from __future__ import annotations

import hashlib
import pathlib
import re

import click
import cv2
import numpy as np

from host.measure.methods import Methods
from host.show.before_after import method_name
from model.base.errors import UserError, report_user_errors
from model.base.paths import BUILD, atomic_write
from model.graph.description import DEFAULT_NETWORK, list_networks, load_network
from model.graph.network import UPSCALES
from model.graph.weights import weight_path
from model.imaging.color import rgb_to_ycbcr, ycbcr_to_rgb
from model.imaging.resize import imresize, modcrop, to_uint8
from model.quality import charts
from model.quality.pages import COMPARED
from model.quality.protocols import Case, finish, luma, measure, prepare

TITLES = {  # {} is the network
    "truth": "ground truth",
    "bilinear": "bilinear",
    "bicubic": "bicubic",
    "float": "{}, TensorFlow float",
    "golden": "{}, 8-bit fixed point",
    "csim": "{}, C++ kernels",
}
SHOWN = ("bicubic", "float", "golden")
CROP_SHARE = 5  # the crop's side is the picture's shorter side over this
LEAST_CROP = 24  # pixels
JPEG_DPI, JPEG_QUALITY = 110, 85  # for documents: small files
_FRAME = "#ff5a36"
_PANEL = 3.1  # inches


def draw(
    picture: np.ndarray,
    case: Case,
    results: dict[str, np.ndarray],
    path: str | pathlib.Path,
    crop: tuple[int, int, int, int] | None = None,
    title: str | None = None,
    comment: str | None = None,
    network: str = "SRCNN",
) -> tuple[int, int, int, int]:
    """Draw the figure.

    Parameters
    ----------
    picture : ndarray of uint8, shape (H, W, 3) RGB or (H, W) grey
        The true picture.
    case : model.quality.protocols.Case
        Its degraded version.
    results : dict of str to ndarray
        Per method its Y; drawn in this order after the ground truth.
    path : path-like
        .png, .pdf, .svg or .jpg
    crop : (int, int, int, int), optional
        left, top, width, height; chosen by `choose_crop` if None.
    title : str, optional
    comment : str, optional
        Written into a .jpg, where nobody sees it.
    network : str
        What learned methods are called by; see `host.show.before_after.method_name`.

    Returns
    -------
    (int, int, int, int)
        The crop shown.

    Raises
    ------
    UserError
        If the crop lies outside the picture.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.patches import Rectangle

    height, width = case.truth.shape
    results = {name: luma(case, y) for name, y in results.items()}
    crop = crop or choose_crop(case, results)
    left, top, crop_width, crop_height = crop
    if (
        min(left, top) < 0
        or min(crop_width, crop_height) < 1
        or left + crop_width > width
        or top + crop_height > height
    ):
        raise UserError(
            f"the crop {left},{top},{crop_width},{crop_height} is not inside the picture of {width}x{height}; "
            "give left,top,width,height"
        )
    chroma = _chroma(picture, case.upscale)
    panels = [("truth", _colour(case.truth, _chroma(picture, case.upscale, degrade=False)))]
    panels += [
        (name, _colour(finish(case, y) if case.protocol == "standard" else np.clip(y, 0, 255).astype(np.uint8), chroma))
        for name, y in results.items()
    ]
    ratio, crop_ratio = height / width, crop_height / crop_width
    heading = 0.45 if title else 0.05
    size = (_PANEL * len(panels), _PANEL * (ratio + crop_ratio) + 0.75 + heading)
    figure = pyplot.figure(figsize=size, facecolor="white")
    grid = figure.add_gridspec(
        2,
        len(panels),
        height_ratios=(ratio, crop_ratio),
        left=0.006,
        right=0.994,
        wspace=0.025,
        top=1 - heading / size[1],
        bottom=0.68 / size[1],
        hspace=0.03,
    )
    reference = measure(case, case.bicubic)["psnr"]
    for column, (name, pixels) in enumerate(panels):
        whole, part = figure.add_subplot(grid[0, column]), figure.add_subplot(grid[1, column])
        whole.imshow(pixels, interpolation="antialiased")
        whole.add_patch(
            Rectangle((left - 0.5, top - 0.5), crop_width, crop_height, fill=False, edgecolor=_FRAME, linewidth=1.6)
        )
        part.imshow(pixels[top : top + crop_height, left : left + crop_width], interpolation="nearest")
        for axes in (whole, part):
            axes.set_xticks([])
            axes.set_yticks([])
            for spine in axes.spines.values():
                spine.set(visible=axes is part, edgecolor=_FRAME, linewidth=1.6)
        caption, colour = "PSNR   SSIM", "0.45"
        if name != "truth":
            row = measure(case, results[name])
            change = "" if name == "bicubic" else f" ({row['psnr'] - reference:+.2f})"
            caption, colour = f"{row['psnr']:.2f} dB{change}   {row['ssim']:.4f}", "0.15"
        styles = {"fontsize": 12.5, "fontweight": "bold"}, {"fontsize": 11.5, "color": colour}
        for text, below, style in zip((TITLES[name].format(network), caption), (9, 29), styles):
            part.annotate(
                text,
                (0.5, 0),
                (0, -below),
                xycoords="axes fraction",
                textcoords="offset points",
                ha="center",
                va="top",
                **style,
            )
    if title:
        figure.suptitle(title, x=0.006, ha="left", y=1 - 0.12 / size[1], va="top", fontsize=13, color="0.25")
    path = pathlib.Path(path)
    jpeg = {
        "dpi": JPEG_DPI,
        "pil_kwargs": {"quality": JPEG_QUALITY, "optimize": True} | ({"comment": comment} if comment else {}),
    }
    with atomic_write(path) as temporary:
        try:
            figure.savefig(temporary, **(jpeg if path.suffix == ".jpg" else {"dpi": 150}))
        except ValueError as error:
            raise UserError(
                f"cannot draw {path}: {path.suffix or 'no ending'} is no format of figures; choose .png, .pdf or .svg"
            ) from error
        finally:
            pyplot.close(figure)
    return crop


def choose_crop(case: Case, results: dict[str, np.ndarray]) -> tuple[int, int, int, int]:
    """Return the square (left, top, width, height) where the other results differ most from bicubic."""
    others = [y for name, y in results.items() if name not in ("bilinear", "bicubic")] or list(results.values())
    height, width = case.truth.shape
    side = min(height, width, max(LEAST_CROP, min(height, width) // CROP_SHARE))
    difference = sum((y.astype(np.float64) - case.bicubic) ** 2 for y in others)
    # sums over all squares, by their top left corner
    total = cv2.integral(difference)
    sums = total[side:, side:] - total[:-side, side:] - total[side:, :-side] + total[:-side, :-side]
    border = min(case.shave, (min(height, width) - side) // 2)  # what isn't compared isn't shown
    inside = sums[border : sums.shape[0] - border, border : sums.shape[1] - border]
    top, left = np.unravel_index(np.argmax(inside), inside.shape)
    return int(left) + border, int(top) + border, side, side


def _chroma(picture, upscale, degrade=True):
    """Cb and Cr of the picture, as they are or degraded as Y was; None for grey pictures."""
    picture = modcrop(picture, upscale)
    if picture.ndim == 2:
        return None
    chroma = rgb_to_ycbcr(np.ascontiguousarray(picture))[:, :, 1:]
    return to_uint8(imresize(imresize(chroma, 1 / upscale), upscale)) if degrade else chroma


def _colour(y, chroma):
    """(H, W) and its Cb, Cr or None -> RGB."""
    return np.repeat(y[:, :, None], 3, axis=2) if chroma is None else ycbcr_to_rgb(np.dstack([y, chroma]))


def parse_crop(text: str) -> tuple[int, int, int, int]:
    """Read "left,top,width,height"."""
    if text is None:
        return None
    if not re.fullmatch(r"\d+,\d+,\d+,\d+", text):
        raise UserError(f"{text!r} is no crop; give four whole numbers: left,top,width,height")
    return tuple(int(number) for number in text.split(","))


def comparison_weights(upscale: int, network: str = DEFAULT_NETWORK) -> str:
    """Return the digest of the two weight files that a comparison picture of the documents was made with."""
    return charts.digest(
        [hashlib.sha256(weight_path(network, upscale, quantised=q).read_bytes()).hexdigest() for q in (False, True)]
    )


def draw_comparisons(folder: pathlib.Path) -> list[pathlib.Path]:
    """Draw the documents' comparison pictures as JPEG; return the files."""
    import skimage.data

    files = []
    for name, upscale in COMPARED:
        picture = getattr(skimage.data, name)()
        case = prepare(picture, upscale)
        files.append(folder / f"{name}_x{upscale}.jpg")
        draw(
            picture,
            case,
            Methods(DEFAULT_NETWORK, upscale, SHOWN).run_all(case),
            files[-1],
            title=f"{name}, x{upscale}",
            comment=comparison_weights(upscale),
        )
    return files


@click.command()
@click.argument("picture", type=click.Path(path_type=pathlib.Path))
@click.option("--upscale", type=click.Choice([str(u) for u in UPSCALES]), default="3", show_default=True)
@click.option("--network", type=click.Choice(list_networks()), default=DEFAULT_NETWORK, show_default=True)
@click.option("--crop", help="left,top,width,height in pixels; where the methods differ most by default.")
@click.option("-o", "--output", type=click.Path(path_type=pathlib.Path), help="[default: build/figures/PICTURE_xN.png]")
@report_user_errors
def main(picture: pathlib.Path, upscale: str, network: str, crop: str | None, output: pathlib.Path | None) -> None:
    """Draw ground truth, bicubic, the network in float and fixed point of PICTURE, degraded on the standard
    protocol.
    """
    from model.imaging.files import read_picture

    upscale, crop = int(upscale), parse_crop(crop)
    pixels = read_picture(picture).shallow().pixels
    case = prepare(pixels, upscale)
    results = Methods(network, upscale, SHOWN).run_all(case)
    output = output or BUILD / "figures" / f"{picture.stem}_x{upscale}.png"
    name = method_name(load_network(network, upscale))
    shown = draw(pixels, case, results, output, crop, f"{picture.stem}, x{upscale}", network=name)
    print(f"wrote {output} (crop {','.join(map(str, shown))})")


if __name__ == "__main__":
    main()
