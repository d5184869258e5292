"""FASM to a bitstream and back, by Project X-Ray's tools."""

from __future__ import annotations

import filecmp
import os
import pathlib
import struct
import subprocess
from typing import TYPE_CHECKING

from hls.place.tieoffs import tie
from hls.synth.yosys import cached
from model.base.errors import UserError
from model.base.tools import first_error, run_tool

if TYPE_CHECKING:
    from hls.place.tools import Tools

BIT, FRAMES = "design.bit", "design.frames"
HEADER = bytes.fromhex("00090ff00ff00ff00ff0000001")  # of every .bit file
DATE, TIME = "2000/01/01", "00:00:00"  # what a file is made of decides its bytes, not the day


def bitstream(tools: Tools, fasm: pathlib.Path, part: str, name: str) -> tuple[pathlib.Path, dict]:
    """Return the bitstream of a routed design, read back and compared where `bit2fasm` is there.

    Parameters
    ----------
    tools : Tools
    fasm : pathlib.Path
        As nextpnr-xilinx writes it.
    part, name : str
        Of the design; both are in the file's header.

    Returns
    -------
    bit : pathlib.Path
    checked : dict
        tied_pins: control pins of DSPs that were tied to ground; read_back: the bitstream gave the same frames again,
        or None if there is no `bit2fasm`.

    Raises
    ------
    UserError
        A tool fails, or the bitstream read back is another than the one written.
    """

    def make(folder):
        text, tied = tie(fasm.read_text(), tools.database)
        (folder / "design.fasm").write_text(text)
        _frames(tools, "design.fasm", FRAMES, part, folder)
        written = "written.bit"
        run_tool(
            [tools.frames2bit, "--part_file", str(tools.database / part / "part.yaml"), "--part_name", part,
             "--frm_file", FRAMES, "--output_file", written],
            folder,
            "frames2bit.log",
            "xc7frames2bit makes no bitstream",
        )  # fmt: skip
        (folder / BIT).write_bytes(with_header((folder / written).read_bytes(), name, part))
        (folder / written).unlink()
        same = read_back(tools, folder, part)
        return {"tied_pins": tied, "read_back": same}

    recipe = part, name, tools.recipe(), bool(tools.bit2fasm)
    folder, checked = cached(f"{name}-bitstream", [fasm, pathlib.Path(__file__), TIE], recipe, make)
    return folder / BIT, checked


TIE = pathlib.Path(__file__).with_name("tieoffs.py")


def read_back(tools: Tools, folder: pathlib.Path, part: str) -> bool | None:
    """Return True if `design.bit` in `folder`, taken apart again, gives the frames in `design.frames`; None if there is
    no tool for that.

    Raises
    ------
    UserError
        If it gives others.
    """
    if tools.bit2fasm is None:
        return None
    command = [tools.bit2fasm, "--part", part, BIT]
    with open(folder / "back.fasm", "wb") as out, open(folder / "bit2fasm.log", "wb") as log:
        done = subprocess.run(command, cwd=folder, stdout=out, stderr=log, env=os.environ | _database(tools, part))
    if done.returncode:
        told = first_error(folder / "bit2fasm.log") or f"exit code {done.returncode}"
        raise UserError(f"bit2fasm does not read the bitstream: {told}; the log is {folder / 'bit2fasm.log'}")
    _frames(tools, "back.fasm", "back.frames", part, folder)
    if not filecmp.cmp(folder / FRAMES, folder / "back.frames", shallow=False):
        raise UserError(
            f"the bitstream read back gives other frames than went in: compare {folder / FRAMES} and "
            f"{folder / 'back.frames'}; the database and the tools may be of different versions, install both anew"
        )
    (folder / "back.frames").unlink()
    (folder / "back.fasm").unlink()
    return True


def _frames(tools, fasm, frames, part, folder):
    command = [tools.fasm2frames, "--part", part, "--sparse", fasm, frames]
    run_tool(command, folder, "fasm2frames.log", "fasm2frames does not take the FASM", _database(tools, part))


def _database(tools, part):
    """The tools' starters look for the database by these variables."""
    return {
        "XRAY_DATABASE_DIR": str(tools.database.parent),
        "XRAY_DATABASE": tools.database.name,
        "XRAY_PART": part,
    }


def with_header(bit: bytes, name: str, part: str) -> bytes:
    """Return a .bit file with a header of its own: the design's name, the part, and always the same date.

    Parameters
    ----------
    bit : bytes
        A .bit file.
    name, part : str

    Raises
    ------
    UserError
        If it has no header that is known.
    """
    data = split(bit)
    fields = [
        ("a", f"{name};Version=open"),
        ("b", part.partition("-")[0].removeprefix("xc")),
        ("c", DATE),
        ("d", TIME),
    ]
    header = HEADER
    for tag, text in fields:
        header += struct.pack(">cH", tag.encode(), len(text) + 1) + text.encode() + b"\0"
    return header + struct.pack(">cI", b"e", len(data)) + data


def split(bit: bytes) -> bytes:
    """Return what is behind a .bit file's header."""
    at = len(HEADER)
    try:
        if bit[:at] != HEADER:
            raise ValueError("it does not begin as a .bit file does")
        while bit[at : at + 1] != b"e":
            if bit[at : at + 1] not in (b"a", b"b", b"c", b"d"):
                raise ValueError("its header has a field that is not known")
            at += 3 + struct.unpack(">H", bit[at + 1 : at + 3])[0]
        (length,) = struct.unpack(">I", bit[at + 1 : at + 5])
        data = bit[at + 5 :]
        if length != len(data):
            raise ValueError(f"it has {len(data)} bytes where its header says {length}")
    except (ValueError, struct.error) as error:
        raise UserError(
            f"what xc7frames2bit wrote is no bitstream ({error}); install Project X-Ray's tools anew"
        ) from error
    return data
