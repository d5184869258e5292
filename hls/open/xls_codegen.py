"""Fifth pass: XLS optimises, schedules and pipelines a proc, and writes SystemVerilog.

Code generator 2.0 is asked for explicitly: 1.5, the default, loses RAM read responses when its own RAM channels
meet a stall. Options are passed as text, which alone reaches all of them.
"""

import re
from dataclasses import dataclass, replace

from hls.open.errors import Refused
from hls.open.feedback import longest_feedback
from hls.open.xls_ir import GO, proc_text
from hls.open.xls_run import load_xls

BOX = 0.95
RELAX = (1, 1.2, 1.5, 1.8, 2.2, 2.7, 3.3, 4)


RAM_LAG = 2   # cycles between a step's read of a RAM and its write, at most


@dataclass(frozen=True)
class Timing:
    """What decides the pipeline: XLS fills a stage up to `period_ps` of the delays in `model`.

    `ram_latency`: cycles from a RAM's address to its data.
    """

    model: str = "sky130"
    period_ps: int = 2000
    ram_latency: int = 1
    stages: int = 0             # a fixed number of stages instead, 0: as many as the period needs


@dataclass
class Stage:
    """A step as Verilog: module text and the number of pipeline stages."""

    step: object
    text: str
    depth: int
    timing: Timing


def scheduling_options(step, timing):
    """Return the scheduler's options as a text proto."""
    options = [f'delay_model: "{timing.model}"', "worst_case_throughput: 1", f"clock_period_ps: {timing.period_ps}",
               f"ffi_fallback_delay_ps: {int(timing.period_ps * BOX)}"]      # products and closed sums: a stage each
    if timing.stages:
        options.append(f"pipeline_stages: {timing.stages}")
    for p in step.ports:
        if p.direction == "read":      # fixed latency, no handshake
            options.append(f'io_constraints: "{p.name}_rd_req:send:{p.name}_rd_resp:recv:{timing.ram_latency}:{timing.ram_latency}"')
            if step.port(p.name, "write"):   # a kernel may read an address again RAM_LAG + 1 steps after it wrote it
                options.append(f'io_constraints: "{p.name}_rd_req:send:{p.name}_wr:send:{-RAM_LAG}:{RAM_LAG}"')
        elif p.direction == "in":      # a step takes all its inputs when it begins, and never waits later
            options.append(f'io_constraints: "{GO}:recv:{p.name}:recv:0:0"')
    return " ".join(options)


def codegen_flags(name):
    """Return the code generator's options as a text proto."""
    return (f'generator: GENERATOR_KIND_PIPELINE module_name: "{name}" top: "{name}" '
            'reset: "rst" reset_active_low: false reset_asynchronous: false reset_data_path: false '
            "use_system_verilog: true flop_inputs: false flop_outputs: false flop_single_value_channels: false "
            'streaming_channel_data_suffix: "_data" streaming_channel_valid_suffix: "_valid" '
            # XLS's optimiser takes it that a receive whose predicate is false gives zeros; only this makes it true.
            "gate_recvs: true "
            'streaming_channel_ready_suffix: "_ready" codegen_version: CODEGEN_VERSION_TWO_DOT_ZERO')


def generate(step, timing=Timing()):
    """Return the `Stage` of a `Step`, at the smallest period from `timing.period_ps` on that its feedback allows.

    What feeds state back has to fit into one stage. Where it doesn't, the period of this kernel is raised step by
    step to `RELAX` times the one asked for; `Stage.timing` tells the one used.

    Raises
    ------
    Refused
        If no such period allows one step per cycle, or RAM data decides the next step; the message is XLS's own.
    """
    xls = load_xls()
    raw = xls.raw.c_api
    optimised = xls.optimize_ir(proc_text(step), step.name)
    for factor in RELAX:
        used = replace(timing, period_ps=int(timing.period_ps * factor))
        try:
            package = xls.Package.parse_ir(optimised)
            result = raw.xls_schedule_and_codegen_package(package._raw, scheduling_options(step, used), codegen_flags(step.name), True)
        except RuntimeError as error:
            last = str(error)
            if "throughput" not in last and "clock period" not in last:
                break
            continue
        text = raw.xls_schedule_and_codegen_result_get_verilog_text(result)
        numbers = [int(n) for n in re.findall(r"\bp(\d+)_", text)]
        return Stage(step, text, max(numbers, default=0) + 1, used)
    longest = "; ".join(str(path) for path in longest_feedback(step))
    raise Refused(f"XLS can't pipeline '{step.name}' with one step per cycle at {used.period_ps} ps of {timing.model}: "
                  f"{last[:600]}. RAM data can't decide the next step; the longest feedback is {longest or 'none'}")
