"""Runs benches of `bench.py` in Verilator and reads what they print."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hls.open.check.bench import Device, bench_module, top_module
from hls.open.names import Names
from hls.open.verilator import build_bench


@dataclass
class Stretch:
    """What the hardware did between two resets.

    Attributes
    ----------
    words : dict
        Output's number among the ports -> what was taken from it, in hexadecimal.
    taken : list of int
        Words that went into each input.
    begun : list of int
        Of each pipeline, how many steps had begun.
    written : list of list of int
        Of each pipeline, for each RAM, how many steps' writes had landed.
    status : dict
        Name -> value of the device's signals, if nothing moves any more.
    end : str
        "reset", "idle" (nothing moves any more), "limit" (enough steps), "" if the simulation was cut off.
    """

    words: dict = field(default_factory=dict)
    taken: list = field(default_factory=list)
    begun: list = field(default_factory=list)
    written: list = field(default_factory=list)
    end: str = ""
    status: dict = field(default_factory=dict)


class Stopped(Exception):
    """The simulated Verilog stopped by itself; the message is what it said."""


class Simulation:
    """A built simulation of devices, each in a bench of its own.

    Parameters
    ----------
    devices : sequence of Device
        Their labels are different.
    files : sequence of Path
        The Verilog of all of them.
    folder : Path
        Where the words lie, and the simulation is built.
    seed : int
        Of the first bench; the others count up.
    trace : str
        ".vcd" or ".fst" to be able to write a waveform.
    traffic : sequence of tuple of int, optional
        The `traffic` of every bench.
    """

    def __init__(
        self,
        devices: Sequence[Device],
        files: Sequence[Path],
        folder: Path,
        seed: int = 1,
        trace: str = "",
        traffic: Sequence | None = None,
    ) -> None:
        self.devices, self.folder = devices, folder
        names = Names(Path(f).stem for f in files)
        benches = [names.take(f"{device.label}_bench") for device in devices]
        kinds = traffic or [None] * len(devices)
        top = names.take("bench_top")
        text = "".join(bench_module(d, b, seed + i, kinds[i]) for i, (d, b) in enumerate(zip(devices, benches)))
        bench = folder / f"{top}.sv"
        bench.write_text(text + top_module(benches, top))
        self.program = build_bench([*files, bench], top, folder, trace)

    def run(
        self,
        cycles: int,
        limit: int = 0,
        resets: int = 0,
        period: int = 100,
        wave: Path | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> dict[str, list[Stretch]]:
        """Simulate; return {label: what it did from reset to reset}.

        Parameters
        ----------
        cycles : int
            The most.
        limit : int
            Steps after which a bench ends, if it didn't run out of words before; 0 for never.
        resets, period : int
            How many resets, and how many steps they are apart on average.
        wave : Path, optional
        progress : callable, optional
            Called now and then with the number of steps since the last call.

        Raises
        ------
        Stopped
            If a check in the Verilog failed.
        """
        plus = [f"cycles={cycles}", f"limit={limit}", f"resets={resets}", f"period={period}", "verilator+rand+reset+2"]
        plus += [f"wave={wave.resolve()}"] if wave else []
        found = {device.label: [Stretch()] for device in self.devices}
        devices = {d.label: d for d in self.devices}
        told = dict.fromkeys(found, 0)
        command = [str(self.program.resolve()), *(f"+{argument}" for argument in plus)]
        with open(self.folder / "simulation.log", "w+") as log:
            with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, cwd=self.folder) as process:
                other = [line for line in process.stdout if not _read(line, found, devices, told, progress)]
            log.seek(0)
            if process.returncode:
                raise Stopped(_reason([*other, *log.read().splitlines()]))
        return found


def _read(line, found, devices, told, progress):
    """Take a line of a bench into account; False if it is none."""
    fields = line.split()
    if len(fields) < 2 or fields[0] not in found:
        return False
    label, what, *rest = fields
    stretch = found[label][-1]
    if what == "out" and len(rest) == 2:
        stretch.words.setdefault(int(rest[0]), []).append(rest[1])
    elif what == "cycle":
        if progress:
            progress(int(rest[1]) - told[label])
            told[label] = int(rest[1])
    elif what in ("reset", "idle", "limit"):
        numbers, stretch.end = [int(number) for number in rest], what
        inputs = sum(port.direction == "in" for port in devices[label].ports)
        stretch.taken, at = numbers[:inputs], inputs
        for counter in devices[label].counters:
            stretch.begun.append(numbers[at])
            stretch.written.append(numbers[at + 1 : at + 1 + len(counter.writes)])
            at += 1 + len(counter.writes)
        if what == "reset":
            found[label].append(Stretch())
    elif what == "status" and len(rest) == 2:
        stretch.status[rest[0]] = int(rest[1])
    else:
        return False
    return True


def _reason(lines):
    """What Verilog's `$fatal` said, without Verilator's own words."""
    for line in lines:
        match = re.match(r"\[\d+\] %(?:Error|Fatal): (\S+): (?:Assertion failed in \S+: )?(.*)", line)
        if match:
            return match.group(2) or match.group(1)
    return next((line.strip() for line in lines if line.strip()), "without a word")
