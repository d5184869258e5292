"""Recipes: the most special table wins, options win over recipes, committed weights were made by them."""

import hashlib
import json

import numpy as np
import pytest

from model.base.errors import UserError
from model.base.paths import ROOT, WEIGHTS, dataset_files
from model.data import photo
from model.data.datasets import split
from model.graph.description import list_networks
from model.graph.network import UPSCALES
from model.graph.weights import DEGRADATIONS, weight_path
from model.quantise import search
from model.train import recipes

RECIPES = """
[train]
steps = 100
lr = 1e-3
init = ""
[train.small]
lr = 2e-3
init = "a_x{upscale}.npz"
[train.small.opencv]
steps = 7
[train.small.x4]
steps = 8
lr = 3e-3
[finetune]
steps = 5
"""


@pytest.fixture
def made_up(tmp_path, monkeypatch):
    (tmp_path / "recipes.toml").write_text(RECIPES)
    monkeypatch.setattr(recipes, "RECIPES", tmp_path / "recipes.toml")
    return tmp_path


def test_the_most_special_table_wins(made_up):
    assert recipes.load_recipe("train", "other", 3) == {"steps": 100, "lr": 1e-3, "init": ""}
    assert recipes.load_recipe("train", "small", 4) == {"steps": 8, "lr": 3e-3, "init": "a_x4.npz"}
    assert recipes.load_recipe("train", "folder/small.toml", 2, "opencv") == {
        "steps": 7,
        "lr": 2e-3,
        "init": "a_x2.npz",
    }
    assert recipes.load_recipe("train", "small", 4, "opencv") == {"steps": 7, "lr": 3e-3, "init": "a_x4.npz"}
    assert recipes.load_recipe("finetune", "small", 2) == {"steps": 5}


def test_the_table_of_the_family_is_below_a_members_own(made_up):
    family = "[train.abpn]\nsteps = 6\nlr = 5e-3\n[train.abpn.x4]\nsteps = 4\n[train.abpn8m2]\nsteps = 3\n"
    (made_up / "recipes.toml").write_text(RECIPES + family)
    assert recipes.load_recipe("train", "abpn12m3", 2) == {"steps": 6, "lr": 5e-3, "init": ""}
    assert recipes.load_recipe("train", "abpn12m3", 4)["steps"] == 4
    assert recipes.load_recipe("train", "folder/abpn8m2.toml", 4) == {"steps": 3, "lr": 5e-3, "init": ""}
    assert recipes.load_recipe("train", "abpn8", 4)["steps"] == 100


def test_options_win(made_up):
    config = recipes.complete(
        "train",
        {"network": "small", "upscale": "2", "degradation": "standard", "steps": 9, "lr": None, "init": "", "seed": 4},
    )
    assert config == {
        "network": "small",
        "upscale": 2,
        "degradation": "standard",
        "steps": 9,
        "lr": 2e-3,
        "init": "",
        "seed": 4,
    }


@pytest.mark.parametrize(
    "text, words",
    [
        ("[train\n", "not valid TOML"),
        ("[train]\nsteps = 1\n[train.small]\nstpes = 5\n", "'stpes', which no recipe knows; choose from"),
        ("[train]\nsteps = 1\n[train.small.x5]\nsteps = 5\n", "'x5', which"),
        ("[train]\nsteps = 1\n[train.small.x3]\nlr = 5\n", "'lr', which"),
    ],
)
def test_a_broken_file_is_one_sentence(made_up, text, words):
    (made_up / "recipes.toml").write_text(text)
    with pytest.raises(UserError, match=words):
        recipes.load_recipe("train", "small", 3)


@pytest.mark.parametrize("kind", ["train", "finetune"])
def test_every_network_has_a_complete_recipe(kind):
    for network in list_networks():
        for upscale in UPSCALES:
            for degradation in DEGRADATIONS:
                recipe = recipes.load_recipe(kind, network, upscale, degradation)
                assert {"steps", "cycles", "batch", "size", "lr", "lr_end", "ema", "validate_every"} <= recipe.keys()


def committed():
    """(path, kind, provenance of the training) of every committed weight file."""
    for path in sorted(WEIGHTS.glob("*.npz")):
        with np.load(path) as archive:
            meta = json.loads(str(archive["header"]))["meta"]
        if "fine_tuning" in meta:
            yield pytest.param("finetune", meta["fine_tuning"], path.name, id=path.stem)
        elif not path.stem.endswith("_int8"):  # quantised alone: tests/model/test_quantise.py
            yield pytest.param("train", meta, path.name, id=path.stem)


def test_more_pictures_have_a_recipe_of_their_own():
    """It wins over the network's own, starts from the weights that T91 gave, and is none of a training on T91."""
    more, alone, named = (recipes.load_recipe("train", "abpn8m3", 2, data=data) for data in ("T91+BSDS399", "", "T91"))
    assert more["init"] == "model/weights/abpn8m3_x2.npz" and alone["init"] == "" and named == alone
    assert more["steps"] < alone["steps"] and more["batch"] > alone["batch"]


@pytest.mark.parametrize("kind, meta, name", list(committed()))
def test_committed_weights_were_made_by_their_recipe(kind, meta, name):
    """`make train` and `make finetune` do what made them, on the training pictures alone."""
    config = meta["config"]
    recipe = recipes.load_recipe(kind, config["network"], config["upscale"], config["degradation"], config["data"])
    usual = {
        "padding": "valid",
        "patches": "random",
        "augment": True,
    } | ({} if kind == "train" else {"rescales": [1.0]})
    before = {"cycles": 1, "expand": 0, "metric": "mse"}  # there were none of these options
    assert {key: config.get(key, before.get(key)) for key in recipe | usual} == recipe | usual
    assert meta["data"] == (config["data"] or "T91") and meta["steps"] == config["steps"]
    named = config["network"], config["upscale"], config["degradation"]
    assert weight_path(*named, quantised=kind == "finetune", data=config["data"]).name == name, "the name says the data"
    if config.get("init"):
        assert config["init_sha256"] == hashlib.sha256((ROOT / config["init"]).read_bytes()).hexdigest(), (
            "train again: it started from other weights"
        )


@pytest.mark.data
def test_training_and_calibration_never_see_a_test_picture(monkeypatch):
    """Neither by name nor by content; what chooses the weights is not trained on."""
    monkeypatch.setattr(search, "degrade", lambda picture, *_: (picture, picture))
    train, validation = split(dataset_files("T91"))
    calibration = search.calibration_pictures(3)[1]
    digests = {
        path: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in [*train, *validation, *dataset_files("Set5"), *dataset_files("Set14")]
    }
    assert len(set(digests.values())) == len(digests)
    assert calibration == train and not set(train) & set(validation)
    recorded = [
        (meta["config"]["degradation"], meta["config"]["data"], set(meta["validation_pictures"]))
        for _, meta, _ in (param.values for param in committed())
    ]
    names = {path.name for path in validation}  # other pictures beside T91 have their own held out too
    chosen = {path.name for path in photo.for_validation(validation)}  # the others measure
    assert recorded
    for degradation, data, found in recorded:
        expected = chosen if degradation == "photo" else names
        assert found & names == expected and (found == expected) == (not data)
