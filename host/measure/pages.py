"""Every generated table of README.md and docs/, nothing measured: `make pages`.

What is written comes from the descriptions (networks, boards), the committed results and the recorded figures of Yosys:
a figure that stands in two places is written in both by this. Pages written by hand keep regions for it, between
`<!-- begin NAME -->` and `<!-- end NAME -->`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from host.measure.tables import bitcheck
from host.measure.tables.campaigns import examples, fuzz, mutations, proofs, software
from host.measure.tables.hardware import edges, idle, model_table, numbers, rates, resources, whole_frames
from host.measure.tables.timing import bit_paths, bit_timing
from model.base.errors import report_user_errors
from model.base.paths import ROOT
from model.quality import cards, pages, photo_results
from model.quality import results as committed
from model.quality.pages import markdown, replace_region, title

if TYPE_CHECKING:
    import pathlib

    from model.quality.results import Results

README, PERFORMANCE, SYNTHESIS = ROOT / "README.md", ROOT / "docs" / "performance.md", ROOT / "docs" / "synthesis.md"
PHOTOGRAPHS = ROOT / "docs" / "photographs.md"
VERIFICATION = ROOT / "docs" / "verification.md"
COMPILER = ROOT / "hls" / "open" / "README.md"
OPEN_ROUTE = ROOT / "docs" / "open-route.md"
BIT_TIMING = ROOT / "docs" / "bit-timing.md"


def photographs() -> str:
    """Return what weights gain on pictures as cameras and the web hand them out."""
    lines = photo_results.lines(photo_results.load())
    if not lines:
        return "Not measured yet."
    kinds = [key for key in lines[0] if key not in ("network", "upscale", "weights") and not key.startswith("mean")]
    means = [key for key in lines[0] if key.startswith("mean of")]
    rows = [
        [
            f"{title(line['network'])} {line['upscale']}, {line['weights']}",
            *[f"{line[kind]:+.2f}" for kind in kinds],
            f"**{line['mean']:+.2f}**",
            *[f"{line[mean]:+.2f}" for mean in means],
        ]
        for line in lines
    ]
    return markdown(["network, weights", *kinds, "mean", *means], rows)


def documents(results: Results) -> dict[pathlib.Path, str]:
    """Return {path: text} of every page that has regions."""
    regions = {
        README: {"numbers": numbers(results)},
        SYNTHESIS: {"resources": resources()},
        VERIFICATION: {"mutations": mutations()},
        PHOTOGRAPHS: {"photo": photographs()},
        BIT_TIMING: {"overlays": bit_timing(), "kinds": bit_paths()},
        OPEN_ROUTE: {"fuzz": fuzz(), "proofs": proofs()},
        COMPILER: {"examples": examples()},
        bitcheck.PAGE: bitcheck.regions(),
        PERFORMANCE: {
            "rates": rates(),
            "frames": whole_frames(),
            "idle": idle(),
            "edges": edges(),
            "model": model_table(),
            "software": software(),
        },
    }
    texts = {}
    for path, bodies in regions.items():
        texts[path] = path.read_text()
        for name, body in bodies.items():
            texts[path] = replace_region(texts[path], name, body)
    return texts


def write(results: Results) -> list[pathlib.Path]:
    """Bring README's numbers, the tables in docs/ and the model cards up to date; return the files that changed."""
    return pages.write_changed(documents(results)) + pages.write(results) + cards.write(results)


@click.command()
@report_user_errors
def main() -> None:
    """Write the generated tables of README.md and docs/ from descriptions, committed results and recorded figures."""
    changed = write(committed.load())
    print(
        "wrote " + ", ".join(str(path.relative_to(ROOT)) for path in changed) if changed else "all pages are up to date"
    )


if __name__ == "__main__":
    main()
