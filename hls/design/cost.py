"""What a folding costs on an FPGA: DSPs, block RAMs, LUTs, flip-flops of each stage, from the configuration alone.

DSPs and RAMs are counted as the kernels and the primitives have them. LUTs and flip-flops are linear in a few sizes of
a stage, with coefficients fitted to what Yosys reports (`python -m hls.report.cost_fit fit`). How well the model and
Yosys agree is shown by `python -m hls.report.cost_fit check`.
"""

from __future__ import annotations

import operator
import typing
from typing import TYPE_CHECKING

from model.graph.formats import ACT_BITS, BIAS_BITS, WEIGHT_BITS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hls.design.kinds.add import AddProcess
    from hls.design.kinds.shuffle import ShuffleProcess
    from hls.design.stage import Stage

# What must be left free, so that placing and routing has a chance. DSPs and their columns may be full.
LIMITS = {"dsp": 1.0, "bram36": 0.85, "uram": 0.85, "lut": 0.85, "ff": 0.85}
DISTRIBUTED_DEPTH = 64  # RAMs of up to so many words are made of LUTs (hls/open/rtl/hls_open_ram.sv)
DEEP_FIFO = 256  # FIFOs of more words lie in block RAM (DEEP of hls/open/pipeline/netlist.py)
BEAT_BITS = 64  # of a parameter word, and of a piece of a PE's weights (hls/kernels/parameters.hpp)
MAX_WORD = 4096  # widest ap_int (AP_INT_MAX_W of hls/kernels/types.hpp)
# Simple dual-port block RAMs: words -> bits of a word.
RAMB36 = {512: 72, 1024: 36, 2048: 18, 4096: 9, 8192: 4, 16384: 2, 32768: 1}
RAMB18 = {512: 36, 1024: 18, 2048: 9, 4096: 4, 8192: 2, 16384: 1}
PIPELINE_WORDS = 16  # words of a MAC array's output FIFO beyond its declared depth: about one for each pipeline stage


class Cost(typing.NamedTuple):
    """Resources; `+` and `-` are for each. A LUT is one LUT6, whatever it is used for."""

    dsp: int = 0
    bram36: float = 0
    uram: int = 0
    lut: float = 0
    ff: float = 0

    def __add__(self, other):
        return Cost(*map(operator.add, self, other))

    def __sub__(self, other):
        return Cost(*map(operator.sub, self, other))


# Fitted to Yosys: LUTs and flip-flops per unit of `mac_sizes` and `sum_sizes`.
LUT = {
    "rotation": 0.968,
    "window": 0.183,
    "adders": 1.055,
    "accumulators": 0.942,
    "requantise": 7.771,
    "products": 60.549,
    "control": 420.787,
    "sum_stage": 0.0,
    "sum_chains": 0.906,
}
FF = {
    "rotation": 0.07,
    "window": 1.074,
    "adders": 1.3,
    "accumulators": 1.524,
    "requantise": 4.777,
    "products": 50.936,
    "control": 346.766,
    "sum_stage": 0.0,
    "sum_chains": 1.71,
}
PARSER = Cost(lut=672, ff=555)
PACKER = Cost(lut=454, ff=516)
# Counted by Yosys on single stages: what a bit of a word takes, and what does not depend on words.
RGB_PARSER = Cost(lut=100, ff=40)  # more than PARSER: pixels that lie in two beats
ACROSS_BEATS = Cost(lut=170, ff=60)  # more than PACKER: parts that lie in two beats
FORK = Cost(lut=20, ff=15)
ADD = Cost(lut=150, ff=200)
SHUFFLE = Cost(lut=200, ff=250)


class Ram(typing.NamedTuple):
    """`count` memories of `depth` words of `width` bits, each with one read and one write port."""

    name: str
    count: int
    width: int
    depth: int

    @property
    def distributed(self) -> bool:
        """True if it is made of LUTs."""
        return self.depth <= DISTRIBUTED_DEPTH

    @property
    def cost(self) -> Cost:
        """Memory and what joins its parts; the registers at a distributed one's output are flip-flops of the stage."""
        if self.distributed:
            return Cost(lut=self.count * distributed_lut(self.width, self.depth))
        # The aspect ratio that takes the fewest blocks. Where they are stacked, LUTs choose between them.
        blocks, stack = min(
            (share * -(-self.width // bits) * stack, stack)
            for share, shapes in ((1, RAMB36), (0.5, RAMB18))
            for stack, bits in ((-(-self.depth // words), bits) for words, bits in shapes.items())
        )
        return Cost(bram36=self.count * blocks, lut=self.count * self.width * (stack > 1))


def index_bits(n: int) -> int:
    """Return the bits that hold 0..n - 1, at least one."""
    return max(1, (n - 1).bit_length())


def distributed_lut(width: int, depth: int) -> int:
    """Return the LUTs of a memory made of them: RAM32M (6 bits x 32) and RAM64M (3 bits x 64) take four."""
    return 4 * -(-width // 6) if depth <= 32 else 4 * -(-width // 3) * -(-depth // 64)


def mac_rams(stage: Stage) -> list[Ram]:
    """Return the RAMs of a stage's MAC array and line buffer (hls/kernels/parameters.hpp, line_buffer.hpp)."""
    whole, rest = divmod(stage.simd * WEIGHT_BITS, BEAT_BITS)
    rams = [
        Ram("weights", stage.pe * whole, BEAT_BITS, stage.fold),
        Ram("weights, the rest", stage.pe * bool(rest), rest, stage.fold),
    ]
    if not stage.scatter:
        rams.append(Ram("bias_shift", stage.pe, BIAS_BITS + 5, stage.out_fold))
    if stage.mac_k > 1:
        rams.append(Ram("line buffer", 1, (stage.mac_k - 1) * stage.layer.in_ch * ACT_BITS, stage.max_w))
    return rams


def mac_memory(stage: Stage) -> Cost:
    """Return the `Cost` of a MAC array's RAMs, of the registers in front of them, and of its output FIFO, which holds
    two positions and the pipeline.
    """
    address = index_bits(stage.fold)
    parcel = (
        BEAT_BITS + address + index_bits(stage.pe) + index_bits(stage.weight_beats) + 3
    )  # of a PE; 3: valid, here, bias
    registers = Cost(ff=stage.pe * (parcel + address))
    width = stage.pe * (stage.raw_bits if stage.scatter else ACT_BITS)
    fifo = Cost(lut=distributed_lut(width, 2 * stage.out_fold + PIPELINE_WORDS))
    return total([fifo, registers, *(ram.cost for ram in mac_rams(stage))])


def sum_rams(stage: Stage) -> list[Ram]:
    """Return the RAMs of the second half of a scattering stage: the partial sums (hls/kernels/sum_stage.hpp)."""
    layer = stage.layer
    return [Ram("partial sums", 1, layer.out_ch * (layer.k - 1) * layer.acc_bits, stage.max_w)]


def sum_memory(stage: Stage) -> Cost:
    """Return the `Cost` of those RAMs."""
    return total(ram.cost for ram in sum_rams(stage))


def adder_bits(stage: Stage) -> int:
    """Bits of all adders between products and accumulators: two trees of SIMD operands for a pair, one without
    packing.
    """
    width, operands, bits = WEIGHT_BITS + ACT_BITS, stage.simd, 0
    while operands > 1:
        width += 1
        bits += operands // 2 * width
        operands -= operands // 2
    return stage.pe * bits


def mac_sizes(stage: Stage) -> dict[str, int]:
    """Return {coefficient: size in bits} of a MAC array, whose weighted sum is its logic or its flip-flops."""
    layer = stage.layer
    acc_bits = stage.raw_bits if stage.scatter else layer.acc_bits
    window = stage.tap_fold * stage.simd * ACT_BITS
    return {
        "rotation": window
        if stage.tap_fold > 1
        else 0,  # each bit comes from its neighbour in the window or in the column
        "window": window + (stage.mac_k + 1) * layer.in_ch * ACT_BITS,  # and column, pixel
        "adders": adder_bits(stage),
        "accumulators": stage.pe * acc_bits,
        "requantise": 0 if stage.scatter else stage.pe * acc_bits,
        "products": stage.pe * stage.lut_taps,  # those without a DSP
        "control": 1,
    }


def mac_widest(stage: Stage) -> dict[str, int]:
    """Return {what: bits} of the widest ap_int values of a MAC array."""
    words = {
        "the weights of a PE": stage.weight_beats * BEAT_BITS,
        "the pixels of a column": stage.mac_k * stage.layer.in_ch * ACT_BITS,
        "the outputs": stage.pe * (stage.raw_bits if stage.scatter else ACT_BITS),
    }
    return words


def sum_widest(stage: Stage) -> dict[str, int]:
    """Return {what: bits} of the widest ap_int values of the second half of a scattering stage."""
    layer = stage.layer
    return {
        "the products of a position": stage.mac_out_ch * stage.raw_bits,
        "the partial sums of a position": layer.out_ch * (layer.k - 1) * layer.acc_bits,
    }


def sum_sizes(stage: Stage) -> dict[str, int]:
    """Return {coefficient: size} of the second half of a scattering stage: products, their chains, requantisers."""
    layer = stage.layer
    return {"sum_stage": 1, "sum_chains": stage.mac_out_ch * (stage.raw_bits + layer.acc_bits)}


def parser_cost(channels: int) -> Cost:
    """Return the modelled `Cost` of the parser of pixels of so many bytes."""
    return PARSER if BEAT_BITS % (channels * ACT_BITS) == 0 else PARSER + RGB_PARSER


def packer_cost(part: int) -> Cost:
    """Return the modelled `Cost` of the packer that places so many bytes in a step."""
    return PACKER if BEAT_BITS % (part * ACT_BITS) == 0 else PACKER + ACROSS_BEATS


def fifo_cost(width: int, depth: int) -> Cost:
    """Return the modelled `Cost` of a FIFO, of LUTs or of block RAM (hls/open/rtl/hls_open_fifo.sv)."""
    if depth <= DEEP_FIFO:
        return Cost(lut=distributed_lut(width, depth))
    return Ram("fifo", 1, width, depth).cost + Cost(ff=width)


def fork_cost(width: int) -> Cost:
    """Return the modelled `Cost` of a fork with words of so many bits, without the FIFO of a skip."""
    return FORK + Cost(lut=distributed_lut(width, PIPELINE_WORDS), ff=width)


def add_cost(add: AddProcess) -> Cost:
    """Return the modelled `Cost` of an addition, with the FIFO in which the earlier tensor waits."""
    skip, word = add.skip_word.values * ACT_BITS, add.word.values * ACT_BITS
    fifos = fifo_cost(skip, add.skip_depth) + Cost(lut=distributed_lut(word, PIPELINE_WORDS))
    return ADD + Cost(lut=3 * word, ff=4 * word + 2 * add.earlier * ACT_BITS) + fifos


def shuffle_rams(shuffle: ShuffleProcess) -> list[Ram]:
    """Return the RAMs of depth-to-space: two rows of positions (hls/kernels/shuffle_stage.hpp)."""
    return [Ram("rows", 1, shuffle.position * ACT_BITS, 2 * shuffle.max_w)]


def shuffle_cost(shuffle: ShuffleProcess) -> Cost:
    """Return the modelled `Cost` of depth-to-space."""
    bits = shuffle.position * ACT_BITS
    fifo = Cost(lut=distributed_lut(shuffle.out_word.values * ACT_BITS, 2 * PIPELINE_WORDS))
    return total([SHUFFLE, Cost(lut=bits, ff=3 * bits), fifo, *(ram.cost for ram in shuffle_rams(shuffle))])


def mac_cost(stage: Stage) -> Cost:
    """Return the modelled `Cost` of a MAC array with its line buffer, its RAMs and its output FIFO."""
    sizes = mac_sizes(stage)
    return total([Cost(dsp=stage.dsp, lut=_weigh(sizes, LUT), ff=_weigh(sizes, FF)), mac_memory(stage)])


def sum_cost(stage: Stage) -> Cost:
    """Return the modelled `Cost` of the second half of a scattering stage."""
    sizes = sum_sizes(stage)
    return total([Cost(lut=_weigh(sizes, LUT), ff=_weigh(sizes, FF)), sum_memory(stage)])


def total(costs: Iterable[Cost] | dict[str, Cost]) -> Cost:
    """Return the sum of an iterable of `Cost`, or of a dict's values."""
    return sum(costs.values() if isinstance(costs, dict) else costs, start=Cost())


def _weigh(sizes, coefficients):
    return sum(coefficients.get(name, 0) * size for name, size in sizes.items())
