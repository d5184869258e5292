"""The longest paths of a placed design: from nextpnr's SDF, and one stage as a design of its own."""

import json
import re
import types

import pytest

from hls.place.alone import alone, wrapper
from hls.place.paths import kinds, read_paths, register_names
from model.base.errors import UserError

# Two flip-flops through a LUT of two inputs to a third one, and a DSP behind it; a path through the LUT's slower input.
SDF = r"""
        (INTERCONNECT \$a\:1/Q lut/A1 (900:900:900) (900:900:900))
        (INTERCONNECT held/Q lut/A2 (400:400:400) (400:400:400))
        (INTERCONNECT lut/O6 \$c/D (300:300:300) (300:300:300))
        (INTERCONNECT lut/O6 mult/A0 (2500:2500:2500) (2500:2500:2500))
    (INSTANCE \$a\:1)
        (IOPATH CK Q (100:100:100) (100:100:100))
      (SETUPHOLD (posedge D) (posedge CK) (50:50:50) (50:50:50))
    (INSTANCE held)
        (IOPATH CK Q (100:100:100) (100:100:100))
      (SETUPHOLD (posedge D) (posedge CK) (50:50:50) (50:50:50))
    (INSTANCE lut)
        (IOPATH A1 O6 (120:120:120) (120:120:120))
        (IOPATH A2 O6 (700:700:700) (700:700:700))
    (INSTANCE \$c)
        (IOPATH CK Q (100:100:100) (100:100:100))
      (SETUPHOLD (posedge D) (posedge CK) (50:50:50) (50:50:50))
    (INSTANCE mult)
      (SETUPHOLD (posedge A0) (posedge CLK) (360:360:360) (0:0:0))
"""


@pytest.fixture
def paths(tmp_path):
    nets = {"$auto$7": {"bits": [7]}, "top.n12": {"bits": [6, 7]}, "top.s_x": {"bits": [8]}}
    cells = {
        "$a:1": {"connections": {"D": ["0"], "Q": [7]}},
        "$c": {"connections": {"D": [9], "Q": [8]}},
        "held": {"connections": {"Q": [5]}},
    }
    module = {"attributes": {"top": "1"}, "netnames": nets, "cells": cells}
    (tmp_path / "netlist.json").write_text(json.dumps({"modules": {"top": module}}))
    (tmp_path / "design.sdf").write_text(SDF)
    return read_paths(tmp_path / "design.sdf", register_names(tmp_path / "netlist.json"))


def test_the_worst_path_into_each_register(paths):
    """100 + 400 + 700 through one input of the LUT is later than 100 + 900 + 120 through the other."""
    assert [(p.delay_ps, p.start, p.end) for p in paths] == [
        (1200 + 2500 + 360, "held", "mult.A0"),
        (1200 + 300 + 50, "held", "top.s_x"),
    ]
    assert (paths[0].net_ps, paths[0].net, paths[0].loads, paths[0].cells) == (2500, "lut", 2, 1)


def test_paths_of_one_kind_are_a_row(paths):
    rows = kinds([*paths, *paths], 2000)
    assert [(row["paths"], row["from"], row["ns"]) for row in rows] == [(1, "held", 4.06)]
    assert [row["to"] for row in kinds(paths, 1000)] == ["mult.A0", "top.s_x"]


def test_a_stage_alone_has_all_its_streams_connected(tmp_path):
    """Each pin once, no two of one direction on the same bit."""
    streams = {"ctrl": ("in", 65), "in": ("in", 8), "next": ("out", 65), "out": ("out", 20)}
    text = wrapper("conv", streams)
    pins = re.findall(r"\.(\w+)_(data|valid|ready)\((feed|out)\[(\d+):(\d+)\]\)", text)
    assert [(name, part) for name, part, *_ in pins] == [
        (name, part) for name in streams for part in ("data", "valid", "ready")
    ]
    for side, total in (("feed", 65 + 1 + 8 + 1 + 1 + 1), ("out", 1 + 1 + 65 + 1 + 20 + 1)):
        used = [i for *_, which, high, low in pins if which == side for i in range(int(low), int(high) + 1)]
        assert sorted(used) == list(range(total))
    with pytest.raises(UserError, match="there is no stage 'conv9'; choose one of conv"):
        alone(types.SimpleNamespace(stages={"conv": {}}), "conv9")
