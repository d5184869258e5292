"""A .bit file against the golden model: decoded, checked, simulated in the place of the design it was built from."""

from __future__ import annotations

import dataclasses
import pathlib
import random
import sys
import tempfile
import time
from collections import Counter
from typing import TYPE_CHECKING

from tqdm import tqdm

from hls.design.boards import read_board
from hls.place.tools import find_database
from hls.readback import faults, rules
from hls.readback.bitfile import Frames, frame_addresses, read_frames
from hls.readback.database import Database
from hls.readback.decode import decode
from hls.readback.verilog import write
from host.board import packed
from host.board.overlay import read_design
from model.base.errors import UserError
from model.graph.weights import weight_path
from sim.bitcheck.simulate import simulate, simulate_picture

if TYPE_CHECKING:
    from hls.readback.netlist import Netlist


@dataclasses.dataclass(frozen=True)
class Overlay:
    """A packed overlay, as far as it is needed here.

    Attributes
    ----------
    design, board, part : str
    network : str or None
    upscale : int or None
    config_id : str or None
    bit : bytes
    """

    design: str
    board: str
    part: str
    network: str | None
    upscale: int | None
    config_id: str | None
    bit: bytes


def read_overlay(board: str, label: str) -> Overlay:
    """Return a packed overlay.

    Raises
    ------
    UserError
        If there is none.
    """
    path = packed.archive(board, label)
    if not path.is_file():
        raise UserError(f"there is no packed overlay {path}; build {label} with TOOLS=open and pack it")
    with tempfile.TemporaryDirectory() as work:
        folder = packed.unpack(path, pathlib.Path(work) / label)
        manifest = read_design(folder)
        (bit,) = folder.glob("*.bit")
        names = ("design", "board", "part", "network", "upscale", "config_id")
        about = {name: manifest.get(name) for name in names}
        return Overlay(**about | {"part": about["part"] or read_board(board)["part"]}, bit=bit.read_bytes())


def open_database(part: str) -> Database:
    """Return Project X-Ray's database of a part."""
    return Database(find_database(part), part)


@dataclasses.dataclass(frozen=True)
class Decoded:
    """A bitstream, its frames and its netlist."""

    frames: Frames
    netlist: Netlist
    seconds: float


def read_bit(bit: bytes, database: Database, name: str) -> Decoded:
    """Decode a bitstream and hold it to the rules.

    Raises
    ------
    UserError
        With the first faults.
    """
    started = time.monotonic()
    frames = read_frames(bit, frame_addresses(database.part_file), name)
    netlist = decode(frames, database, progress=sys.stderr.isatty())
    rules.check(netlist, frames.ecc_wrong)
    return Decoded(frames, netlist, time.monotonic() - started)


def environment(overlay: Overlay) -> dict[str, str]:
    """Return what the benches want to know of the design.

    Raises
    ------
    UserError
        If the overlay is of another configuration than this checkout has.
    """
    if overlay.network is None:
        return {}
    from hls.design.load import load_config

    upscale = overlay.upscale or 3  # a network for any factor
    config = load_config(overlay.network, overlay.board, upscale)
    if int(str(overlay.config_id), 0) != config.config_id:
        raise UserError(
            f"the overlay is of configuration {overlay.config_id}, {overlay.network} on {overlay.board} now is "
            f"{config.config_id:#010x}; build and pack it again"
        )
    return {"SIM_NETWORK": overlay.network, "SIM_BOARD": overlay.board, "SIM_UPSCALE": str(upscale)}


def prove(overlay: Overlay, decoded: Decoded, seed: int, tiles: int = 0, picture: pathlib.Path | None = None) -> dict:
    """Simulate a decoded bitstream; return a row of the report.

    Parameters
    ----------
    overlay : Overlay
    decoded : Decoded
    seed : int
        Of pictures, weights, pauses.
    tiles : int
        More tiles through an accelerator than its test sends in any case.
    picture : pathlib.Path, optional
        A PNG that host/run_pynq.py then upscales on the accelerator, with the committed weights.

    Raises
    ------
    AssertionError
        If an answer is wrong.
    UserError
    """
    started = time.monotonic()
    extra = environment(overlay) | {"SIM_TILES": str(tiles)}
    done = simulate(decoded.netlist, overlay.design, overlay.board, seed, extra)
    if picture is not None:
        if overlay.network is None:
            raise UserError(f"{overlay.design} upscales no pictures; take DESIGN=srcnn")
        weights = weight_path(overlay.network, int(extra["SIM_UPSCALE"]), quantised=True)
        done |= simulate_picture(decoded.netlist, overlay.board, seed, extra, picture, weights)
    kinds = Counter(cell.kind for cell in decoded.netlist.cells.values())
    return {
        "design": overlay.network or overlay.design,
        "board": overlay.board,
        **decoded.netlist.counts,
        **{f"cells_{kind}": count for kind, count in sorted(kinds.items())},
        "sinks": sum(len(net.sinks) for net in decoded.netlist.nets.values()),
        "faults": 0,
        **done,
        "decode_s": round(decoded.seconds, 1),
        "simulate_s": round(time.monotonic() - started, 1),
        "seed": seed,
        "tiles_sent": 3 + tiles if overlay.network else 0,
        "verdict": "every bit as designed",
    }


def plant(kind: str, overlay: Overlay, decoded: Decoded, database: Database, seed: int) -> dict:
    """Plant a fault and check as if it were not known; return a row of the report.

    Returns
    -------
    dict
        caught: by what, "decoding" or "simulation", or "nothing".
    """
    started = time.monotonic()
    planted = faults.plant(kind, decoded.frames, database, decoded.netlist)
    caught, said = judge(planted, overlay, database, seed)
    return {
        "design": overlay.network or overlay.design,
        "planted": kind,
        "what": planted.says,
        "caught": caught,
        "says": said.splitlines()[0][:300] if said else "",
        "seconds": round(time.monotonic() - started, 1),
    }


def judge(planted: faults.Planted, overlay: Overlay, database: Database, seed: int) -> tuple[str, str]:
    """Return what notices a fault, "decoding", "simulation" or "nothing", and what it says."""
    try:
        netlist = decode(planted.frames, database)
        rules.check(netlist)
        simulate(netlist, overlay.design, overlay.board, seed, environment(overlay))
    except UserError as error:
        return "decoding", str(error)
    except AssertionError as error:
        return "simulation", str(error)
    return "nothing", ""


def flip(count: int, overlay: Overlay, decoded: Decoded, database: Database, seed: int) -> dict:
    """Flip single bits of random LUTs' tables, one after the other; return a row: how many the answers show.

    Not all can: an output that takes the entry may lead nowhere (the netlist stays as it was); the bench may never read
    it, or read it while its value means nothing.
    """
    before = write(decoded.netlist, "decoded")

    def caught(planted):
        same = write(decode(planted.frames, database), "decoded") == before
        return "same" if same else judge(planted, overlay, database, seed)[0]

    def said(found):
        noticed = found["decoding"] + found["simulation"]
        return f"{noticed} by simulation, {found['nothing']} by nothing; {found['same']} change no net"

    return _flips("tables", count, faults.flipped_table, caught, said, overlay, decoded, database, seed)


def flip_routes(count: int, overlay: Overlay, decoded: Decoded, database: Database, seed: int) -> dict:
    """Flip single bits of random routes, one after the other; return a row: how many decoding alone finds. Nothing is
    simulated.
    """

    def caught(planted):
        try:
            rules.check(decode(planted.frames, database))
        except UserError:
            return "decoding"
        return "nothing"

    def said(found):
        return f"{found['decoding']} by decoding; {found['nothing']} are left to the simulation"

    return _flips("routes", count, faults.flipped_route, caught, said, overlay, decoded, database, seed)


def _flips(what, count, flipped, caught, said, overlay, decoded, database, seed):
    """Return a row on so many random bits, each flipped alone: `caught` says by what, `said` sums up."""
    started, rng, found, missed = time.monotonic(), random.Random(seed), Counter(), []
    for _ in tqdm(range(count), desc=what, unit=" bits", disable=not sys.stderr.isatty(), dynamic_ncols=True):
        planted = flipped(decoded.frames, database, decoded.netlist, rng)
        by = caught(planted)
        found[by] += 1
        if by == "nothing":
            missed.append(planted.says)
    return {
        "design": overlay.network or overlay.design,
        "planted": f"random bits of {what}",
        "what": f"{count} bits, one at a time",
        "caught": said(found),
        "missed": "; ".join(missed),
        "seconds": round(time.monotonic() - started, 1),
    }
