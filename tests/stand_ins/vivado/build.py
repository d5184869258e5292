"""The overlay build's Tcl in the recorder, for tests: scripts as they are or changed, the open route's top around a
stub.
"""

import shutil

from bitstreams.build import settings_text
from hls.design.load import load_config
from hls.generate.verilog import AXI_TOP, CORE
from model.base.paths import ROOT
from tests.stand_ins.vivado.recorder import run_script

STUB = (
    f"module {CORE} (input wire clk, rst, input wire [72:0] in_data, input wire in_valid, output wire in_ready,\n"
    "    output wire [72:0] out_data, output wire out_valid, input wire out_ready);\n"
    "    assign {in_ready, out_data, out_valid} = {out_ready, in_data, in_valid & ~rst & clk};\nendmodule\n"
)


def write_sources(folder):
    """Write a Verilog file with `srcnn_top` and a stub inside; the real one takes half a minute and adds nothing
    here.
    """
    folder.mkdir(parents=True)
    top = folder / "srcnn_top.sv"
    top.write_text(STUB + AXI_TOP.format(core=CORE))
    return top


def run_build(folder, sources, repository, board="pynq_z2", rtl="open", changes=(), part=None, dma=()):
    """Run the build's Tcl.

    Parameters
    ----------
    folder : pathlib.Path
        Results lie in its `out`: srcnn.hwh and the stand-ins.
    sources : pathlib.Path
        Verilog of the open route; see `write_sources`.
    repository : pathlib.Path
        Folder with Vitis' IP.
    changes : sequence of (script, before, after)
        What is replaced in a copy of the scripts.
    part : str, optional
        Another part than the board's.
    dma : sequence of pathlib.Path
        Verilog of this project's DMA and of its module; AMD's is taken without.

    Returns
    -------
    recorder : Recorder
    error : str
        Empty, or what ended the build.
    """
    scripts, output = folder / "scripts", folder / "out"
    shutil.copytree(ROOT / "bitstreams", scripts, ignore=shutil.ignore_patterns("__pycache__", "*.bit"))
    for name, before, after in changes:
        text = (scripts / name).read_text()
        assert before in text, f"{name} has no {before!r} any more"
        (scripts / name).write_text(text.replace(before, after, 1))
    config = load_config("srcnn915", board)
    output.mkdir()
    text = settings_text(
        config, rtl, {"sources": [sources] if rtl == "open" else [], "ip_repository": repository, "dma": dma}, output, 2
    )
    (output / "settings.tcl").write_text(text if part is None else text.replace(config.part, part))
    return run_script(scripts / "build.tcl", [str(output / "settings.tcl")])
