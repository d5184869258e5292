"""The pipeliner: what a schedule has to keep to, on random kernels and on the product's own."""

import dataclasses

import pytest

from hls.open.errors import Refused
from hls.open.pipeline.fabric import FABRICS, SERIES7_1, fabric_of
from hls.open.pipeline.schedule import schedule
from hls.open.pipeline.timing import MULTIPLY_STAGES, RAM_LATENCY, Timing, lag
from tests.open.tools import need

SEEDS = range(30001, 30031)


@pytest.fixture(scope="module")
def kernels(tmp_path_factory):
    """Random kernels as steps; those whose RAM data decides the next step are left out."""
    need("ziglang", "llvmlite")
    from sim.fuzz.compare.interpreted import lower
    from sim.fuzz.random_kernels import random_kernel

    steps = []
    for step in lower([random_kernel(seed) for seed in SEEDS], tmp_path_factory.mktemp("kernels")):
        try:
            schedule(step)
        except Refused:
            continue
        steps.append(step)
    assert len(steps) > len(SEEDS) / 2
    return steps


def check(step, plan, timing):
    """Every rule of `hls/open/pipeline/schedule.py`, from the step and the stages alone."""
    registers = {r.value: r for r in step.registers}
    reads = {p.data: p for p in step.ports if p.direction == "read"}

    def there(node):
        return 0 if node.op == "literal" else plan.stage[node]

    seen, stack = (
        set(),
        [r.next for r in step.registers]
        + [n for p in step.ports for n in (p.predicate, p.data, p.address) if n is not None],
    )
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        stack.extend(node.args)
        if node in reads:
            assert plan.stage[node] == plan.issue[reads[node].name] + RAM_LATENCY
        elif node.args:
            taken = plan.takes.get(node, plan.stage[node])
            assert all(there(a) <= taken for a in node.args), f"{node} takes what is not there yet"
            assert plan.stage[node] == taken + (MULTIPLY_STAGES if node in plan.takes else 0)
    early, stack = set(), [p.predicate for p in step.ports if p.direction == "in"]
    while stack:
        node = stack.pop()
        if node not in early:
            early.add(node)
            stack.extend((registers[node].next,) if node in registers else node.args)
    for value, register in registers.items():
        assert there(register.next) <= plan.stage[value] < plan.depth, (
            f"{register.name} is written a stage after the next step has read it"
        )
        assert (plan.stage[value] == 0) == (value in early), (
            f"{register.name} decides whether a step begins, or is enabled late"
        )
    for p in step.ports:
        if p.direction == "read" and p.name in plan.issue:
            assert there(p.address) <= plan.issue[p.name]
        if p.direction in ("out", "write"):
            assert plan.done[p.name, p.direction] >= 1
        if p.direction == "in":
            assert there(p.predicate) == 0, "whether a stream is read is known in stage 0"
        if p.direction in ("out", "write"):
            assert (
                max(there(n) for n in (p.predicate, p.data, p.address) if n is not None)
                <= plan.done[p.name, p.direction]
                < plan.depth
            )
        if p.direction == "write" and p.name in plan.issue:
            assert 0 <= plan.done[p.name, "write"] - plan.issue[p.name] <= lag(p)


@pytest.mark.parametrize("budget_ps", [1500, 4000, 20000])
def test_schedules_of_random_kernels_keep_the_rules(kernels, budget_ps):
    timing = Timing(SERIES7_1, budget_ps)
    checked = 0
    for step in kernels:
        try:
            plan = schedule(step, timing)
        except Refused:  # a RAM that is written with what was read takes longer than RAM_LAG
            continue
        check(step, plan, timing)
        checked += 1
    assert checked > len(kernels) / 2


def test_a_shorter_period_gives_more_stages(kernels):
    free = [
        step for step in kernels if not any(p.direction == "write" for p in step.ports)
    ]  # no RAM that has to be written in time
    assert len(free) > 5
    depths = [
        sum(schedule(step, dataclasses.replace(Timing(), budget_ps=budget)).depth for step in free)
        for budget in (1000, 3000, 12000)
    ]
    assert depths[0] > depths[1] > depths[2]


def test_ram_data_that_decides_what_is_read_is_refused(tmp_path):
    need("ziglang", "llvmlite")
    from hls.open.route import lower_source
    from tests.open.test_route import HEAD

    source = (
        HEAD
        + """
#include <ram.h>
using hls_open::ram;
struct K { ram<ap_uint<8>, 64> table; ap_uint<6> at = 0;
    void step(hls::stream<ap_uint<8>>& in, hls::stream<ap_uint<8>>& out) {
        at++;
        ap_uint<8> x = 0;
        if (table.read(at) == 3) x = in.read();
        out.write(x);
    } };
"""
    )
    step = lower_source(source, {"k": "K"}, directory=tmp_path)["k"]
    with pytest.raises(Refused, match="'table' decides whether a stream is read"):
        schedule(step)


def test_fabrics_are_found_by_part():
    from hls.design.boards import list_boards
    from hls.design.load import load_config

    for board in list_boards():
        assert fabric_of(load_config("srcnn915", board).part) in FABRICS.values()
    with pytest.raises(Refused, match="lfe5u-85f are not known, only those of xc7z"):
        fabric_of("lfe5u-85f")


def test_wider_additions_and_larger_loads_take_longer():
    from hls.open.dataflow.graph import Graph

    graph = Graph()
    sums = [graph.add(graph.input(f"a{w}", w), graph.input(f"b{w}", w)) for w in (8, 24, 48)]
    delays = [SERIES7_1.delay(node) for node in sums]
    assert delays == sorted(delays) and delays[0] < delays[2]
    assert SERIES7_1.fan_out(4) == 0 < SERIES7_1.fan_out(64) < SERIES7_1.fan_out(1024)
