"""Overlays: manifests, clocks and DMAs, and the boards that PYNQ names: what fits is taken, all else is refused."""

import os
import subprocess
import sys

import pytest

from hls.design.load import load_config
from host.board import overlay
from host.board.driver import Driver
from host.board.overlay import board_name, read_manifest
from model.base.errors import UserError
from sim.board import handoff
from tests.boards.drivers import CONFIG, Pynq, check, make_tiles, write_overlay

pytestmark = pytest.mark.usefixtures("clock")


@pytest.mark.parametrize(
    "hardware, changes, says",
    [
        (
            {"c_sg_length_width": 14},
            {},
            "transfers 16383 bytes at most, too few for a tile; build the overlay with the widest length register",
        ),  # Vivado's default
        ({"c_include_sg": 1}, {}, "has no DMA axi_dma_0 for this driver .*without scatter-gather"),
        ({"c_include_mm2s": 0}, {}, "has no DMA axi_dma_0 for this driver .*has to send and to receive"),
        ({}, {"dma": "axi_dma_7"}, "has no DMA axi_dma_7 for this driver"),
    ],
)
def test_overlays_with_another_dma(open_driver, hardware, changes, says):
    with pytest.raises(UserError, match=says):
        open_driver(hardware=hardware, **changes)


def test_an_overlay_with_a_folding_of_its_own(open_driver, tmp_path, models):
    """What tools with half of the DSPs could place: the manifest names the folding, and the host computes with it."""
    folding = {"conv1": (8, 17), "conv2": (4, 13), "conv3": (5, 4)}
    other = load_config("srcnn915", "pynq_z2", folding=folding)
    assert other.config_id != CONFIG.config_id
    folder = handoff.write_overlay(tmp_path / "other", other, folding={k: list(fold) for k, fold in folding.items()})
    assert read_manifest(folder)["config"].config_id == other.config_id
    _, driver = open_driver(config=other, folding={k: list(fold) for k, fold in folding.items()})
    check(driver, models["srcnn915"], make_tiles(8))
    for wrong in ({"conv1": [8]}, {"conv1": [8, 17]}, "none", {"conv1": 3}):
        with pytest.raises(UserError):
            read_manifest(handoff.write_overlay(tmp_path / "wrong", other, folding=wrong))


def test_clock_and_memory_port_are_set(open_driver, models):
    """An overlay of the open tools needs FCLK0 and a memory port of 64 bits, also when it is loaded anew."""
    board, driver = open_driver(fclk0_mhz=62.5)
    board.fault = "stuck"
    assert board.fclk0_mhz == 62.5 and board.port == {0x00: 0, 0x14: 0}
    with pytest.raises(UserError, match="the DMA did not finish in time"):
        check(driver, models["srcnn915"], make_tiles(7))
    board.port[0x14] = 0x1
    check(driver, models["srcnn915"], make_tiles(7))
    assert board.log.count("download") == 2 and board.fclk0_mhz == 62.5 and board.port[0x14] == 0


def test_an_overlay_with_a_clock_of_its_own_leaves_the_processor_alone(open_driver):
    board, _ = open_driver()
    assert board.fclk0_mhz == 100 and board.port[0x00] == 1


@pytest.mark.parametrize(
    "fault, says",
    [
        ("other clock", "FCLK0 is 93.75 MHz, the overlay's manifest says 62.50"),
        ("narrow port", "S_AXI_HP0 stays 32 bits wide"),
    ],
)
def test_a_processor_that_does_not_obey(open_driver, fault, says):
    with pytest.raises(UserError, match=says):
        open_driver(fault, fclk0_mhz=62.5)


class NoRoot(Pynq):
    def Overlay(self, bitfile):
        raise OSError("Root permissions required.")


class NewNumpy(Pynq):
    def allocate(self, *arguments, **keywords):
        raise AttributeError("attribute 'device' of 'numpy.ndarray' objects is not writable")


@pytest.mark.parametrize(
    "kind, says",
    [
        (NoRoot, "cannot be loaded .*Root permissions.*run as root"),
        (NewNumpy, "PYNQ cannot make buffers .*not writable.*with numpy [0-9.]+; it needs numpy below 2"),
    ],
)
def test_pynq_that_fails(tmp_path, models, kind, says):
    with pytest.raises(UserError, match=says):
        Driver(write_overlay(tmp_path / "pynq_z2"), models["srcnn915"], pynq=kind(CONFIG, models["srcnn915"]))


@pytest.mark.parametrize(
    "changes, says",
    [
        ({"network": None}, "no manifest of an overlay"),
        ({"config_id": "0x00000001"}, "has config id 0x00000001, this checkout's"),
        ({"config_id": "hello"}, "no manifest"),
        ({"config_id": 5}, "no manifest"),
        ({"files": {}}, "has to name one .bit and its .hwh"),
        ({"files": {"srcnn.bit": "0" * 64, "srcnn.hwh": "0" * 64}}, "is not the file that the manifest describes"),
        ({"files": {"a.bit": "0" * 64, "a.hwh": "0" * 64}}, "cannot be read"),
        ({"network": "srcnn000"}, "no network"),
    ],
)
def test_manifests(tmp_path, changes, says):
    with pytest.raises(UserError, match=says):
        read_manifest(write_overlay(tmp_path / "pynq_z2", **changes))


@pytest.mark.parametrize(
    "text, says", [(None, "no overlay in .*pynq_z2"), ("", "no manifest"), ("[]", "no manifest"), ("{", "no manifest")]
)
def test_manifest_files(tmp_path, text, says):
    folder = write_overlay(tmp_path / "pynq_z2")
    (folder / "manifest.json").unlink() if text is None else (folder / "manifest.json").write_text(text)
    with pytest.raises(UserError, match=says):
        read_manifest(folder)


@pytest.mark.parametrize(
    "variable, name", [("Pynq-Z2", "pynq_z2"), ("KV260", "kv260"), ("Ultra96", None), ("", None), (None, None)]
)
def test_board_names_of_pynq_images(monkeypatch, variable, name):
    monkeypatch.delenv("BOARD", raising=False)
    if variable is not None:
        monkeypatch.setenv("BOARD", variable)
    assert board_name() == name


@pytest.mark.parametrize("content, name", [("Pynq-Z2\0", "pynq_z2"), ("Unknown\0", None), (None, None)])
def test_board_name_without_the_variable(monkeypatch, tmp_path, content, name):
    """`sudo` drops $BOARD."""
    monkeypatch.delenv("BOARD", raising=False)
    monkeypatch.setattr(overlay, "DEVICE_TREE", tmp_path / "pynq_board")
    if content is not None:
        (tmp_path / "pynq_board").write_text(content)
    assert board_name() == name


def test_too_old_python():
    code = "import sys; sys.version_info = (3, 8, 2); import host"
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=overlay.ROOT,
        env={**os.environ, "PYTHONPATH": str(overlay.ROOT)},
        capture_output=True,
        text=True,
    )
    assert (
        ended.returncode == 1
        and ended.stderr
        == "error: Python 3.10 or newer is needed, this is 3.8; use the Python of a PYNQ 3.0 image or newer\n"
    )
