"""Where the open tools for 7-series devices are, and whether they are fit: Yosys, nextpnr-xilinx, Project X-Ray's.

Programs are looked for on PATH, in `$OXC7/bin`, and where apio and the openXC7 snap install them; their data by the
variables that openXC7's environments set, then in the same places.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
import pathlib
import shutil
import subprocess
import tempfile

from model.base.cache import digest
from model.base.errors import UserError

SNAP = pathlib.Path("/snap/openxc7/current/opt/nextpnr-xilinx")
PROGRAMS = ("nextpnr-xilinx", "fasm2frames", "xc7frames2bit")
CHECK = "bit2fasm"  # reads the bitstream back; without it there is no check
HOW = (
    "install openXC7 (its packages, or apio's package openxc7) and put its programs on PATH, or set OXC7 to its folder"
)
DATABASE = "zynq7"
NEEDED = (
    "--chipdb",
    "--xdc",
    "--fasm",
    "--json",
    "--timing-allow-fail",
    "--pack-only",
    "--no-pack",
    "--no-route",
)  # options of nextpnr-xilinx
PROBE_S = 120  # for one DSP to be packed: it takes a second


@dataclasses.dataclass(frozen=True)
class Tools:
    """The tools for one part.

    Attributes
    ----------
    nextpnr, fasm2frames, frames2bit : str
        Paths of programs.
    bit2fasm : str or None
        The program that reads a bitstream back, if it is there.
    chipdb : pathlib.Path
        The part, as nextpnr-xilinx wants it.
    database : pathlib.Path
        Project X-Ray's, of the family.
    grid : pathlib.Path or None
        The database's grid of the device: where its DSPs are.
    both_dsps : bool
        nextpnr-xilinx uses both DSPs of a tile. Released versions pin each that is in no cascade to the lower one.
    """

    nextpnr: str
    fasm2frames: str
    frames2bit: str
    bit2fasm: str | None
    chipdb: pathlib.Path
    database: pathlib.Path
    grid: pathlib.Path | None
    both_dsps: bool

    @property
    def part_file(self) -> str:
        """Name of the file that describes the part's frames, in the database's folder of the part."""
        return "part.yaml"

    def recipe(self) -> str:
        """Return what stands for the programs and the data that decide a result: two installations of the same give the
        same files.
        """
        programs = [self.nextpnr, self.frames2bit, self.chipdb]
        return digest("open tools", [path for path in programs if os.path.isfile(path)])


def places() -> list[pathlib.Path]:
    """Return the folders in which an installation may lie, the one that a variable names first."""
    named = [pathlib.Path(os.environ[name]) for name in ("OXC7", "OPENXC7_HOME") if os.environ.get(name)]
    apio = pathlib.Path(os.environ.get("APIO_HOME") or pathlib.Path.home() / ".apio")
    return [*named, apio / "packages" / "openxc7", SNAP]


def find_tools(part: str) -> Tools:
    """Return the tools for a part, looked at closely enough to know that they will do.

    Parameters
    ----------
    part : str
        As in a board file: "xc7z020clg400-1".

    Raises
    ------
    UserError
        What is missing or of a wrong version, and what to install.
    """
    if importlib.util.find_spec("pyosys") is None:
        raise UserError("Yosys (the package pyosys) was not found; run `make setup`")
    found = {name: _program(name) for name in (*PROGRAMS, CHECK)}
    missing = [name for name in PROGRAMS if found[name] is None]
    if missing:
        verb = "was" if len(missing) == 1 else "were"
        raise UserError(f"{' and '.join(missing)} {verb} not found; {HOW}")
    chipdb = find_chipdb(part)
    database = find_database(part)
    _check_options(found["nextpnr-xilinx"])
    return Tools(
        found["nextpnr-xilinx"],
        found["fasm2frames"],
        found["xc7frames2bit"],
        found[CHECK],
        chipdb,
        database,
        _grid(database, part),
        uses_both_dsps(found["nextpnr-xilinx"], chipdb),
    )


def _program(name):
    beside = os.pathsep.join(str(place / "bin") for place in places())
    return shutil.which(name) or shutil.which(name, path=beside)


def find_chipdb(part: str) -> pathlib.Path:
    """Return nextpnr-xilinx's database of a part.

    CHIPDB may name the file or a folder of such files; a part's file leaves its speed grade out, or has it.

    Raises
    ------
    UserError
        If it is not there.
    """
    folders = [place / folder for place in places() for folder in ("share/chipdb", "chipdb", "share/nextpnr/chipdb")]
    if os.environ.get("CHIPDB"):
        folders.insert(0, pathlib.Path(os.environ["CHIPDB"]))
    names = [f"{part}.bin", f"{part.rpartition('-')[0]}.bin"]
    for folder in folders:
        for path in [folder, *(folder / name for name in names)]:
            if path.is_file():
                return path
    raise UserError(
        f"nextpnr-xilinx's database of {part} was not found (looked for {names[0]}); set CHIPDB to the folder that "
        f"holds it, or make it with openXC7's bbaexport and bbasm"
    )


def find_database(part: str) -> pathlib.Path:
    """Return Project X-Ray's database of a part's family.

    Raises
    ------
    UserError
        If it is not there, or does not know the part.
    """
    folders = [
        pathlib.Path(os.environ[name]) for name in ("PRJXRAY_DB_DIR", "XRAY_DATABASE_DIR") if os.environ.get(name)
    ]
    for place in places():
        folders += [
            place / "share/prjxray-db",
            place / "share/nextpnr/external/prjxray-db",
            place / "external/prjxray-db",
        ]
    there = [folder / DATABASE for folder in folders if (folder / DATABASE).is_dir()]
    for database in there:
        if (database / part / "part.yaml").is_file():
            return database
    if there:
        raise UserError(
            f"Project X-Ray's database in {there[0]} has no part {part} ({part}/part.yaml is missing); take a newer "
            f"prjxray-db, or set PRJXRAY_DB_DIR to one that has it"
        )
    raise UserError(
        f"Project X-Ray's database (prjxray-db/{DATABASE}) was not found; set PRJXRAY_DB_DIR to prjxray-db, or {HOW}"
    )


def _grid(database, part):
    """Beside the parts are the devices, each with a grid of tiles: xc7z020clg400-1 is an xc7z020."""
    devices = [path.parent for path in database.glob("*/tilegrid.json") if part.startswith(path.parent.name)]
    return max(devices, key=lambda path: len(path.name)) / "tilegrid.json" if devices else None


def _check_options(nextpnr):
    """The older releases lack options that are needed."""
    try:
        said = subprocess.run([nextpnr, "--help"], capture_output=True, text=True, timeout=PROBE_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UserError(f"{nextpnr} does not run ({error}); {HOW}") from error
    text = said.stdout + said.stderr
    lacking = [option for option in NEEDED if option not in text]
    if lacking:
        raise UserError(
            f"{nextpnr} is of a version that does not fit: it knows no {' and no '.join(lacking)}; take nextpnr-xilinx "
            f"0.8 or newer of openXC7"
        )


def uses_both_dsps(nextpnr: str, chipdb: pathlib.Path) -> bool:
    """Return whether nextpnr-xilinx leaves a single DSP free to go to either place of a tile.

    One DSP is packed, nothing placed; the packed netlist says whether the packer has fixed its place in the tile.

    Raises
    ------
    UserError
        If it does not even do that.
    """
    with tempfile.TemporaryDirectory() as work:
        folder = pathlib.Path(work)
        (folder / "probe.json").write_text(json.dumps(_probe()))
        (folder / "probe.xdc").write_text("")
        command = [nextpnr, "--chipdb", str(chipdb), "--xdc", "probe.xdc", "--json", "probe.json", "--pack-only"]
        said = None
        try:
            said = subprocess.run(
                [*command, "--write", "packed.json"], cwd=folder, capture_output=True, text=True, timeout=PROBE_S
            )
            packed = json.loads((folder / "packed.json").read_text())
            (dsp,) = [c for m in packed["modules"].values() for c in m["cells"].values() if "DSP48E1" in c["type"]]
        except (OSError, ValueError, KeyError, subprocess.TimeoutExpired) as error:
            raise UserError(
                f"{nextpnr} does not pack a netlist of one DSP ({_reason(said) or repr(error)}); it and {chipdb} may "
                f"be of different versions: install both anew"
            ) from error
    return "CONSTR_ABS_Z" not in dsp["attributes"]


def _reason(said):
    lines = (said.stdout + said.stderr).splitlines() if said is not None else []
    return next((line for line in lines if "ERROR" in line), "")


def _probe():
    """A netlist as Yosys writes it: one DSP, none of its pins used."""
    dsp = {"hide_name": 0, "type": "DSP48E1", "parameters": {}, "attributes": {}, "port_directions": {"P": "output"}}
    module = {
        "attributes": {"top": "1"},
        "ports": {},
        "cells": {"dsp": dsp | {"connections": {"P": list(range(2, 50))}}},
        "netnames": {"p": {"hide_name": 0, "bits": list(range(2, 50)), "attributes": {}}},
    }
    return {"modules": {"probe": module}}
