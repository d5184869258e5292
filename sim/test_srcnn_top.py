"""`srcnn_top` in Verilog against the golden model, beat for beat (benches in benches/top_bench.py)."""

import pytest


@pytest.mark.parametrize(
    "test", ["every_packet_and_every_error", "tiles_of_odd_sizes", "reset_in_the_middle", "cycles_of_queued_tiles"]
)
def test_top(simulate, test):
    simulate("srcnn_top", "sim.benches.top_bench", test)
