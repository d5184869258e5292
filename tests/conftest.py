"""Fixtures that several tests share: integer models with random weights, and the files they lie in."""

import pytest

from model.graph.weights import save_quant
from tests.random_models import random_model


@pytest.fixture(scope="session")
def models():
    """Random models by network name, all for x3."""
    return {name: random_model(name) for name in ("srcnn915", "srcnn935", "srcnn955")}


@pytest.fixture(scope="session")
def weight_files(tmp_path_factory):
    """Random weight files by (network, upscale)."""
    folder, files = tmp_path_factory.mktemp("weights"), {}
    for network, upscale in (
        ("srcnn915", 2),
        ("srcnn915", 3),
        ("srcnn915", 4),
        ("srcnn935", 3),
        ("srcnn955", 3),
        ("abpn8m2", 2),
    ):
        files[network, upscale] = folder / f"{network}_x{upscale}_int8.npz"
        save_quant(random_model(network, upscale), files[network, upscale])
    return files
