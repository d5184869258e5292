"""Recipes: how a network is trained unless options say otherwise, read from `model/train/recipes.toml`."""

from __future__ import annotations

import functools
import pathlib
from collections.abc import Callable

import click

from model.base.errors import UserError
from model.base.paths import ROOT
from model.base.toml import load_toml
from model.graph.description import DEFAULT_NETWORK
from model.graph.family import family_member
from model.graph.network import UPSCALES
from model.graph.weights import DEGRADATIONS, T91, TRAINED_ON, USUAL_DATA, data_suffix

FAMILY = "abpn"  # the table of all members of the family for video (model.graph.family)
RECIPES = ROOT / "model" / "train" / "recipes.toml"


def load_recipe(kind: str, network: str, upscale: int, degradation: str = "standard", data: str = "") -> dict:
    """Return the options of a training.

    Parameters
    ----------
    kind : str
        "train" or "finetune".
    network : str
        Name of a description, or a path to one.
    upscale : int
    degradation : str
    data : str
        As `make train` has it.

    Returns
    -------
    dict
        Every key of the table [kind], each from the most special table that has it.
    """
    tables, stem = [_checked(load_toml(RECIPES, "the committed one"))[kind]], pathlib.Path(network).stem
    data = "" if data == USUAL_DATA[degradation] else data
    of_pictures, degraded = [], []  # more special than all others: a training on other pictures is another one
    for name in ([FAMILY] if family_member(stem) else []) + [stem]:
        special = tables[0].get(name, {})
        tables += [special, special.get(f"x{upscale}", {})]
        degraded += [special.get(degradation, {})]
        of_pictures += [special.get(data_suffix(data), {})] if data else []
    tables += degraded + of_pictures
    known = [key for key, value in tables[0].items() if not isinstance(value, dict)]
    recipe = {key: next(table[key] for table in reversed(tables) if key in table) for key in known}
    names = {"network": stem, "upscale": upscale}
    return {key: value.format(**names) if isinstance(value, str) else value for key, value in recipe.items()}


def _checked(recipes):
    """Return the recipes. Raises UserError for a key or a table that nothing would read."""
    for kind, table in recipes.items():
        keys = {key for key, value in table.items() if not isinstance(value, dict)}
        for network, special in ((name, value) for name, value in table.items() if isinstance(value, dict)):
            for name, value in [(network, special), *special.items()]:
                inner = value if isinstance(value, dict) else {name: value}
                special_names = {*(f"x{upscale}" for upscale in UPSCALES), *DEGRADATIONS, *map(data_suffix, TRAINED_ON)}
                known = keys | special_names if inner is special else keys
                for key in inner.keys() - known:
                    raise UserError(
                        f"{RECIPES}: [{kind}.{network}] has {key!r}, which no recipe knows; choose from "
                        f"{', '.join(sorted(known))}"
                    )
    return recipes


def options(command: Callable) -> Callable:
    """Add the options that every training has to a click command; those left out are None and come from the recipe."""
    recipe = {"default": None, "show_default": "the recipe's"}
    shared = [
        click.option("--network", default=DEFAULT_NETWORK, show_default=True, help="Description in model/networks."),
        click.option("--upscale", type=click.Choice([str(u) for u in UPSCALES]), default="3", show_default=True),
        click.option(
            "--degradation",
            type=click.Choice(DEGRADATIONS),
            default="standard",
            show_default=True,
            help="How training pictures are made small.",
        ),
        click.option("--steps", type=click.IntRange(1), **recipe, help="Length of the training."),
        click.option(
            "--cycles",
            type=click.IntRange(1),
            **recipe,
            help="Cosines of the rate that share the steps, each from half the rate.",
        ),
        click.option("--batch", type=click.IntRange(1), **recipe),
        click.option("--size", type=click.IntRange(1), **recipe, help="Side of an input patch, pixels."),
        click.option("--lr", type=click.FloatRange(0, min_open=True), **recipe, help="Adam's rate after the warm-up."),
        click.option("--lr-end", type=click.FloatRange(0), **recipe, help="Rate at the end of the cosine."),
        click.option(
            "--ema",
            type=click.FloatRange(0, 1, max_open=True),
            **recipe,
            help="Momentum of the weights' moving average.",
        ),
        click.option(
            "--validate-every",
            type=click.IntRange(1),
            **recipe,
            help="Steps between validations, each with a checkpoint.",
        ),
        click.option("--seed", type=click.IntRange(0, 2**32 - 1), **recipe),
        click.option(
            "--data",
            default="",
            help="Training pictures: folders or data sets, joined by +: T91+BSDS399  [default: T91].",
        ),
        click.option(
            "--run",
            "run_name",
            default="",
            help="Folder under build/train  [default: after network, upscale, degradation, data].",
        ),
        click.option("--restart", is_flag=True, help="Forget the run's checkpoint."),
        click.option("--out", type=click.Path(), default="", help="Weight file  [default: model/weights/...]."),
    ]
    return functools.reduce(lambda wrapped, option: option(wrapped), reversed(shared), command)


def complete(kind: str, config: dict) -> dict:
    """Return the options with those left out (None) taken from the recipe, and the factor as a number."""
    config = config | {"upscale": int(config["upscale"])}
    recipe = load_recipe(kind, config["network"], config["upscale"], config["degradation"], config.get("data", ""))
    if "data" in config and not config["data"] and USUAL_DATA[config["degradation"]] != T91:
        config["data"] = USUAL_DATA[config["degradation"]]
    return config | {key: value for key, value in recipe.items() if config.get(key) is None}
