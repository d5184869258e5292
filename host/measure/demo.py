"""`make demo`: a picture of scikit-image made three times smaller, and large again by the C++ kernels."""

from __future__ import annotations

import pathlib
import subprocess
import sys

import click
import numpy as np
import skimage.data

from hls.csim.build import library
from hls.design.load import load_config
from host.measure.compare import main as compare
from model.base.errors import UserError, report_user_errors
from model.base.paths import BUILD, ROOT
from model.graph.description import DEFAULT_NETWORK
from model.imaging.files import Picture, read_picture, write_picture
from model.imaging.resize import imresize, modcrop, to_uint8

UPSCALE = 3


@click.command()
@click.option(
    "--picture", type=click.Choice(["astronaut", "chelsea", "coffee"]), default="astronaut", show_default=True
)
@report_user_errors
def main(picture: str) -> None:
    """Upscale a picture with the C++ kernels, compare it with bicubic and TensorFlow, draw the comparison."""
    folder = BUILD / "demo"
    folder.mkdir(parents=True, exist_ok=True)
    truth = modcrop(getattr(skimage.data, picture)(), UPSCALE)
    files = {
        name: folder / f"{picture}{suffix}.png"
        for name, suffix in (("truth", ""), ("small", "_small"), ("large", f"_x{UPSCALE}"))
    }
    write_picture(files["truth"], Picture(truth))
    write_picture(files["small"], Picture(to_uint8(imresize(truth.astype(np.float64), 1 / UPSCALE))))
    print("compiling the C++ kernels (once)", flush=True)
    library(load_config(DEFAULT_NETWORK))
    print(f"\n{files['small'].name} -> {files['large'].name}, by the C++ kernels:", flush=True)
    command = [
        sys.executable,
        str(ROOT / "host" / "run_pynq.py"),
        str(files["small"]),
        "-o",
        str(files["large"]),
        "--upscale",
        str(UPSCALE),
        "--backend",
        "csim",
    ]
    if subprocess.run(command).returncode:
        raise UserError("the demo stopped at the step above; correct what it says and run it again")
    assert read_picture(files["large"]).pixels.shape == truth.shape
    print("\nthe same picture by every method (Y channel, against the original):", flush=True)
    compare(
        [str(files["truth"]), "--upscale", str(UPSCALE), "--protocol", "standard", "--figures"], standalone_mode=False
    )
    print(f"\nlook at {pathlib.Path('build/figures') / (files['truth'].stem + f'_x{UPSCALE}.png')}")


if __name__ == "__main__":
    main()
