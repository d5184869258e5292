"""What each choice of the training recipe is worth: `make ablations`.

Every row is a short training that differs from a base run in one option; the base run is repeated with other seeds,
and a difference counts only if it is larger than what seeds alone do. Runs are ordinary `model.train` runs in
`build/train/ablations/`, one after another; finished ones are reused, an interrupted one goes on.
A table, `build/reports/ablations.json` and, with --update-docs, the committed copies in docs/.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import pathlib
import subprocess
import sys

import click
from tqdm import tqdm

from model.base import report
from model.base.errors import UserError, report_user_errors
from model.base.paths import BUILD, ROOT
from model.train import ablation_results

# Every option that decides a result is written down, so that later defaults of `model.train` change nothing here.
BASE = {
    "network": "srcnn915",
    "upscale": 3,
    "degradation": "standard",
    "padding": "valid",
    "patches": "random",
    "stride": 14,
    "metric": "mse",
    "expand": 0,
    "steps": 1200,
    "batch": 16,
    "size": 33,
    "lr": 3e-3,
    "lr_end": 1e-5,
    "cycles": 1,
    "ema": 0.999,
    "rescales": [1.0, 0.9, 0.8, 0.7, 0.6],
    "augment": True,
    "seed": 1,
    "validate_every": 200,
}


@dataclasses.dataclass(frozen=True)
class Run:
    """One training: what differs from `BASE`; `plain` leaves the whitening of the first layer out.

    `topic` groups runs in the table, `label` says what is different.
    """

    name: str
    topic: str
    label: str
    changes: dict = dataclasses.field(default_factory=dict)
    plain: bool = False

    @property
    def config(self) -> dict:
        """All options of the training."""
        return BASE | self.changes

    @property
    def folder(self) -> str:
        """Below `build/train`; another configuration never meets the checkpoint of this one."""
        digest = hashlib.sha256(json.dumps([self.config, self.plain], sort_keys=True).encode()).hexdigest()[:8]
        return f"ablations/{self.name}-{digest}"

    @property
    def weights(self) -> pathlib.Path:
        """Where the finished training's weights lie."""
        return BUILD / "train" / self.folder / "weights.npz"

    @property
    def finished(self) -> bool:
        """Whether the training is complete: only then its weight file appears."""
        return self.weights.is_file()

    @property
    def command(self) -> list[str]:
        """Module and options that train it."""
        words = ["model.train"] + ["--plain"] * self.plain
        for name, value in self.config.items():
            option = "--" + name.replace("_", "-")
            if isinstance(value, bool):
                words.append(option if value else f"--no-{name}")
            else:
                words += [option, ",".join(map(str, value)) if isinstance(value, list) else str(value)]
        return words + ["--run", self.folder, "--out", str(self.weights)]

    def history(self) -> list[list[float]]:
        """Return [[step, validation PSNR], ...] of a finished run."""
        stored = json.loads((self.weights.parent / "history.json").read_text())
        return [[row["step"], round(row["psnr"], 4)] for row in stored["history"]]


RUNS = (
    Run("base", "base", "seed 1"),
    Run("seed2", "base", "seed 2", {"seed": 2}),
    Run("seed3", "base", "seed 3", {"seed": 3}),
    Run("same", "convolutions", "same instead of valid", {"padding": "same"}),
    Run("ordered", "patches", "ordered (grid of 14) instead of random", {"patches": "ordered"}),
    Run("psnr", "metric", "PSNR instead of MSE", {"metric": "psnr"}),
    Run("lr3e-4", "learning rate", "0.0003 instead of 0.003", {"lr": 3e-4}),
    Run("lr1e-3", "learning rate", "0.001 instead of 0.003", {"lr": 1e-3}),
    Run("lr1e-2", "learning rate", "0.01 instead of 0.003", {"lr": 1e-2}),
    Run("plain", "first layer", "plain instead of whitened", plain=True),
    Run("no_augment", "augmentation", "no flips and turns", {"augment": False}),
)


def train(run: Run) -> int:
    """Train a run, or go on with it; return its exit code, 0 if the training is complete. Raises KeyboardInterrupt if
    it is interrupted.
    """
    code = subprocess.run([sys.executable, "-m", *run.command], cwd=ROOT).returncode
    if code == 130:
        raise KeyboardInterrupt
    return code if code or run.finished else 1


@click.command()
@click.option(
    "--only", multiple=True, type=click.Choice([run.name for run in RUNS]), help="Train only these; all by default."
)
@click.option("--report-only", is_flag=True, help="Train nothing; report what is finished.")
@click.option(
    "--update-docs",
    is_flag=True,
    help="Write docs/results/ablations.json, the table of docs/ablations.md and its figure anew.",
)
@report_user_errors
def main(only: tuple[str, ...], report_only: bool, update_docs: bool) -> None:
    """Train what is not trained yet, measure all finished runs, print the table."""
    todo = [run for run in RUNS if not report_only and not run.finished and (not only or run.name in only)]
    failed = []
    try:
        for number, run in enumerate(todo, 1):
            print(f"training {number} of {len(todo)}: {run.name} ({run.topic}: {run.label})", flush=True)
            if train(run):
                failed.append(run.name)  # the others may go well
    except KeyboardInterrupt:
        print("stopped; the same command goes on where it stopped", file=sys.stderr)
        sys.exit(130)
    done = [run for run in RUNS if run.finished]
    if not RUNS[0].finished:
        raise UserError(
            "changes are against the base, which is not trained; see above, and run `make ablations` to go on"
        )
    with tqdm(total=len(done), unit="network", desc="measuring", disable=None) as bar:
        rows = ablation_results.measure(done, lambda name: bar.update())
    stored = {
        "base": BASE,
        "missing": [f"{run.topic}: {run.label}" for run in RUNS if run not in done],
        "rows": rows,
        "curves": {run.name: run.history() for run in done},
    }
    print(ablation_results.summary(stored))
    print(f"\nwrote {report.write_report('ablations', ablation_results.compared(rows))}")
    print(f"drew {ablation_results.draw(stored, BUILD / 'figures' / ablation_results.FIGURE)}")
    if update_docs:
        print("wrote " + ", ".join(str(path.relative_to(ROOT)) for path in ablation_results.update(stored)))
    if failed:
        raise UserError(f"the training of {', '.join(failed)} failed, see above; run the same command again to go on")


if __name__ == "__main__":
    main()
