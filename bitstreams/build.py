"""Overlay of a network on a board: `make bitstream BOARD= NETWORK= RTL=open|vitis`.

Vivado runs `build.tcl` in `build/vivado/<config>-<rtl>/`. If timing is met, .bit, .hwh and manifest.json replace those
in `bitstreams/<board>/<network>/`, all three at once; `host/board/overlay.py` reads them there.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import click
from tqdm import tqdm

from hls.design.load import load_config
from hls.design.options import hardware_options
from hls.dma.build import build_dma
from hls.dma.reference import NAME as NAME_OF_DMA
from hls.dma.reference import reference_text
from hls.generate.verilog import TOOLS, build_rtl
from hls.place.handoff import DMA_PARAMETERS
from hls.vendor.tools import check_path, find_tools
from hls.vendor.vitis import SOURCE as VITIS_SOURCE
from hls.vendor.vitis import WHAT as VITIS
from hls.vendor.vitis import build_hls
from host.board.overlay import OVERLAYS, read_manifest
from model.base.cache import build_lock
from model.base.errors import UserError, report_user_errors
from model.base.paths import BUILD, ROOT, atomic_write, make_folder
from model.base.report import table, write_report
from model.base.tools import run_tool

if TYPE_CHECKING:
    from collections.abc import Callable

    from hls.design.config import Config

HERE = pathlib.Path(__file__).resolve().parent
NAME = "srcnn"  # of the overlay's files
DMA = "axi_dma_0"  # of the DMA in the block design
DMA_IP = "xilinx.com:ip:axi_dma:7.1"  # by which PYNQ finds its driver
DMAS = ("ip", "own")
ADDRESS_BITS = {"xc7": 32, "xck": 40}  # of memory, by the beginning of the part's name
KERNEL = "srcnn_top_0"
LENGTH_BITS = 26  # of the DMA's length register: the widest there is
WHAT = "AMD Vivado 2023.2 or newer (its free edition takes both boards)"
SOURCE = "settings64.sh"
STEPS = ("kernel", "Vivado", "checks")
_TIMING = (
    "wns_ns",
    "tns_ns",
    "tns_failing",
    "tns_total",
    "whs_ns",
    "ths_ns",
    "ths_failing",
    "ths_total",
    "wpws_ns",
    "tpws_ns",
    "tpws_failing",
    "tpws_total",
)


def build_bitstream(
    config: Config, rtl: str, *, dma: str = "ip", jobs: int = 2, progress: bool = False
) -> tuple[pathlib.Path, dict[str, float]]:
    """Build an overlay and put it into `bitstreams/<board>/<network>/`.

    Parameters
    ----------
    config : Config
    rtl : str
        "open": the kernel's Verilog comes from the open route, Vivado alone is needed; "vitis": from Vitis HLS.
    dma : str
        "ip": AMD's AXI DMA; "own": this project's (hls/dma), the same to the host.
    jobs : int
        Runs that Vivado starts at a time.
    progress : bool
        Show a progress bar.

    Returns
    -------
    folder : pathlib.Path
        With .bit, .hwh and manifest.json.
    timing : dict
        Of the timing report; see `read_timing`.

    Raises
    ------
    UserError
        A tool is missing, a step fails, timing is not met, or the handoff file is not what the host expects. What lay
        in the folder stays then.
    """
    if not (HERE / "boards" / f"{config.board}.tcl").is_file():
        raise UserError(
            f"there is no block design for {config.board}; describe its processor in "
            f"bitstreams/boards/{config.board}.tcl"
        )
    tools = find_tools(("vivado",), WHAT, SOURCE)
    if rtl == "vitis":
        find_tools(("v++", "vitis-run"), f"{VITIS}, or choose RTL=open, which needs Vivado alone,", VITIS_SOURCE)
    work = BUILD / "vivado" / f"{config.name}-{rtl}{'-own' if dma == 'own' else ''}"
    for path in (work, HERE):
        check_path(path)
    with build_lock(f"vivado-{work.name}"), tqdm(STEPS, unit="step", disable=not progress, dynamic_ncols=True) as bar:
        for step in bar:
            bar.set_description(step)
            if step == "kernel":
                kernel = _build_kernel(config, rtl)
                kernel["dma"] = _build_dma(config, work) if dma == "own" else ()
            elif step == "Vivado":
                shutil.rmtree(work, ignore_errors=True)
                (make_folder(work) / "settings.tcl").write_text(settings_text(config, rtl, kernel, work, jobs))
                run_tool(
                    [
                        tools["vivado"],
                        "-mode",
                        "batch",
                        "-notrace",
                        "-nojournal",
                        "-log",
                        str(work / "vivado.log"),
                        "-source",
                        str(HERE / "build.tcl"),
                        "-tclargs",
                        str(work / "settings.tcl"),
                    ],
                    work,
                    "console.log",
                    "Vivado failed",
                )
            else:
                timing = check_timing(work / "timing.rpt")
                if dma == "own":
                    name_dma(work / f"{NAME}.hwh")
                check_handoff(work / f"{NAME}.hwh")
                facts = dict(line.split(maxsplit=1) for line in (work / "facts.txt").read_text().splitlines())
                manifest = make_manifest(
                    config, rtl, kernel["tools"] | {"vivado": facts["vivado"]}, int(facts["clock_hz"]), timing, dma
                )
                folder = install(work, OVERLAYS / config.board / config.network.label, manifest)
    return folder, timing


def _build_kernel(config, rtl):
    """Return what the block design takes as its kernel: {sources, ip_repository, tools}."""
    if rtl == "open":
        built = build_rtl(config)
        return {
            "sources": built.files,
            "ip_repository": "",
            "tools": {tool: importlib.metadata.version(tool) for tool in TOOLS},
        }
    built = build_hls(config)
    return {"sources": (), "ip_repository": built.ip, "tools": {"vitis": built.version}}


def _build_dma(config, work):
    """Return the Verilog of this project's DMA with the module that the block design takes."""
    bits = ADDRESS_BITS[config.part[:3]]
    reference = make_folder(work.with_name(f"{work.name}-dma")) / f"{NAME_OF_DMA}.v"
    reference.write_text(reference_text(bits, DMA_PARAMETERS))
    return (*build_dma(config.part, config.clock_mhz, bits).files, reference)


def settings_text(config: Config, rtl: str, kernel: dict, work: pathlib.Path, jobs: int) -> str:
    """Return the Tcl file that tells `build.tcl` what to build."""
    values = {
        "board": config.board,
        "part": config.part,
        "clock_mhz": f"{config.clock_mhz:g}",
        "rtl": rtl,
        "sources": " ".join(map(str, (*kernel["sources"], *kernel.get("dma", ())))),
        "dma": "own" if kernel.get("dma") else "ip",
        "ip_repository": kernel["ip_repository"],
        "jobs": jobs,
        "output": work,
    }
    for source in (*kernel["sources"], *kernel.get("dma", ())):
        check_path(source)
    return "".join(f"set {name} {{{value}}}\n" for name, value in values.items())


def read_timing(report: pathlib.Path) -> dict[str, float]:
    """Read Vivado's timing summary.

    Parameters
    ----------
    report : pathlib.Path
        Of `report_timing_summary`.

    Returns
    -------
    dict
        wns_ns, tns_ns, whs_ns, ths_ns, wpws_ns, tpws_ns (float, worst and total negative slack of setup, hold and pulse
        width) and the numbers of failing and of all endpoints of each.

    Raises
    ------
    UserError
        If the report has no summary, or a design without clocks.
    """
    try:
        text = report.read_text(errors="replace")
    except OSError as error:
        raise UserError(f"Vivado wrote no timing report ({error}); look into vivado.log beside it") from error
    _, found, summary = text.partition("| Design Timing Summary")
    for line in summary.splitlines() if found else ():
        values = line.split()
        if len(values) == len(_TIMING) and re.fullmatch(r"-?[\d.]+|NA|inf", values[0]):
            try:
                return {
                    name: float(value) if name.endswith("_ns") else int(value) for name, value in zip(_TIMING, values)
                }
            except ValueError as error:
                raise UserError(
                    f"{os.path.relpath(report)} names no slack ({line.strip()}): the design has no clock; this is a bug"
                ) from error
    raise UserError(f"{os.path.relpath(report)} has no timing summary that is known; look into vivado.log beside it")


def check_timing(report: pathlib.Path) -> dict[str, float]:
    """Return `read_timing` of a report; raise `UserError` if any slack is negative or nothing was timed."""
    timing = read_timing(report)
    late = [
        f"{what} by {-timing[slack]:.3f} ns at {timing[count]} of {timing[total]} endpoints"
        for what, slack, count, total in (
            ("setup", "wns_ns", "tns_failing", "tns_total"),
            ("hold", "whs_ns", "ths_failing", "ths_total"),
            ("pulse width", "wpws_ns", "tpws_failing", "tpws_total"),
        )
        if timing[slack] < 0 or timing[count]
    ]
    if late:
        raise UserError(
            f"timing is not met: {', '.join(late)}; lower clock_mhz in the board file, see {os.path.relpath(report)}"
        )
    if not timing["tns_total"]:
        raise UserError(f"{os.path.relpath(report)} has no timed endpoint, the design is empty; this is a bug")
    return timing


def name_dma(path: pathlib.Path) -> None:
    """Let a .hwh call this project's DMA what its registers are, AMD's AXI DMA: PYNQ finds the driver by that."""
    try:
        tree = ElementTree.parse(path)
    except (OSError, ElementTree.ParseError):
        return  # check_handoff says it
    for module in tree.getroot().iter("MODULE"):
        if module.get("INSTANCE") == DMA:
            module.set("VLNV", DMA_IP)
            module.set("MODTYPE", DMA_IP.split(":")[2])
    with atomic_write(path) as temporary:
        tree.write(temporary, encoding="utf-8", xml_declaration=True)


def check_handoff(path: pathlib.Path) -> None:
    """Raise `UserError` unless the .hwh has the DMA that the host drives, tied to the kernel both ways."""
    try:
        root = ElementTree.parse(path).getroot()
    except (OSError, ElementTree.ParseError) as error:
        raise UserError(
            f"Vivado's handoff file {path} cannot be read ({error}); look into vivado.log beside it"
        ) from error
    modules = {module.get("INSTANCE"): module for module in root.iter("MODULE")}
    addressed = {region.get("INSTANCE") for region in root.iter("MEMRANGE")}
    missing = [
        name
        for name, there in ((DMA, modules), (KERNEL, modules), (f"an address of {DMA}", addressed))
        if name.split()[-1] not in there
    ]
    if missing:
        raise UserError(f"{path} lacks {' and '.join(missing)}; the block design and the host disagree, this is a bug")
    parameters = {p.get("NAME").lower(): p.get("VALUE") for p in modules[DMA].iter("PARAMETER")}
    wanted = {
        "c_sg_length_width": str(LENGTH_BITS),
        "c_include_sg": "0",
        "c_include_mm2s": "1",
        "c_include_s2mm": "1",
        "c_m_axis_mm2s_tdata_width": "64",
        "c_s_axis_s2mm_tdata_width": "64",
    }
    wrong = [
        f"{name} is {parameters.get(name)}, not {value}"
        for name, value in wanted.items()
        if parameters.get(name) != value
    ]
    if wrong:
        raise UserError(f"the DMA in {path} is another than the host drives: {', '.join(wrong)}; this is a bug")
    nets = [
        {bus.get("BUSNAME") for bus in modules[name].iter("BUSINTERFACE") if ":axis:" in bus.get("VLNV", "")}
        for name in (DMA, KERNEL)
    ]
    if len(nets[0] & nets[1]) != 2:
        raise UserError(
            f"the DMA and the kernel share {len(nets[0] & nets[1])} streams in {path}, not two; this is a bug"
        )


def make_manifest(
    config: Config, rtl: str, tools: dict[str, str], clock_hz: int, timing: dict[str, float], dma: str
) -> dict:
    """Return the manifest without its "files" (host/board/overlay.py says what is read of it)."""
    return {
        "network": config.network.name,
        "upscale": config.network.upscale,
        "board": config.board,
        "config_id": f"{config.config_id:#010x}",
        "dma": DMA,
        "part": config.part,
        "clock_mhz": round(clock_hz / 1e6, 6),
        "rtl": rtl,
        "dma_made_by": "hls/dma" if dma == "own" else "AMD",
        "tools": tools,
        "git_revision": git_revision(),
        "timing": {name: timing[name] for name in ("wns_ns", "whs_ns", "wpws_ns")},
    }


def git_revision() -> str:
    """Return the checkout's commit, with "-dirty" if files differ from it, or "unknown"."""
    git = shutil.which("git")
    if git is None:
        return "unknown"
    answers = [
        subprocess.run([git, "-C", str(ROOT), *question], capture_output=True, text=True)
        for question in (("rev-parse", "HEAD"), ("status", "--porcelain", "--untracked-files=no"))
    ]
    if any(answer.returncode for answer in answers):
        return "unknown"
    return answers[0].stdout.strip() + ("-dirty" if answers[1].stdout.strip() else "")


def install(
    work: pathlib.Path,
    folder: pathlib.Path,
    manifest: dict,
    name: str = NAME,
    check: Callable[[pathlib.Path], dict] = read_manifest,
) -> pathlib.Path:
    """Put .bit and .hwh from `work` and the manifest into `folder`, all at once, and return it.

    Parameters
    ----------
    work, folder : pathlib.Path
    manifest : dict
        Without its "files".
    name : str
        Of the two files.
    check : callable
        What the host reads a manifest with; it has to take the new one.
    """
    temporary = pathlib.Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=make_folder(folder.parent)))
    try:
        new, old = temporary / "new", temporary / "old"
        new.mkdir()
        for suffix in (".bit", ".hwh"):
            shutil.copy(work / f"{name}{suffix}", new)
        files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(new.iterdir())}
        (new / "manifest.json").write_text(json.dumps(manifest | {"files": files}, indent=1) + "\n")
        check(new)  # the host takes it
        if folder.exists():
            folder.rename(old)
        try:
            new.rename(folder)
        except BaseException:
            if old.exists():
                old.rename(folder)
            raise
    except OSError as error:
        raise UserError(
            f"the overlay cannot be written to {folder} ({error}); make room, "
            f"what the tools made lies in {os.path.relpath(work)}"
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


@click.command()
@hardware_options
@click.option(
    "--rtl",
    type=click.Choice(["vitis", "open"]),
    default="vitis",
    show_default=True,
    help="Where the kernel's Verilog comes from: Vitis HLS, or the open route, which needs Vivado alone.",
)
@click.option(
    "--dma",
    type=click.Choice(DMAS),
    default=DMAS[0],
    show_default=True,
    help="AMD's AXI DMA, or this project's, which the open flow has, too (docs/dma.md).",
)
@click.option("--jobs", type=click.IntRange(1), default=os.cpu_count() or 1, help="Runs that Vivado starts at a time.")
@report_user_errors
def main(network: str, upscale: int | None, board: str, rtl: str, dma: str, jobs: int) -> None:
    """Build the overlay of a network on a board with Vivado and put it into bitstreams/<board>/<network>/."""
    config = load_config(network, board, upscale)
    folder, timing = build_bitstream(config, rtl, dma=dma, jobs=jobs, progress=True)
    rows = [
        {"board": config.board, "network": network, "upscale": config.network.upscale, "rtl": rtl, "dma": dma, **timing}
    ]
    print(table(rows, ["board", "network", "upscale", "rtl", "dma", "wns_ns", "whs_ns", "wpws_ns"]))
    print(f"timing is met; written to {write_report(f'bitstream_{config.board}', rows)}")
    print(f"overlay: {os.path.relpath(folder)}")


if __name__ == "__main__":
    main()
