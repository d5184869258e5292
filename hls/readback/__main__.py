"""What is in a bitstream: `python -m hls.readback some.bit`."""

from __future__ import annotations

import pathlib
import sys
from collections import Counter

import click

from hls.place.tools import find_database
from hls.readback.bitfile import frame_addresses, read_frames
from hls.readback.database import Database
from hls.readback.decode import decode
from hls.readback.verilog import write
from model.base.errors import UserError, report_user_errors
from model.base.paths import atomic_write
from model.base.report import table


@click.command()
@click.argument("bit", type=click.Path(path_type=pathlib.Path))
@click.option("--part", default="xc7z020clg400-1", show_default=True)
@click.option("--faults", "shown", default=10, show_default=True, help="How many faults are shown.")
@click.option("--verilog", type=click.Path(path_type=pathlib.Path), help="Write the netlist to this file.")
@report_user_errors
def main(bit: pathlib.Path, part: str, shown: int, verilog: pathlib.Path | None) -> None:
    """Print bits, features, primitives and nets of the file BIT; unknown bits, nets without or with two drivers."""
    try:
        data = bit.read_bytes()
    except OSError as error:
        raise UserError(f"{bit} cannot be read: {error.strerror}; name a .bit file") from error
    database = Database(find_database(part), part)
    frames = read_frames(data, frame_addresses(database.part_file), str(bit))
    netlist = decode(frames, database, progress=sys.stderr.isatty())
    kinds = Counter(fault.kind for fault in netlist.faults)
    rows = [("nodes from", database.nodes.source), ("CRCs, all right", frames.crc_checks)]
    rows += [("frames with wrong check bits", frames.ecc_wrong)]
    rows += [(name.replace("_", " "), value) for name, value in netlist.counts.items()]
    rows += [("nets with two drivers", kinds["two drivers"]), ("inputs without driver", kinds["no driver"])]
    rows += [("settings that are not read back", kinds["mode"])]
    rows += sorted(Counter(cell.kind for cell in netlist.cells.values()).items())
    print(table([{"what": name, "number": value} for name, value in rows]))
    for fault in netlist.faults[:shown]:
        print(f"{fault.kind}: {fault.says}")
    if verilog:
        with atomic_write(verilog) as temporary:
            temporary.write_text(write(netlist, "decoded"))
        print(f"written to {verilog}")


if __name__ == "__main__":
    main()
