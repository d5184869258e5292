"""Which board this is, and the overlays that lie in `bitstreams/<board>/` for it, a folder for each: .bit, .hwh and
manifest.json.

An overlay computes one network, and its folder has that network's label: `srcnn915` serves every factor, `abpn8m2_x2`
one.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import pathlib
import re
from typing import IO, TYPE_CHECKING

from hls.design.boards import list_boards
from hls.design.load import load_config
from model.base.errors import UserError
from model.base.paths import ROOT, take_lock
from model.graph.description import load_network

if TYPE_CHECKING:
    from hls.design.config import Config
    from model.graph.network import Network

OVERLAYS = ROOT / "bitstreams"
DESK = ("blink", "register", "loop")  # designs without a network, to try a board with (hls/place/designs.py)
DEVICE_TREE = pathlib.Path("/proc/device-tree/chosen/pynq_board")  # where PYNQ's images take $BOARD from


def board_name() -> str | None:
    """Return the board this runs on, as in `hls/boards`, or None.

    PYNQ's images set $BOARD ("Pynq-Z2", "KV260"). `sudo` drops it; the device tree, where there is one, still knows.
    """
    name = re.sub(r"\W", "_", _said_board()).lower()
    return name if name in list_boards() else None


def _said_board():
    name = os.environ.get("BOARD", "")
    if not name:
        try:
            name = DEVICE_TREE.read_text(errors="replace").rstrip("\0\n")
        except OSError:
            pass
    return name


def list_overlays(board: str) -> list[str]:
    """Return the labels of a board's overlays that compute a network, sorted."""
    manifests = (OVERLAYS / board).glob("*/manifest.json")
    return sorted(path.parent.name for path in manifests if path.parent.name not in DESK)


def find_overlay(network: Network) -> pathlib.Path:
    """Return the folder of this board's overlay.

    Parameters
    ----------
    network : Network
        What it has to compute.

    Raises
    ------
    UserError
        No board, no `pynq` package, no overlay for this board, or one of another board or network.
    """
    board = board_name()
    if board is None:
        raise UserError(
            f"this machine is no PYNQ board ($BOARD is {_said_board() or 'not set'}, known are "
            f"{', '.join(list_boards())}); "
            "run on a board, as root with its environment (`sudo -i`), or use --backend golden"
        )
    if importlib.util.find_spec("pynq") is None:
        raise UserError(f"this is a {board} but Python finds no pynq package; use the Python of the PYNQ image")
    folder = OVERLAYS / board / network.label
    if not (folder / "manifest.json").is_file():
        others = ", ".join(label for label in list_overlays(board) if label != network.label)
        factor = "" if network.upscale is None else f" UPSCALE={network.upscale}"
        raise UserError(
            f"there is no overlay of {network.label} for {board} ({folder / 'manifest.json'} is missing"
            f"{f'; there are {others}' if others else ''}); build it on a PC with `make bitstream "
            f"BOARD={board} NETWORK={network.name}{factor}` and copy its folder there"
        )
    manifest = read_manifest(folder)
    if manifest["board"] != board:
        raise UserError(
            f"the overlay in {folder} is for {manifest['board']}, this board is a {board}; build or copy "
            f"the overlay for {board}"
        )
    if manifest["config"].network.label != network.label:
        raise UserError(
            f"the overlay in {folder} computes {manifest['config'].network.label}, not {network.label}; build or copy "
            f"that of {network.label}"
        )
    return folder


def lock_overlay(folder: pathlib.Path) -> IO:
    """Let nobody else use the board until the returned file is closed: two drivers would load each other's overlay
    away.

    Raises
    ------
    UserError
        If somebody else does.
    """
    file = open(folder / "manifest.json", "rb")
    if not take_lock(file):
        file.close()
        raise UserError("the board is used by another program or notebook; wait for it to end, or shut its kernel down")
    return file


def read_manifest(folder: pathlib.Path) -> dict:
    """Read and check what lies in an overlay folder.

    Returns
    -------
    dict
        "board", "config" (`Config`, of this checkout's description), "bit" (path of the bitstream), "dma" (name of the
        DMA's instance), "fclk0_mhz" (float: the rate that the host has to set; None: the handoff file says it all).

    Raises
    ------
    UserError
        Missing, unreadable or damaged files, or an overlay built from another description than this checkout's.
    """
    path, rebuild = folder / "manifest.json", _rebuild(folder)
    manifest = read_design(folder)
    try:
        found = {
            "network": manifest["network"],
            "upscale": manifest.get("upscale"),
            "board": manifest["board"],
            "config_id": int(manifest["config_id"], 16),
            "dma": manifest.get("dma", "axi_dma_0"),
            "folding": {layer: tuple(fold) for layer, fold in manifest.get("folding", {}).items()} or None,
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is no manifest of an overlay ({error!r}); {rebuild}") from error
    try:
        config = _described(found)
    except (TypeError, KeyError) as error:
        raise UserError(f"{path} names a folding that is none ({error!r}); {rebuild}") from error
    if config.config_id != found["config_id"]:
        raise UserError(
            f"the overlay in {folder} has config id {found['config_id']:#010x}, this checkout's "
            f"{config.network.label} on {found['board']} "
            f"has {config.config_id:#010x}; {rebuild}"
        )
    return {
        "board": found["board"],
        "config": config,
        "bit": manifest["bit"],
        "dma": found["dma"],
        "fclk0_mhz": manifest["fclk0_mhz"],
    }


def read_design(folder: pathlib.Path) -> dict:
    """Read a manifest of any design, whether it computes a network or not, and check its files.

    Returns
    -------
    dict
        The manifest; with "bit" (path of the bitstream) and "fclk0_mhz" (float or None) in any case.

    Raises
    ------
    UserError
        Missing, unreadable or damaged files.
    """
    path, rebuild = folder / "manifest.json", _rebuild(folder)
    if not path.is_file():
        raise UserError(f"there is no overlay in {folder} (manifest.json is missing); {rebuild}")
    try:
        manifest = json.loads(path.read_text())
        files = dict(manifest["files"])  # name: sha256
        clock = manifest.get("fclk0_mhz")
        clock = None if clock is None else float(clock)
        bits = [name for name in files if name.endswith(".bit")]
        handoffs = [name for name in files if name.endswith(".hwh")]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is no manifest of an overlay ({error!r}); {rebuild}") from error
    if len(bits) != 1 or handoffs != [bits[0][:-3] + "hwh"]:
        raise UserError(f"{path} has to name one .bit and its .hwh, it names {', '.join(files) or 'none'}; {rebuild}")
    for name, digest in files.items():
        try:
            actual = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        except OSError as error:
            raise UserError(f"{folder / name} cannot be read ({error.strerror}); {rebuild}") from error
        if actual != digest:
            raise UserError(f"{folder / name} is not the file that the manifest describes; {rebuild}")
    return {**manifest, "bit": folder / bits[0], "fclk0_mhz": clock}


def _rebuild(folder):
    return f"build or copy the overlay {folder.name} again"


def _described(found: dict) -> Config:
    """Return the configuration that a manifest names, as this checkout describes it: with the board's folding, or with
    its own, of an overlay that was built by tools that could not place the board's.
    """
    return load_config(load_network(found["network"], found["upscale"]), found["board"], folding=found["folding"])
