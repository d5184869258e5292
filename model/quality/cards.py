"""Model cards: `python -m model.quality.cards` writes docs/models/<weights>.md and its index from weight files and
results.

One card is for a float file and its integer partner. Everything in it is read from the two files and from the committed
results, or computed from them; nothing is measured here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from model.base.errors import report_user_errors
from model.base.paths import ROOT, WEIGHTS
from model.graph.weights import BOTH, DEGRADATIONS, T91
from model.quality import pages
from model.quality import results as committed
from model.quality.card_sections import METRICS, count_of, fixed_point, quality, training
from model.quality.pages import markdown, number, title, write_changed
from model.quality.pair import Pair, digest, pairs

if TYPE_CHECKING:
    import pathlib

    from model.quality.results import Results

FOLDER = ROOT / "docs" / "models"
INDEX = FOLDER / "README.md"
NOTE = (
    "Written by `make results` (`python -m model.quality.cards`) from the weight files and [the "
    "results](../results.md); do not edit."
)
DEGRADED = {
    "standard": "MATLAB-style bicubic with antialiasing, of Y",
    "opencv": "OpenCV's bicubic without antialiasing, of the 8-bit colours",
    "photo": "as cameras and the web do: blurred, made small anyhow, sharpened, noisy, compressed",
}

LIMITS = {
    "photo": """- **Not the sharpest on what is clean.** Where a picture was made small well, is not sharpened, not noisy and not compressed, the
  standard weights give more.
- **Noise and blocks go, and fine texture with them**, which cannot be told from noise.
""",
    "": """- **One kind of smallness.** It undoes {degraded}, at x{upscale} and nothing else. A picture made small in another way (a camera's
  optics, a browser, an area average) gains less, or is spoiled. {mismatch}
- **Clean input.** Noise and JPEG blocks were never seen in training; a network that sharpens sharpens them too. Remove them before.
""",
}  # of a degradation; of any other
LIMITS_OF_ALL = """- **Y alone.** Cb and Cr are upscaled bicubically.
- **Nothing is invented.** It was trained for the {metric}, which favours the mean of all that a detail could have been: fine texture
  stays soft. Nor is anything proven: no evidence for faces, number plates, medicine or measurements.
- **Little data.** {count}{shown}. {measured}
"""
SHOWN = {
    T91: """, all small: mostly flowers, leaves and fruit, a few faces, animals, cars and buildings, hardly
  any text, no drawings""",
    BOTH: """: T91's are small, mostly flowers, leaves and fruit; BSDS399's are photographs of people, animals,
  buildings and landscapes, stored as JPEG""",
}
RIGHTS = """- **Rights.** The weights are under the project's Apache-2.0. {pictures} are customary research pictures; the project knows of no
  licence of theirs and ships none of them."""
OWN_RIGHTS = "- **Rights.** They depend on the pictures, which are not the project's."

ELSEWHERE = """- **Trained elsewhere.** With which pictures, for which kind of smallness, for what measure, and whose the weights are, the file that they
  come from doesn't say ([what import does](../your-network.md#what-is-different-here)).
- **Nothing is proven.** There is no evidence for faces, number plates, medicine or measurements."""


def mismatch(pair: Pair, results: Results) -> str:
    """Return a sentence on pictures of the other degradation."""
    found = pages.mismatch(results)
    if pair.degradation != DEGRADATIONS[0] or found is None:
        return "On the other degradation of this project it was not measured."
    return (
        f"Made small without antialiasing (the opencv protocol), it ends below bicubic, as all weights for the\n  "
        f"standard degradation do that "
        f"were measured so: by {found[0]:.1f} to {found[1]:.1f} dB in the mean of Set5 "
        f"([results](../results.md#the-original-projects-protocol))."
    )


def limits(pair: Pair, results: Results) -> str:
    """Return the section on limits."""
    sets, metric = " and ".join(results.datasets()), pair.real.meta.get("config", {}).get("metric", "mse")
    measured = f"{sets} gave the figures above and nothing else; they are small sets of photos too."
    if pair.degradation == "photo":
        measured = "Other pictures of BSDS399 gave the figures above and nothing else."
    rights = OWN_RIGHTS
    if pair.data in SHOWN:
        rights = RIGHTS.format(pictures=", ".join([*pair.data.split("+"), "Set5"]) + " and Set14")
    text = LIMITS.get(pair.degradation, LIMITS[""]) + LIMITS_OF_ALL + rights
    return text.format(
        mismatch=mismatch(pair, results),
        degraded=DEGRADED[pair.degradation],
        upscale=pair.real.upscale,
        count=count_of(pair).capitalize(),
        shown=SHOWN.get(pair.data, ""),
        measured=measured,
        metric=METRICS[metric][1],
    )


def card(pair: Pair, results: Results) -> str:
    """Return the card of a pair of weight files as markdown."""
    network, parameters = pair.real.network, sum(array.size for array in (*pair.real.weights, *pair.real.biases))
    files = [
        [
            f"`{'model/weights/' * (path.parent == WEIGHTS)}{path.name}`",
            kind,
            f"{path.stat().st_size:,}",
            f"`{digest(path)}`",
        ]
        for path, kind in ((pair.path, "float32"), (pair.fixed_path, "int8"))
        if path.is_file()
    ]
    made_for = f"{pair.degradation} degradation ({DEGRADED[pair.degradation]})"
    if pair.elsewhere:
        made_for = "for a degradation that is not known here"
    return f"""# {pair.name}

{NOTE}

{"SRCNN " if network.input == "upscaled" else ""}{title(network.name)}, x{pair.real.upscale}, {made_for}. {parameters:,} parameters,
{network.macs_per_pixel:,.0f} products per output pixel, {network.halo} pixels of context on each side.

{markdown(["file", "weights", "bytes", "sha256"], files)}

## Training

{training(pair)}

## Quality

{quality(pair, results)}

## Fixed point

{fixed_point(pair)}

## Limits

{ELSEWHERE if pair.elsewhere else limits(pair, results)}
"""


def index(found: list[Pair], results: Results) -> str:
    """Return the index of all cards."""
    rows = []
    for pair in found:
        means = [
            number(
                results.find(
                    pair.real.network.name, pair.real.upscale, pair.degradation, "Set5", "mean", method, data=pair.data
                )
            )
            for method in ("bicubic", "float", "golden")
        ]
        rows.append(
            [
                f"[{pair.name}]({pair.name}.md)",
                title(pair.real.network.name),
                f"x{pair.real.upscale}",
                pair.degradation,
                f"{pair.real.network.macs_per_pixel:,.0f}",
                *means,
                f"{pair.real.meta.get('steps', 0):,}",
            ]
        )
    table = markdown(
        [
            "weights",
            "network",
            "upscale",
            "degradation",
            "products per pixel",
            "Set5 bicubic",
            "float",
            "fixed point",
            "steps",
        ],
        rows,
    )
    return (
        f"# Model cards\n\n{NOTE}\nY-PSNR in dB, mean of Set5 on the protocol of the weights' degradation.\n\n{table}\n"
    )


def documents(results: Results) -> dict[pathlib.Path, str]:
    """Return {path: text} of the index and of every card."""
    found = pairs()
    return {INDEX: index(found, results)} | {FOLDER / f"{pair.name}.md": card(pair, results) for pair in found}


def write(results: Results) -> list[pathlib.Path]:
    """Bring the cards up to date, remove those of weights that are no more; return the files that changed."""
    wanted, changed = documents(results), []
    for path in sorted(FOLDER.glob("*.md")):
        if path not in wanted:
            path.unlink()
            changed.append(path)
    return changed + write_changed(wanted)


@click.command()
@report_user_errors
def main() -> None:
    """Write the model cards from the committed weights and results."""
    changed = write(committed.load())
    print(
        "wrote " + ", ".join(str(path.relative_to(ROOT)) for path in changed) if changed else "all cards are up to date"
    )


if __name__ == "__main__":
    main()
