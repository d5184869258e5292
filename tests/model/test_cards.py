"""Model cards: as generated from the committed weights and results, true to the files, and silent where files are."""

import dataclasses
import re

import numpy as np
import pytest

from model.base.paths import WEIGHTS
from model.graph.weights import FloatModel, QuantModel
from model.quality import card_sections, cards, results

COMMITTED = results.load()
PAIRS = {pair.name: pair for pair in cards.pairs()}


def test_cards_are_up_to_date():
    wanted = cards.documents(COMMITTED)
    assert set(wanted) == set(cards.FOLDER.glob("*.md"))
    for path, text in wanted.items():
        assert path.read_text() == text, f"{path.name} is out of date: run `python -m model.quality.cards`"


def test_every_weight_file_has_a_card():
    shown = "".join(path.read_text() for path in cards.FOLDER.glob("*.md"))
    hashes = results.weight_hashes() | results.weight_hashes(photo=True)
    assert set(hashes) == {path.name for path in WEIGHTS.glob("*.npz")}
    for name, digest in hashes.items():
        assert f"`model/weights/{name}`" in shown and digest in shown


@pytest.mark.parametrize("name", PAIRS)
def test_cards_say_what_matters(name):
    text = cards.card(PAIRS[name], COMMITTED)
    for heading in ("Training", "Quality", "Fixed point", "Limits"):
        assert f"\n## {heading}\n" in text
    assert "exactly this float file" in text
    assert "None" not in text and "nan" not in text.lower().replace("finance", "")
    assert not re.search(r"(?<![\w`.])/(work|home|tmp|root|Users)/", text), "a path of some machine"
    for link in re.findall(r"\]\(([^)#]+)", text):
        assert (cards.FOLDER / link).exists(), link


def test_a_stale_integer_file_is_called_so():
    pair = PAIRS["srcnn915_x3"]
    fixed = dataclasses.replace(pair.fixed, meta=pair.fixed.meta | {"float_sha256": "f" * 64})
    assert "from another float file (sha256 ffffffffffffffff...)" in card_sections.fixed_point(
        dataclasses.replace(pair, fixed=fixed)
    )


def test_files_that_say_nothing_of_themselves():
    pair = PAIRS["srcnn915_x2"]
    bare = dataclasses.replace(
        pair,
        real=FloatModel(pair.real.network, 2, pair.real.weights, pair.real.biases),
        fixed=QuantModel(pair.fixed.network, 2, pair.fixed.layers),
    )
    text = cards.card(bare, COMMITTED)
    assert "not recorded" in text and "the file holds no history" in text and "None" not in text
    text = cards.card(dataclasses.replace(bare, fixed=None), results.Results({}, []))
    assert "There is no integer file" in text and "Not measured." in text


def test_history_and_fine_tuning_are_told():
    pair = PAIRS["srcnn915_x3"]
    history = [{"step": 1000, "loss": 1.0, "psnr": 30.125}, {"step": 2000, "loss": 0.5, "psnr": 31.5}]
    config = pair.real.meta["config"] | {"teacher_weight": 0.5, "teacher": "/data/srcnn955_x3.npz", "nothing": ""}
    real = dataclasses.replace(pair.real, meta=pair.real.meta | {"history": history, "config": config})
    fixed = dataclasses.replace(
        pair.fixed, meta=pair.fixed.meta | {"fine_tuning": {"steps": 500, "learning_rate": 0.001}}
    )
    text = cards.card(dataclasses.replace(pair, real=real, fixed=fixed), COMMITTED)
    assert "2 validations, 30.12 dB at step 1,000 to 31.50 dB at step 2,000" in text
    assert "| also | teacher srcnn955_x3.npz, teacher weight 0.5 |" in text
    assert "Fine-tuned in integers: learning rate 0.001, steps 500." in text


@pytest.mark.parametrize(
    "recorded,shown",
    [
        (
            "python -m model.train --upscale 3 --run a/b --out /data/w.npz --lr 3e-3",
            "python -m model.train --upscale 3 --lr 3e-3",
        ),
        (
            "python -m model.train --out=/data/w.npz --restart --init /data/start.npz",
            "python -m model.train --init start.npz",
        ),
        ("python -m model.quantise -o /x.npz --seed 1", "python -m model.quantise --seed 1"),
    ],
)
def test_commands_without_places(recorded, shown):
    assert card_sections.command_of(recorded) == shown


def test_cards_of_weights_that_are_gone_go(tmp_path, monkeypatch):
    monkeypatch.setattr(cards, "FOLDER", tmp_path)
    monkeypatch.setattr(cards, "INDEX", tmp_path / "README.md")
    (tmp_path / "gone.md").write_text("# gone")
    assert tmp_path / "gone.md" in cards.write(COMMITTED)
    assert not (tmp_path / "gone.md").exists() and len(list(tmp_path.iterdir())) == len(PAIRS) + 1
    assert cards.write(COMMITTED) == []


def test_numbers_of_a_card_are_those_of_the_file():
    pair = PAIRS["srcnn915_x3"]
    layer = pair.fixed.layers[0]
    row = next(line for line in card_sections.fixed_point(pair).splitlines() if line.startswith("| conv1 "))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[2] == f"{layer.weight.min()} to {layer.weight.max()}" and cells[3] == f"{np.abs(layer.bias).max():,}"
    assert f"{8129:,} parameters" in cards.card(pair, COMMITTED)


def test_weights_from_elsewhere_claim_nothing():
    """An imported network's training, and whose its weights are, is not known: no recipe, no data, no licence."""
    pair = PAIRS["abpn8m2_x2"]
    real = dataclasses.replace(pair.real, meta={"command": "python -m hls.bring net.onnx", "file": "net.onnx"})
    text = cards.card(dataclasses.replace(pair, real=real), results.Results({}, []))
    assert "Elsewhere: `net.onnx`, read by `make import`." in text and "**Trained elsewhere.**" in text
    assert not any(claim in text for claim in ("Apache", "T91, Set5", "MATLAB", "squared error"))
