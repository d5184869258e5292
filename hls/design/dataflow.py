"""The processes of a configuration and how they are joined: from it come C++ top, netlist, cycles and cost."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from hls.design import skips
from hls.design.kinds.add import AddProcess, ForkProcess
from hls.design.kinds.conv import FIFO_POSITIONS, ConvProcess
from hls.design.kinds.ends import PackerProcess, ParserProcess
from hls.design.kinds.scatter import SumProcess
from hls.design.kinds.shuffle import ShuffleProcess
from hls.design.process import Onward, Process, Stream, Word
from model.base.errors import UserError
from model.graph.formats import ACT_BITS
from model.graph.kinds import Add, Conv, Tensor
from model.graph.network import INPUT, Network

if TYPE_CHECKING:
    from hls.design.stage import Stage

CTRL_DEPTH, ANSWER_DEPTH = 4, 8
END_DEPTH = (
    16  # of pixels behind the parser, and of words in front of the packer: enough for what is in flight in a burst
)


@dataclasses.dataclass(frozen=True)
class Joined:
    """A process in its place.

    Attributes
    ----------
    process : Process
    streams : tuple of str
        In the order of `step`'s parameters.
    reads : int
        Of them it reads so many, the first.
    given : Tensor
        What its data input is; the network's input for the parser.
    source : str or None
        The process that this comes from.
    onward : Onward
        How a tile's size changes to the next process that takes commands.
    """

    process: Process
    streams: tuple
    reads: int
    given: Tensor
    source: str | None
    onward: Onward = Onward()


@dataclasses.dataclass(frozen=True)
class Dataflow:
    """Processes in an order in which data and commands pass them, and the FIFOs between them."""

    joined: tuple
    streams: tuple

    @property
    def processes(self) -> tuple[Process, ...]:
        """The processes, from the parser to the packer."""
        return tuple(joined.process for joined in self.joined)


@dataclasses.dataclass(frozen=True)
class _Source:
    """A tensor on its way: the stream that carries it, its words, and the process that it comes from."""

    stream: str
    word: Word
    words: int  # of a position
    process: str


def layer_processes(stage: Stage) -> tuple[Process, ...]:
    """Return the processes of a convolution with its folding."""
    return (ConvProcess(stage), SumProcess(stage)) if stage.scatter else (ConvProcess(stage),)


def packer_behind(network: Network, word: Word) -> PackerProcess:
    """Return the packer that the words of a network's output ask for."""
    return PackerProcess(network.out_ch, word.values)


def ordered_layers(network: Network) -> list:
    """Return the layers in the order of their processes: by scale, so that a size is never divided."""
    return sorted(network.layers, key=lambda layer: network.tensors[layer.inputs[0]].scale)


def lower(network: Network, stages: tuple[Stage, ...], width: int) -> Dataflow:
    """Return the `Dataflow` of a network.

    Data follows the graph; a tensor with several readers passes forks. Commands pass every process that takes them in
    turn; what is left of a tile's, its size, ends in the packer.

    Parameters
    ----------
    network : Network
    stages : tuple of Stage
        Of its convolutions.
    width : int
        Pixels of the widest tile, halo included.
    """
    return _Lowering(network, stages, width).dataflow()


class _Lowering:
    def __init__(self, network, stages, width):
        self.network, self.width = network, width
        self.stages = {stage.layer.name: stage for stage in stages}
        self.joined, self.streams = [], []
        self.sources = {}  # (tensor, reader) -> _Source
        self.last_reader = network.layers[-1].name
        convs = {stage.layer.name: stage.processes for stage in stages}
        self.crowded, self.pauses = skips.crowds(network, width, convs), skips.pauses(network, convs)

    def dataflow(self):
        parser = ParserProcess(self.network.in_ch)
        answers, ctrl = Stream("answers", "answer_t", ANSWER_DEPTH), Stream("ctrl", "ctrl_t", CTRL_DEPTH)
        pixels = Stream("pixels", "in_pixel_t", END_DEPTH)
        self.streams = [pixels, ctrl, answers]
        given = self.network.tensors[INPUT]
        self.joined = [Joined(parser, ("in", pixels.name, ctrl.name, answers.name), 1, given, None)]
        self.ctrl = ctrl
        self.distribute(INPUT, _Source(pixels.name, parser.out_word, 1, parser.name))
        for layer in ordered_layers(self.network):
            self.layer(layer)
        last = self.sources[self.last_reader, None]
        packer = packer_behind(self.network, last.word)
        self.joined.append(
            Joined(packer, (self.ctrl.name, answers.name, last.stream, "out"), 3, self.network.output, last.process)
        )
        return Dataflow(self.with_sizes(), tuple(self.streams))

    def layer(self, layer):
        """Append the processes of a layer."""
        source = self.sources[layer.inputs[0], layer.name]
        given = self.network.tensors[layer.inputs[0]]
        if isinstance(layer, Conv):
            for process in layer_processes(self.stages[layer.name]):
                source = self.append(process, given, [source], layer)
        elif isinstance(layer, Add):
            earlier = self.network.tensors[layer.inputs[1]]
            skip = self.sources[layer.inputs[1], layer.name]
            crop = (given.shrink - earlier.shrink) // 2
            depth = self.skip_depth(layer.inputs[1], layer, skip.words)
            process = AddProcess(layer.name, given.channels, earlier.channels, source.word, skip.word, crop, depth)
            source = self.append(process, given, [source, skip], layer)
        else:
            channels = given.channels // layer.factor**2
            pixels = layer.factor if layer.name == self.last_reader else 1
            max_w = given.scale * self.width - given.shrink
            process = ShuffleProcess(layer.name, layer.factor, channels, source.word, pixels, max_w)
            source = self.append(process, given, [source], layer)
        self.distribute(layer.name, source)

    def append(self, process, given, sources, layer):
        """Join a process that takes commands behind what it reads; return what it makes."""
        following = Stream(f"{process.name}_ctrl", "ctrl_t", CTRL_DEPTH)
        words = FIFO_POSITIONS * process.out_words
        name, word = f"{process.name}_data", f"{process.name}_kernel::out_t"
        inner = isinstance(layer, Conv) and process != layer_processes(self.stages[layer.name])[-1]
        readers = [] if inner else self.readers(layer.name)
        if readers == [None]:
            words = max(words, END_DEPTH)
        elif len(readers) == 1:
            words = self.depth(layer.name, readers[0], process)
        out = Stream(name, word, words)
        streams = (self.ctrl.name, *(source.stream for source in sources), following.name, out.name)
        self.joined.append(Joined(process, streams, 1 + len(sources), given, sources[0].process))
        self.streams += [following, out]
        self.ctrl = following
        return _Source(out.name, process.out_word, process.out_words, process.name)

    def readers(self, tensor):
        """Return the layers that read a tensor, those that add it as an earlier one last; [None]: the packer."""
        if tensor == self.last_reader:
            return [None]
        found = [layer for layer in self.network.layers if tensor in layer.inputs]
        return sorted(found, key=lambda layer: isinstance(layer, Add) and layer.inputs[1] == tensor)

    def distribute(self, tensor, source):
        """Give a tensor to its readers, through as many forks as that takes."""
        readers = self.readers(tensor)
        if readers == [None]:
            self.sources[tensor, None] = source
            return
        for number, reader in enumerate(readers[:-1], 1):
            fork = ForkProcess(tensor, source.word, source.words, number)
            taken = self.stream_for(f"{fork.name}_data", fork, tensor, reader)
            others = readers[number:]
            rest = self.stream_for(f"{fork.name}_rest", fork, tensor, others[0] if len(others) == 1 else None)
            given = self.network.tensors[tensor]
            self.joined.append(Joined(fork, (source.stream, taken.name, rest.name), 1, given, source.process))
            self.streams += [taken, rest]
            self.sources[tensor, reader.name] = dataclasses.replace(source, stream=taken.name)
            source = dataclasses.replace(source, stream=rest.name)
        self.sources[tensor, readers[-1].name] = source

    def stream_for(self, name, fork, tensor, reader):
        words = FIFO_POSITIONS * fork.words if reader is None else self.depth(tensor, reader, fork)
        return Stream(name, f"{fork.name}_kernel::out_t", words)

    def depth(self, tensor, reader, process):
        """Return the words of the FIFO between a tensor, which a process makes, and a reader."""
        words = FIFO_POSITIONS * process.out_words
        if not isinstance(reader, Add):
            return words
        if tensor == reader.inputs[1]:
            return self.skip_depth(tensor, reader, process.out_words)
        meanwhile = -(-self.pauses[reader.name] * process.out_words // process.steady)
        return max(words + meanwhile, self.crowded[reader.name, tensor])

    def skip_depth(self, tensor, reader, words):
        """Return the words of the FIFO in which a tensor waits for its addition."""
        return self.crowded[reader.name, tensor] + skips.SLACK * len(self.network.layers) * words

    def with_sizes(self):
        """Return what is joined, with the change of a tile's size on its way to the next process."""
        inner = [joined for joined in self.joined if joined.process.takes_commands][1:]
        onward = {}
        for joined, following in zip(inner, inner[1:]):
            given, then = joined.given, following.given
            scale, rest = divmod(then.scale, given.scale)
            if rest:
                raise UserError(
                    f"{self.network.name} has layers of scale {given.scale} and {then.scale}; the hardware takes "
                    f"scales that divide each other"
                )
            onward[joined.process.name] = Onward(then.shrink - scale * given.shrink, scale)
        return tuple(
            dataclasses.replace(joined, onward=onward.get(joined.process.name, joined.onward)) for joined in self.joined
        )


assert ACT_BITS == 8, "the streams' words are bytes"
