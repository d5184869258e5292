"""The backends' common interface: sizes of tiles, the choice of "auto", and that all give the golden model's bits."""

import math
import re
import sys
import types

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hls.design.load import load_config
from host.board import overlay
from host.picture import tiling
from host.picture.backends import Backend, CsimBackend, GoldenBackend, PynqBackend, open_backend
from model.base.errors import UserError
from model.integer import golden
from sim.board import handoff
from tests.boards.drivers import write_overlay
from tests.random_models import FASTEST, random_model
from tests.stand_ins.pynq.fake_pynq import FakePynq

LIMIT = st.one_of(st.just(math.inf), st.integers(1, 5000))


@given(
    height=st.integers(1, 20000),
    width=st.integers(1, 20000),
    rows=LIMIT,
    columns=LIMIT,
    usual=st.integers(1, 1 << 22),
    scale=st.integers(1, 4),
)
def test_default_tiles_fit_and_are_few(height, width, rows, columns, usual, scale):
    backend = Backend(types.SimpleNamespace(network=types.SimpleNamespace(scale=scale)))
    backend.largest_tile, backend.usual_pixels = (rows, columns), usual
    tile_rows, tile_columns = backend.tile_for(height, width)
    assert backend.tile_for(height, width, (tile_rows * scale, tile_columns * scale)) == (tile_rows, tile_columns)
    assert 1 <= tile_rows <= height and 1 <= tile_columns <= width
    assert tile_rows * tile_columns * scale**2 <= max(usual, tile_columns * scale**2)
    assert -(-width // tile_columns) == -(-width // min(columns, width))  # as few columns as can be


def test_small_pictures_are_one_tile(models):
    assert GoldenBackend(models["srcnn915"]).tile_for(720, 1280) == (720, 1280)


def test_too_large_tile():
    backend = Backend(types.SimpleNamespace(network=types.SimpleNamespace(scale=2)))
    backend.name, backend.largest_tile = "pynq", (5523, 1920)
    assert backend.tile_for(9000, 9000, (11046, 3841)) == (5523, 1920), "rounded down to whole pixels of the input"
    for rows, columns in [(11048, 2), (2, 3842)]:
        with pytest.raises(
            UserError, match=f"{columns}x{rows} is larger than pynq takes, 3840x11046; choose a smaller --tile"
        ):
            backend.tile_for(9000, 9000, (rows, columns))


def board_with_overlay(monkeypatch, tmp_path, model, **changes):
    """Make this machine look like a PYNQ-Z2 with the overlay of a model's network."""
    config = load_config(model.network, "pynq_z2")
    board = FakePynq(config, model)
    module = types.ModuleType("pynq")
    module.__spec__ = types.SimpleNamespace(name="pynq")
    module.Overlay, module.allocate = board.Overlay, board.allocate
    monkeypatch.setitem(sys.modules, "pynq", module)
    monkeypatch.setenv("BOARD", "Pynq-Z2")
    monkeypatch.setattr(overlay, "OVERLAYS", tmp_path)
    handoff.write_overlay(tmp_path / "pynq_z2" / model.network.label, config, **changes)
    return board


def test_auto_takes_the_board(monkeypatch, tmp_path, models):
    board = board_with_overlay(monkeypatch, tmp_path, models["srcnn915"])
    backend, why = open_backend("auto", models["srcnn915"])
    with backend:
        assert isinstance(backend, PynqBackend) and str(tmp_path / "pynq_z2" / "srcnn915") in why
        assert backend.largest_tile[1] == board.config.tile_width
        padded = np.random.default_rng(1).integers(0, 256, (30, 40)).astype(np.uint8)
        views = list(tiling.views(padded, tiling.cut(18, 28, 7, 11), 6))
        for view, result in zip(views, backend.infer(views), strict=True):
            np.testing.assert_array_equal(result, golden.infer_valid(models["srcnn915"], view, workers=1))
    assert board.live_buffers == 0 and board.violations == []


@pytest.mark.parametrize(
    "spoil, says",
    [
        (lambda patch, folder: patch.delenv("BOARD"), r"no PYNQ board \(\$BOARD is not set"),
        (lambda patch, folder: patch.setenv("BOARD", "Ultra96"), "no PYNQ board .*Ultra96"),
        (lambda patch, folder: patch.setitem(sys.modules, "pynq", None), "finds no pynq package"),
        (
            lambda patch, folder: (folder / "pynq_z2" / "srcnn915" / "manifest.json").unlink(),
            "there is no overlay of srcnn915 for pynq_z2",
        ),
        (
            lambda patch, folder: write_overlay(
                folder / "pynq_z2" / "srcnn915",
                network="srcnn955",
                config_id=f"{load_config('srcnn955', 'pynq_z2').config_id:#x}",
            ),
            "computes srcnn955, not srcnn915",
        ),
        (
            lambda patch, folder: write_overlay(
                folder / "pynq_z2" / "srcnn915",
                board="kv260",
                config_id=f"{load_config('srcnn915', 'kv260').config_id:#x}",
            ),
            "is for kv260, this board is a pynq_z2",
        ),
    ],
)
def test_auto_says_why_it_takes_the_golden_model(monkeypatch, tmp_path, models, spoil, says):
    board_with_overlay(monkeypatch, tmp_path, models["srcnn915"])
    spoil(monkeypatch, tmp_path)
    backend, why = open_backend("auto", models["srcnn915"])
    assert backend.name == FASTEST
    assert re.search(says, why)
    with pytest.raises(UserError, match=says):
        open_backend("pynq", models["srcnn915"])


def test_the_overlay_is_chosen_by_network_and_factor(monkeypatch, tmp_path, models):
    """Of several, each in the folder of its label; SRCNN's serves every factor."""
    x2, x3 = random_model("abpn8m2", 2), random_model("abpn8m5", 3)
    board_with_overlay(monkeypatch, tmp_path, models["srcnn915"])
    for model in (x3, x2):  # the board is the last one's
        board = board_with_overlay(monkeypatch, tmp_path, model)
    assert overlay.list_overlays("pynq_z2") == ["abpn8m2_x2", "abpn8m5_x3", "srcnn915"]
    found = {model.network.label: overlay.find_overlay(model.network).name for model in (x2, x3)}
    assert found == {label: label for label in found}
    assert {overlay.find_overlay(random_model("srcnn915", u).network).name for u in (2, 3, 4)} == {"srcnn915"}
    backend, why = open_backend("auto", x2)
    with backend:
        assert isinstance(backend, PynqBackend) and why.endswith("abpn8m2_x2")
        padded = np.random.default_rng(1).integers(0, 256, (30, 40)).astype(np.uint8)
        views = list(tiling.views(padded, tiling.cut(20, 30, 7, 11), 5))
        for view, result in zip(views, backend.infer(views), strict=True):
            assert result.shape[0] == 2 * (view.shape[0] - 10)
            np.testing.assert_array_equal(result, golden.infer_valid(x2, view, workers=1))
    assert board.violations == []
    with pytest.raises(UserError, match="runs an overlay with config id .*, its manifest says"):
        open_backend("pynq", x3)  # the hardware says that it is another


def test_an_overlay_of_another_factor_is_not_taken(monkeypatch, tmp_path):
    x2, x3 = random_model("abpn8m2", 2), random_model("abpn8m2", 3)
    board_with_overlay(monkeypatch, tmp_path, x2)
    with pytest.raises(
        UserError,
        match=r"no overlay of abpn8m2_x3 for pynq_z2 .*there are abpn8m2_x2\); build it on a PC with "
        r"`make bitstream BOARD=pynq_z2 NETWORK=abpn8m2 UPSCALE=3`",
    ):
        open_backend("pynq", x3)
    (tmp_path / "pynq_z2" / "abpn8m2_x2").rename(tmp_path / "pynq_z2" / "abpn8m2_x3")
    with pytest.raises(UserError, match="computes abpn8m2_x2, not abpn8m2_x3; build or copy that of abpn8m2_x3"):
        open_backend("pynq", x3)
    backend, why = open_backend("auto", x3)
    assert backend.name == FASTEST and "computes abpn8m2_x2" in why


def test_without_the_kernels(monkeypatch, models):
    monkeypatch.setitem(sys.modules, "hls.csim.accelerator", None)
    with pytest.raises(UserError, match="cannot be run here.*use --backend golden"):
        open_backend("csim", models["srcnn915"])


@pytest.mark.slow
@pytest.mark.parametrize(
    "network, upscale",
    [("srcnn915", 3), ("srcnn935", 3), ("srcnn955", 3), ("abpn8m2", 2)],
)
def test_csim_gives_the_same_bits(network, upscale):
    model, rng = random_model(network, upscale), np.random.default_rng(2)
    backend = CsimBackend(model)
    halo = model.network.halo
    tiles = [
        rng.integers(0, 256, (height + 2 * halo, width + 2 * halo)).astype(np.uint8)
        for height, width in [(1, 1), (9, 14), (5, 21)]
    ]
    results = [result.copy() for result in backend.infer(tiles)]
    assert len(np.unique(results[1])) > 20
    for tile, result in zip(tiles, results, strict=True):
        np.testing.assert_array_equal(result, golden.infer_valid(model, tile, workers=1))
    tall = rng.integers(0, 256, (50 + 2 * halo, 9 + 2 * halo)).astype(np.uint8)  # for three accelerators side by side
    for backend.threads in (1, 2, 3):
        (result,) = backend.infer([tall])
        np.testing.assert_array_equal(result, golden.infer_valid(model, tall, workers=1))
    assert len(backend._tops) == 3
