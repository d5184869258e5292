"""Which board this is, and the overlay that lies in `bitstreams/<board>/` for it: .bit, .hwh and manifest.json."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import pathlib
import re
from typing import IO

from hls.design.boards import list_boards
from hls.design.load import load_config
from model.base.errors import UserError
from model.base.paths import ROOT, take_lock

OVERLAYS = ROOT / "bitstreams"
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


def find_overlay(network: str) -> pathlib.Path:
    """Return the folder of this board's overlay.

    Parameters
    ----------
    network : str
        The network it has to compute.

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
    manifest = read_manifest(OVERLAYS / board)
    if manifest["board"] != board:
        raise UserError(
            f"the overlay in {OVERLAYS / board} is for {manifest['board']}, this board is a {board}; build or copy "
            f"the overlay for {board}"
        )
    if manifest["network"] != network:
        raise UserError(
            f"the overlay in {OVERLAYS / board} computes {manifest['network']}, not {network}; choose --network "
            f"{manifest['network']}"
        )
    return OVERLAYS / board


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
        "network", "board", "config_id" (int), "bit" (path of the bitstream), "dma" (name of the DMA's instance).

    Raises
    ------
    UserError
        Missing, unreadable or damaged files, or an overlay built from another description than this checkout's.
    """
    path = folder / "manifest.json"
    rebuild = f"build or copy the overlay for {folder.name} again"
    if not path.is_file():
        raise UserError(
            f"there is no overlay for {folder.name} ({path} is missing); build it on a PC with `make bitstream "
            f"BOARD={folder.name}` "
            "and copy its folder there"
        )
    try:
        manifest = json.loads(path.read_text())
        found = {
            "network": manifest["network"],
            "board": manifest["board"],
            "config_id": int(manifest["config_id"], 16),
            "dma": manifest.get("dma", "axi_dma_0"),
        }
        files = dict(manifest["files"])  # name: sha256
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
    expected = load_config(found["network"], found["board"]).config_id
    if expected != found["config_id"]:
        raise UserError(
            f"the overlay in {folder} has config id {found['config_id']:#010x}, this checkout's {found['network']} on "
            f"{found['board']} "
            f"has {expected:#010x}; {rebuild}"
        )
    return {**found, "bit": folder / bits[0]}
