"""`srcnn_top` in Verilog against the golden model, beat for beat (benches in top_bench.py)."""

import json

import pytest

from model.paths import BUILD
from model.report import write_report


@pytest.mark.parametrize("test", ["every_packet_and_every_error", "tiles_of_odd_sizes", "reset_in_the_middle"])
def test_top(simulate, test):
    simulate("srcnn_top", "top_bench", test)


def test_cycles(simulate, hardware):
    """Cycles of queued tiles against the model; writes build/reports/cycles.json."""
    path = BUILD / "sim" / f"cycles-{hardware.name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    simulate("srcnn_top", "top_bench", "cycles_of_queued_tiles", SIM_CYCLES=str(path))
    rows = json.loads(path.read_text())
    assert rows[0]["bit_exact"] and rows[0]["cycles_per_pixel_tile"] > rows[0]["cycles_per_pixel_steady"]
    write_report("cycles", rows)
