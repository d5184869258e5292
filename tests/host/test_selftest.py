"""The self test of a board, on a board in software: what it reports where all is well, and where something is not."""

import hashlib
import json
import shutil
import sys
import types
import zipfile

import numpy as np
import pytest
from click.testing import CliRunner

from hls.design.load import load_config
from hls.place.clock import Clock
from hls.place.handoff import handoff as handoff_of
from host import selftest
from host.board import desk, overlay, packed
from model.base.errors import UserError
from model.graph.weights import load_quant, weight_path
from sim.board import handoff
from sim.board.channels import IDLE, RECEIVE, SEND, STATUS
from tests.stand_ins.pynq.fake_pynq import FakePynq

CONFIG = load_config("srcnn915", "pynq_z2")
MODEL = load_quant(weight_path("srcnn915", 3, quantised=True))


class Registers:
    """Those of design `register`."""

    def __init__(self, fault):
        self.fault, self.words = fault, {desk.LEDS: 0, desk.SCRATCH: 0, desk.WRITES: 7, desk.IDENTITY: desk.WHO}
        if fault == "identity":
            self.words[desk.IDENTITY] = 0xFFFFFFFF

    def read(self, offset):
        return self.words[offset] ^ (self.fault == "bit" and offset == desk.SCRATCH)

    def write(self, offset, value):
        self.words[offset] = value & (0x7 if offset == desk.LEDS and self.fault == "led" else 0xFFFFFFFF)
        self.words[desk.WRITES] += self.fault != "lost write"


class DeskBoard(FakePynq):
    """A board that takes all four designs."""

    __version__ = "software"
    design = None

    def Overlay(self, bitfile_name):
        self.design = bitfile_name.rpartition("/")[2].removesuffix(".bit")
        if self.fault == f"no {self.design}":
            raise OSError("FPGA manager")
        return super().Overlay(bitfile_name)

    def MMIO(self, base_addr, length):
        if base_addr == desk.REGISTERS:
            assert self.design == "register" and length == desk.RANGE
            return Registers(self.fault)
        return super().MMIO(base_addr, length)

    def _begin(self, channel):
        if self.design != "loop" or channel == RECEIVE:
            super()._begin(channel)
            return
        self.registers[SEND + STATUS] &= ~IDLE
        self._busy[SEND], self._countdown = True, self.latency
        self._answer = self._place(SEND).copy()
        if self.fault == "byte":
            self._answer[len(self._answer) // 2] ^= 1
        elif self.fault == "behind":
            memory = self._place(RECEIVE).base
            memory[len(self._answer) : len(self._answer) + 1] = 9
        elif self.fault == "stands still":
            self._answer = None

    def _kernel(self, words):
        answer = super()._kernel(words)
        if self.fault == "pixel" and int(words[0]) >> 16 & 0xFF == 3:
            answer[5] ^= np.uint64(1 << 8)
        return answer


def write_design(folder, design):
    """An overlay of one of the first three designs, as the open flow leaves it."""
    folder.mkdir(parents=True)
    files = {
        f"{design}.bit": handoff.bitstream(CONFIG),
        f"{design}.hwh": handoff_of(design, CONFIG.part, Clock((5, 2))),
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    manifest = {"design": design, "board": "pynq_z2", "dma": "axi_dma_0", "fclk0_mhz": 100.0, "files": digests}
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.fixture
def board(tmp_path, monkeypatch):
    """A board with the four overlays, packed; `board()` gives what `import pynq` finds."""
    overlays = tmp_path / "bitstreams"
    for design in overlay.DESK:
        write_design(overlays / "pynq_z2" / design, design)
    handoff.write_overlay(overlays / "pynq_z2" / "srcnn915", CONFIG, fclk0_mhz=50.0)
    monkeypatch.setattr(overlay, "OVERLAYS", overlays)
    monkeypatch.setenv("BOARD", "Pynq-Z2")
    monkeypatch.chdir(tmp_path)
    (overlays / "open" / "pynq_z2").mkdir(parents=True)
    for folder in list((overlays / "pynq_z2").iterdir()):
        packed.pack(folder, packed.archive("pynq_z2", folder.name))
        shutil.rmtree(folder)
    for name, value in {
        "SHOW_S": 0,
        "PATIENCE_S": 0.2,
        "RESET_S": 0.2,
        "SIZES": (8, 9, 5000, 70_000),
        "ACCESSES": 50,
    }.items():
        monkeypatch.setattr(desk, name, value)
    monkeypatch.setattr(desk, "TILE", (9, 12))

    def make(fault=None):
        pynq = DeskBoard(CONFIG, MODEL)
        pynq.fault, pynq.fault_until_download = fault, False
        monkeypatch.setitem(sys.modules, "pynq", pynq)
        return pynq

    return make


def run(*arguments):
    done = CliRunner().invoke(selftest.main, [*arguments, "--no-ask"])
    return done, json.loads(open("selftest.json").read()) if done.exit_code in (0, 1) else None


def test_all_is_well(board):
    pynq = board()
    done, rows = run()
    assert done.exit_code == 0, done.output
    assert [row["design"] for row in rows] == ["blink", "register", "loop", "srcnn"]
    assert all(row["ok"] and row["error"] is None and row["board"] == "pynq_z2" for row in rows)
    by_name = {row["design"]: row for row in rows}
    assert by_name["register"]["accesses"] == 100 and by_name["loop"]["bytes"] == 8 + 9 + 5000 + 5 * 70_000
    assert by_name["srcnn"]["pixels"] == 8 * 9 * 12 and by_name["srcnn"]["fclk0_mhz"] == 50
    assert pynq.violations == [] and pynq.live_buffers == 0
    assert overlay.list_overlays("pynq_z2") == ["srcnn915"]  # unpacked; the other three compute nothing


def test_chosen_designs_and_an_eye_on_the_leds(board):
    board()
    done = CliRunner().invoke(selftest.main, ["register", "blink", "--ask", "--out", "r.json"], input="y\nn\n")
    rows = json.loads(open("r.json").read())
    assert done.exit_code == 0 and [(row["design"], row["seen"]) for row in rows] == [
        ("blink", True),
        ("register", False),
    ]


@pytest.mark.parametrize(
    "fault, design, says",
    [
        ("no blink", "blink", "cannot be loaded"),
        ("identity", "register", "the identity register reads 0xffffffff"),
        ("bit", "register", "the scratch register reads"),
        ("lost write", "register", "the fabric counted 0 writes, 50 were done"),
        ("led", "register", "the LEDs' register does not hold 8"),
        ("byte", "loop", "1 of 8 bytes came back wrong, the first at 4"),
        ("behind", "loop", "bytes behind the 8 of a transfer were written"),
        ("stands still", "loop", "the send channel is not done after 0.2 s"),
        ("other clock", "blink", "FCLK0 is 150.00 MHz"),
        ("pixel", "srcnn", "1 of 108 pixels of tile 0 are not the golden model's, the first at row 2, column 1: "),
    ],
)
def test_what_is_wrong_is_reported(board, fault, design, says):
    """The first design that fails is the last one that is tried."""
    pynq = board(fault)
    done, rows = run()
    assert done.exit_code == 1, done.output
    assert rows[-1]["design"] == design and says in rows[-1]["error"] and not rows[-1]["ok"]
    assert all(row["ok"] for row in rows[:-1])
    assert pynq.live_buffers == 0 and pynq.violations == []


def test_a_dma_that_does_not_stop_keeps_its_memory(board, monkeypatch):
    """What a DMA may still write to is not given to others."""
    pynq = board("stands still")
    monkeypatch.setattr(pynq, "_reset_registers", lambda: None)
    monkeypatch.setattr(pynq, "read", lambda offset: 0x4 if offset == 0 else pynq.registers[offset])
    done, rows = run("loop")
    assert done.exit_code == 1 and "power the board off and on" in rows[0]["error"]
    assert pynq.live_buffers == 2 and pynq.violations == []


def test_no_overlay(board):
    board()
    packed.archive("pynq_z2", "loop").unlink()
    done, rows = run("loop")
    assert done.exit_code == 1 and "make bitstream BOARD=pynq_z2 TOOLS=open DESIGN=loop" in rows[0]["error"]


def test_no_board(monkeypatch):
    monkeypatch.setattr(overlay, "board_name", lambda: None)
    done = CliRunner().invoke(selftest.main, [])
    assert done.exit_code == 2 and "no PYNQ board" in done.stderr


def test_no_pynq(board, monkeypatch):
    monkeypatch.setitem(sys.modules, "pynq", None)
    done = CliRunner().invoke(selftest.main, [])
    assert done.exit_code == 2 and "Python finds no pynq package" in done.stderr


# --- packed overlays ---


def test_the_same_overlay_is_the_same_archive(board, tmp_path):
    board()
    path = packed.archive("pynq_z2", "blink")
    folder = packed.unpack(path, tmp_path / "somewhere" / "blink")
    packed.pack(folder, tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("kind", ["cut", "foreign", "outside", "changed"])
def test_damaged_archives(board, tmp_path, kind):
    board()
    path = packed.archive("pynq_z2", "blink")
    if kind == "cut":
        path.write_bytes(path.read_bytes()[:200])
    elif kind == "foreign":
        path.write_bytes(b"no archive")
    else:
        with zipfile.ZipFile(path) as file:
            content = {name: file.read(name) for name in file.namelist()}
        with zipfile.ZipFile(path, "w") as file:
            for name, data in content.items():
                file.writestr(name if kind == "changed" else f"../{name}", data + b" " * name.endswith(".hwh"))
    target = tmp_path / "target" / "blink"
    with pytest.raises(UserError, match="copy it again|is not the file that the manifest describes"):
        packed.unpack(path, target)
    assert not target.exists() and not list(target.parent.glob(".*"))


def test_what_is_there_stays(board, tmp_path):
    board()
    folder = packed.unpack(packed.archive("pynq_z2", "blink"), tmp_path / "blink")
    (folder / "blink.bit").write_bytes(b"mine")
    packed.unpack(packed.archive("pynq_z2", "blink"), folder)
    assert (folder / "blink.bit").read_bytes() == b"mine"


def test_surroundings():
    assert selftest.surroundings("pynq_z2", types.SimpleNamespace(__version__="3.0.1"))["pynq"] == "3.0.1"
