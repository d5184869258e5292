"""The open tools themselves, where they are: designs placed and routed, the bitstream read back, the same file again.

They are looked for as the product looks for them, else in `shared/openxc7` beside the checkout, which is unpacked into
`build/` once.
"""

import json
import os
import re
import subprocess

import pytest

from bitstreams.open import __main__ as flow
from hls.design.load import load_config
from hls.place import tieoffs, tools
from hls.place.handoff import DMA
from host.board import overlay
from model.base.cache import built, digest
from model.base.errors import UserError
from model.base.paths import BUILD, ROOT

PACKED = ROOT.parent / "shared" / "openxc7" / "unpack.sh"
CONFIG = load_config("srcnn915", "pynq_z2")


@pytest.fixture(scope="module")
def found():
    """The tools, or why the test is skipped."""
    before = os.environ.get("OXC7")
    try:
        yield tools.find_tools(CONFIG.part)
        return
    except UserError as error:
        missing = str(error)
    if not PACKED.is_file():
        pytest.skip(missing)

    def unpack(folder):
        subprocess.run(["sh", str(PACKED), str(folder)], check=True, capture_output=True)

    home = built(BUILD / f"openxc7-{digest('', [PACKED])}", unpack)
    os.environ["OXC7"] = str(home)
    yield tools.find_tools(CONFIG.part)
    os.environ.pop("OXC7") if before is None else os.environ.update(OXC7=before)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Overlays go here."""
    monkeypatch.setattr(flow, "OVERLAYS", tmp_path)
    return tmp_path / "pynq_z2"


@pytest.mark.parametrize("design", ["blink", "register", "loop"])
def test_a_design_becomes_an_overlay(found, folder, design):
    placed = flow.build(design, CONFIG)
    manifest = overlay.read_design(placed.folder)
    assert placed.folder == folder / design and manifest["design"] == design
    assert manifest["bit"].stat().st_size > 4_000_000
    row = placed.row
    assert row["fclk0_mhz"] <= 0.7 * row["fmax_mhz"] and row["passes"] >= 1
    assert row["read_back"] is (True if found.bit2fasm else None)
    assert (DMA in (placed.folder / f"{design}.hwh").read_text()) == (design == "loop")


def test_the_same_inputs_give_the_same_file(found, folder, tmp_path, monkeypatch):
    """From Verilog to bits, once more in a build folder of its own."""
    before = overlay.read_design(flow.build("blink", CONFIG).folder)["bit"].read_bytes()
    for module in ("hls.synth.yosys", "model.base.cache"):
        monkeypatch.setattr(f"{module}.BUILD", tmp_path / "other")
    again = overlay.read_design(flow.build("blink", CONFIG).folder)["bit"].read_bytes()
    assert again == before and list((tmp_path / "other" / "synth").glob("blink-routed-*"))


def test_half_a_build_stays_out_of_sight(found, folder, tmp_path, monkeypatch):
    """What lies where the host looks is the old overlay, whole, until the new one is there."""
    old = flow.build("blink", CONFIG).folder
    before = {path.name: path.read_bytes() for path in old.iterdir()}

    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("bitstreams.build.shutil.copy", interrupted)
    with pytest.raises(KeyboardInterrupt):
        flow.build("blink", CONFIG)
    assert {path.name: path.read_bytes() for path in old.iterdir()} == before
    assert [path.name for path in folder.iterdir()] == ["blink"]


def test_pins_that_can_be_tied_are_the_databases(found):
    """Of both tiles, for both DSPs: INMODE, ALUMODE[3:2], OPMODE[6] and no other."""
    for side in "LR":
        wires = {pin.wire for pin in tieoffs.tieable_pins(found.database, side)}
        assert len(wires) == 16
        assert all(re.match(r"DSP_[01]_(INMODE[0-4]|ALUMODE[23]|OPMODE6)$", wire) for wire in wires), wires


def test_the_probe_sees_one_dsp_free(found):
    assert tools.uses_both_dsps(found.nextpnr, found.chipdb) == found.both_dsps


def test_a_database_of_another_part(found, monkeypatch, tmp_path):
    (tmp_path / "zynq7" / "xc7z010clg400-1").mkdir(parents=True)
    monkeypatch.setattr(tools, "places", list)
    monkeypatch.setenv("PRJXRAY_DB_DIR", str(tmp_path))
    monkeypatch.setenv("CHIPDB", str(found.chipdb))
    monkeypatch.setenv("PATH", os.path.dirname(found.nextpnr) + ":" + os.environ["PATH"])
    with pytest.raises(UserError, match="has no part xc7z020clg400-1"):
        tools.find_tools(CONFIG.part)


def test_the_command(found, tmp_path, monkeypatch):
    from click.testing import CliRunner

    monkeypatch.setattr(flow, "OVERLAYS", tmp_path)
    monkeypatch.setattr("model.base.report.BUILD", tmp_path)
    done = CliRunner().invoke(flow.main, ["--board", "pynq_z2", "--design", "blink"])
    assert done.exit_code == 0 and "no board has run it" in done.output, done.output
    (row,) = json.loads((tmp_path / "reports" / "bitstream_open_pynq_z2_blink.json").read_text())
    assert row["design"] == "blink"
    done = CliRunner().invoke(flow.main, ["--board", "kv260", "--design", "blink"])
    assert done.exit_code == 2 and "place for no kv260" in done.stderr
