"""Does PYNQ have what the driver uses? Run by test_pynq.py where the real package is installed.

What is used is read from the driver's sources: an attribute that the driver takes up tomorrow is looked for tomorrow.
"""

import ast
import inspect
import pathlib

import pytest

from hls.design.load import load_config
from hls.place.clock import Clock
from hls.place.handoff import DMA, REGISTERS
from hls.place.handoff import handoff as handoff_of
from model.base.paths import ROOT
from sim.board import handoff
from tests.stand_ins.pynq import real_pynq
from tests.stand_ins.pynq.real_pynq import pynq

Buffer = pynq.buffer.PynqBuffer
CHANNEL = pynq.lib.dma._SDMAChannel
# What the driver's expressions are in PYNQ.
OBJECTS = {
    "host/board/driver.py": {
        "pynq": pynq,
        "self._pynq": pynq,
        "self._overlay": pynq.Overlay,
        "self._dma": pynq.lib.dma.DMA,
        "self._send": CHANNEL,
        "self._recv": CHANNEL,
        "channel": CHANNEL,
    },
    # Properties of the class `Clocks` are its metaclass's.
    "host/board/processor.py": {"pynq": pynq, "pynq.Clocks": type(pynq.Clocks), "port": pynq.MMIO},
    "host/board/desk.py": {
        "pynq": pynq,
        "port": pynq.MMIO,
        "source": Buffer,
        "target": Buffer,
        "dma": pynq.lib.dma.DMA,
        "dma.sendchannel": CHANNEL,
        "dma.recvchannel": CHANNEL,
        "channel": CHANNEL,
    },
    "host/board/buffers.py": {"self.tx": Buffer, "self.rx": Buffer, "buffer": Buffer, "old": Buffer},
}


def uses():
    """Return (file, expression, PYNQ's object, attribute, call or None) for all that the driver uses."""
    found = []
    for file, objects in OBJECTS.items():
        tree = ast.parse((ROOT / file).read_text())
        calls = {id(node.func): node for node in ast.walk(tree) if isinstance(node, ast.Call)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) in objects:
                owner = ast.unparse(node.value)
                found.append((file, owner, objects[owner], node.attr, calls.get(id(node))))
    return found


def instance_attributes(kind):
    """Names that the methods of a class and its bases set on `self`."""
    names = set()
    for base in kind.__mro__ if inspect.isclass(kind) else ():
        if base.__module__.startswith("pynq"):
            for node in ast.walk(ast.parse(inspect.getsource(base))):
                targets = (
                    node.targets
                    if isinstance(node, ast.Assign)
                    else [node.target]
                    if isinstance(node, ast.AnnAssign)
                    else []
                )
                names |= {t.attr for t in targets if isinstance(t, ast.Attribute) and ast.unparse(t.value) == "self"}
    return names


USES = uses()


def test_every_expression_is_used():
    for file, objects in OBJECTS.items():
        names = {
            ast.unparse(node)
            for node in ast.walk(ast.parse((ROOT / file).read_text()))
            if isinstance(node, (ast.Name, ast.Attribute))
        }
        assert set(objects) <= names, f"the table of {file} is out of date"
    assert len({(id(kind), name) for _, _, kind, name, _ in USES}) > 15


@pytest.mark.parametrize("file", OBJECTS)
def test_no_object_has_another_name(file):
    """An object of PYNQ that is given a name the table does not know would escape it."""
    objects = OBJECTS[file]
    for node in ast.walk(ast.parse((ROOT / file).read_text())):
        if isinstance(node, ast.Assign):
            value, targets = node.value, node.targets
        elif isinstance(node, (ast.For, ast.comprehension)):
            value, targets = node.iter, [node.target]
        else:
            continue
        harmless = {id(n.value) for n in ast.walk(value) if isinstance(n, (ast.Attribute, ast.Subscript))}
        for n in ast.walk(value):
            harmless |= {id(a) for a in (*n.args, *(k.value for k in n.keywords))} if isinstance(n, ast.Call) else set()
            harmless |= {id(c) for c in (n.left, *n.comparators)} if isinstance(n, ast.Compare) else set()
            harmless |= (
                {id(m) for m in ast.walk(n.iter)} if isinstance(n, ast.comprehension) else set()
            )  # looked at on its own
        handed_on = [
            ast.unparse(n)
            for n in ast.walk(value)
            if isinstance(n, (ast.Name, ast.Attribute))
            and isinstance(n.ctx, ast.Load)
            and ast.unparse(n) in objects
            and id(n) not in harmless
        ]
        names = {
            ast.unparse(n) for target in targets for n in ast.walk(target) if isinstance(n, (ast.Name, ast.Attribute))
        }
        assert not handed_on or names & set(objects), (
            f"{file}: {', '.join(handed_on)} is handed on to {', '.join(sorted(names))}"
        )


@pytest.mark.parametrize(
    "owner, kind, name",
    sorted({(owner, kind, name) for _, owner, kind, name, _ in USES}, key=lambda use: (use[0], use[2])),
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_attribute_exists(owner, kind, name):
    assert hasattr(kind, name) or name in instance_attributes(kind), f"{kind} has no {name}"


# MMIO gives its methods to the object, by the device it is on: they have no signature of their own.
CALLS = [use for use in USES if use[4] is not None and hasattr(use[2], use[3])]


@pytest.mark.parametrize("use", CALLS, ids=lambda use: f"{use[1]}.{use[3]}")
def test_call_fits_the_signature(use):
    _, _, kind, name, call = use
    function = getattr(kind, name)
    own = [] if kind is pynq else [None]  # self
    inspect.signature(function.__init__ if inspect.isclass(function) else function).bind(
        *([None] if inspect.isclass(function) else own),
        *call.args,
        **{keyword.arg: keyword.value for keyword in call.keywords},
    )


def test_allocate_fits_the_signature():
    """`pynq.allocate` hands what it does not know on to the device's memory."""
    calls = [
        node
        for node in ast.walk(ast.parse((ROOT / "host/board/buffers.py").read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "self._allocate"
    ]
    assert calls
    for call in calls:
        keywords = {keyword.arg: keyword.value for keyword in call.keywords}
        inspect.signature(pynq.allocate).bind(*call.args, **keywords)
        inspect.signature(pynq.pl_server.xrt_device._xrt_allocate).bind(*call.args, device=None, memidx=0, **keywords)


@pytest.mark.parametrize("board, address, bits", [("pynq_z2", 0x40400000, 32), ("kv260", 0xA0000000, 40)])
def test_the_parser_finds_the_dma(tmp_path, board, address, bits):
    """PYNQ's own metadata parser on our handoff file, for both processors."""
    config = load_config("srcnn915", board)
    folder = handoff.write_overlay(tmp_path / board, config)
    parser = pynq.pl_server.embedded_device.RuntimeMetadataParser(
        pynq.pl_server.embedded_device.Metadata(input=pathlib.Path(folder / "srcnn.hwh"))
    )
    assert parser.family_ps == handoff.processor(config)["kind"]
    dma = parser.ip_dict[handoff.DMA]
    assert dma["type"] in pynq.lib.dma.DMA.bindto and dma["phys_addr"] == address
    assert dma["parameters"]["c_sg_length_width"] == "26" and dma["parameters"]["c_addr_width"] == str(bits)
    assert handoff.KERNEL in parser.systemgraph.blocks and handoff.KERNEL not in parser.ip_dict  # it has no registers
    assert {number for number, clock in parser.clock_dict.items() if clock["enable"]} == {0}


@pytest.mark.parametrize(
    "design, blocks", [("blink", []), ("register", [REGISTERS]), ("loop", [DMA]), ("srcnn", [DMA])]
)
def test_the_parser_reads_the_open_tools_designs(tmp_path, design, blocks):
    """PYNQ takes the handoff file of every design that the open tools place: clock, registers and where they are."""
    path = tmp_path / f"{design}.hwh"
    path.write_bytes(handoff_of(design, "xc7z020clg400-1", Clock((5, 3))))
    parser = pynq.pl_server.embedded_device.RuntimeMetadataParser(
        pynq.pl_server.embedded_device.Metadata(input=pathlib.Path(path))
    )
    assert parser.family_ps == "processing_system7"
    found = {name: ip for name, ip in parser.ip_dict.items() if name != "processing_system7_0"}
    assert sorted(found) == blocks and all(ip["phys_addr"] == 0x40400000 for ip in found.values())
    assert parser.clock_dict[0] == {"enable": 1, "divisor0": 5, "divisor1": 3}
    assert {number for number, clock in parser.clock_dict.items() if clock["enable"]} == {0}


@pytest.mark.parametrize("board", ["pynq_z2", "kv260"])
def test_the_overlay_has_the_dma(tmp_path, board, models):
    """As the driver opens it: PYNQ binds its DMA driver to the instance."""
    config = load_config("srcnn915", board)
    folder = handoff.write_overlay(tmp_path / board, config)
    real_pynq.on_board(real_pynq.SoftBoard(config, models["srcnn915"]))
    overlay = pynq.Overlay(str(folder / "srcnn.bit"))
    assert type(overlay.axi_dma_0) is pynq.lib.dma.DMA and type(overlay.axi_dma_0.sendchannel) is CHANNEL
    assert overlay.axi_dma_0.buffer_max_size == (1 << 26) - 1
