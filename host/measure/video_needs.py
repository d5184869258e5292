"""What every codec takes of memory and disk, against `host.video.needs`: `python -m host.measure.video_needs`.

A photograph that moves (Set14's pictures side by side) is upscaled by a process of its own for each codec and size;
its peak memory and the size of its result are a table and `build/reports/video_needs.json`.
"""

from __future__ import annotations

import fractions
import os
import pathlib
import subprocess
import sys
import tempfile

import click
import numpy as np
from PIL import Image
from tqdm import tqdm

from host.video import codecs, needs
from host.video.read.library import import_av
from model.base import report
from model.base.errors import UserError, report_user_errors
from model.base.paths import ROOT, dataset_files

FRAMES, UPSCALE, NETWORK = 80, 2, "abpn8m2"
SIZES = ((320, 180), (640, 360), (1280, 720))  # of the source
CODECS = tuple((name, None) for name in codecs.CODECS) + (("h264", 0), ("hevc", 0))
_CELL = (640, 480)
_RUN = (
    "import resource, runpy, sys; sys.argv = sys.argv[1:]\n"
    "try: runpy.run_path(sys.argv[0], run_name='__main__')\n"
    "finally: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)"  # Linux counts in KiB
)


def write_clip(path: pathlib.Path, width: int, height: int) -> None:
    """Write a video of `FRAMES` frames: a window that moves over Set14's pictures."""
    cells = [np.asarray(Image.open(file).convert("RGB").resize(_CELL)) for file in dataset_files("Set14")[:12]]
    scene = np.vstack([np.hstack(cells[i : i + 4]) for i in (0, 4, 8)])
    av = import_av()
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "20"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for i in range(FRAMES):
            window = np.ascontiguousarray(scene[i : i + height, 3 * i : 3 * i + width])
            frame = av.VideoFrame.from_ndarray(window, format="rgb24")
            frame.pts, frame.time_base = i, fractions.Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def measure(clip: pathlib.Path, size: tuple[int, int], codec: str, crf: int | None) -> dict:
    """Upscale a clip in a process of its own; return a row of the report."""
    encoding = codecs.encoding(codec, crf)
    output = clip.with_name(f"result{encoding.suffix}")
    arguments = ["--network", NETWORK, "--upscale", str(UPSCALE), "--codec", codec, "-q", "-o", str(output)]
    arguments += [] if crf is None else ["--crf", str(crf)]
    command = [sys.executable, "-c", _RUN, str(ROOT / "host" / "run_pynq.py"), str(clip), *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if not output.exists():
        raise UserError(f"run_pynq.py failed with {codec}: {done.stderr.strip()}")
    width, height = (side * UPSCALE for side in size)
    memory, asked = int(done.stdout.split()[-1]), needs.memory_needed(width * height, encoding)
    return {
        "codec": codec,
        "crf": crf,
        "width": width,
        "height": height,
        "memory": memory,
        "asked": round(asked),
        "asked_by_memory": asked / memory,
        "bits_per_pixel": output.stat().st_size * 8 / (width * height * FRAMES),
        "cores": os.cpu_count(),
    }


@click.command()
@click.option("--codec", type=click.Choice(list(codecs.CODECS)), help="One of them only.")
@report_user_errors
def main(codec: str | None) -> None:
    """Measure what each codec takes of memory and disk."""
    rows, chosen = [], [item for item in CODECS if codec in (None, item[0])]
    with tempfile.TemporaryDirectory() as folder, tqdm(total=len(SIZES) * len(chosen), unit="run", leave=False) as bar:
        for size in SIZES:
            clip = pathlib.Path(folder) / f"clip{size[0]}.mp4"
            write_clip(clip, *size)
            for name, crf in chosen:
                rows.append(measure(clip, size, name, crf))
                bar.update()
    click.echo(report.table(rows))
    click.echo(f"wrote {report.write_report('video_needs', rows)}")


if __name__ == "__main__":
    main()
