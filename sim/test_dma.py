"""`dma_top` in Verilog (benches in benches/dma_*.py): transfers to the byte, faults, resets, AXI's rules."""

import json
import os

import pytest

from model.base.paths import BUILD

WATCHED = ("hls_open_merge",)  # the order in which words arrived


@pytest.fixture
def run_dma(options):
    """Return run(bench, test, address_bits, **environment): a cocotb test of a bench, in sim/, on the DMA."""
    from hls.dma.build import TOP, build_dma
    from sim.run import runner

    def run(bench, test, address_bits=32, **environment):
        again = f"pytest sim/test_dma.py -k {test} --seed {options['seed']}"
        waves = os.environ.get("WAVES") == "1"
        files, module = build_dma(address_bits=address_bits).files, f"sim.{bench}"
        runner.run_design("dma", files, TOP, module, test, options["seed"], again, waves, environment, WATCHED)

    return run


@pytest.mark.parametrize("test", ["every_length", "page_borders", "back_to_back", "full_rate", "registers"])
def test_transfers(run_dma, test):
    run_dma("benches.dma_transfers", test)


def test_wide_addresses(run_dma):
    run_dma("benches.dma_transfers", "wide_addresses", address_bits=40)


@pytest.mark.parametrize(
    "test",
    [
        "memory_errors",
        "unaligned_addresses",
        "wrong_packets",
        "packet_without_end",
        "reset_at_any_time",
        "reset_waits_for_memory",
        "idle_and_halted",
    ],
)
def test_faults(run_dma, test):
    run_dma("benches.dma_faults", test)


@pytest.mark.parametrize("test", ["transfers", "errors"])
def test_under_pynqs_own_driver(run_dma, test):
    found = sorted(BUILD.glob("pynq-*/lib/python*/site-packages/pynq/lib/dma.py"))
    if not found:
        pytest.skip("there is no pynq package in build/pynq-*: `make setup` could not install it")
    run_dma("board.dma_pynq", test, SIM_PYNQ=str(found[0]))


def test_verilog_does_what_the_cpp_does(run_dma, tmp_path):
    """All words that left the hardware, from those that came in and the order in which its merges took them."""
    from hls.dma.model import OUTPUTS, run_model

    path = tmp_path / "words.json"
    run_dma("benches.dma_record", "record", SIM_RECORD=str(path))
    words = json.loads(path.read_text())
    sent, _ = run_model(words)
    for stream in set(OUTPUTS) - {"interrupts"}:
        assert sent[stream] == words[stream], stream
    # The order decides: with another one the C++ does something else.
    other = words | {"register_events": words["register_events"][::-1]}
    assert run_model(other)[0]["lite_r"] != words["lite_r"]
