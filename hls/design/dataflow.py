"""The processes of a configuration and how they are joined: from it come C++ top, netlist, cycles and cost."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from hls.design.kinds.conv import FIFO_POSITIONS, ConvProcess
from hls.design.kinds.ends import PackerProcess, ParserProcess
from hls.design.kinds.scatter import SumProcess
from hls.design.process import Process, Stream

if TYPE_CHECKING:
    from hls.design.stage import Stage

CTRL_DEPTH, ANSWER_DEPTH = 4, 8
END_DEPTH = (
    16  # of pixels behind the parser, and of words in front of the packer: enough for what is in flight in a burst
)


@dataclasses.dataclass(frozen=True)
class Joined:
    """A process and its streams, in the order of `step`'s parameters; of them it reads the first `reads`."""

    process: Process
    streams: tuple
    reads: int


@dataclasses.dataclass(frozen=True)
class Dataflow:
    """Processes in the order in which data passes them, and the FIFOs between them."""

    joined: tuple
    streams: tuple


def layer_processes(stage: Stage) -> tuple[Process, ...]:
    """Return the processes of a layer with its folding."""
    return (ConvProcess(stage), SumProcess(stage)) if stage.scatter else (ConvProcess(stage),)


def list_processes(stages: tuple[Stage, ...]) -> tuple[Process, ...]:
    """Return all processes of a network's stages, the ends included."""
    inner = [process for stage in stages for process in layer_processes(stage)]
    assert all(process.param_beats for process in inner), "a message's gate takes it that a stage has parameters"
    return (ParserProcess(), *inner, packer_behind(stages[-1]))


def packer_behind(stage: Stage) -> PackerProcess:
    """Return the packer that the last stage's output asks for."""
    return PackerProcess(stage.layer.out_ch, layer_processes(stage)[-1].out_word.values)


def join(processes: tuple[Process, ...]) -> Dataflow:
    """Return the `Dataflow` of a list of processes.

    Commands pass every process in turn; what is left of a tile's, its size, ends in the packer.
    """
    parser, *inner, packer = processes
    answers, ctrl = Stream("answers", "answer_t", ANSWER_DEPTH), Stream("ctrl", "ctrl_t", CTRL_DEPTH)
    data = Stream("pixels", "act_t", END_DEPTH)
    joined, streams = [Joined(parser, ("in", data.name, ctrl.name, answers.name), 1)], [data, ctrl, answers]
    for process in inner:
        words = FIFO_POSITIONS * process.out_words
        following = Stream(f"{process.name}_ctrl", "ctrl_t", CTRL_DEPTH)
        out = Stream(
            f"{process.name}_data",
            f"{process.name}_kernel::out_t",
            max(words, END_DEPTH) if process is inner[-1] else words,
        )
        joined.append(Joined(process, (ctrl.name, data.name, following.name, out.name), 2))
        streams += [following, out]
        ctrl, data = following, out
    joined.append(Joined(packer, (ctrl.name, answers.name, data.name, "out"), 3))
    return Dataflow(tuple(joined), tuple(streams))
