"""LLVM's integer intrinsics, every value of small widths against what the language reference says."""

import itertools
import types

import pytest

from hls.open.dataflow.evaluate import run, signed
from hls.open.dataflow.graph import Graph
from hls.open.lower.divide import Divider
from hls.open.lower.intrinsics import Intrinsics
from hls.open.read.llvm_text import Instruction


def clamp(x, width, sign):
    low, high = (-(1 << (width - 1)), (1 << (width - 1)) - 1) if sign else (0, (1 << width) - 1)
    return min(max(x, low), high)


def overflows(x, width, sign):
    return [x, int(clamp(x, width, sign) != x)]


def rotate(high, low, n, w, left):
    both = high << w | low
    return both >> (w - n % w) if left else both >> n % w


# name -> (signed arguments, result for width w); shifts by w or more are poison.
MEANING = {
    "uadd.sat": (False, lambda w, a, b: clamp(a + b, w, False)),
    "usub.sat": (False, lambda w, a, b: clamp(a - b, w, False)),
    "sadd.sat": (True, lambda w, a, b: clamp(a + b, w, True)),
    "ssub.sat": (True, lambda w, a, b: clamp(a - b, w, True)),
    "ushl.sat": (False, lambda w, a, b: clamp(a << b, w, False) if b < w else None),
    "sshl.sat": (True, lambda w, a, b: clamp(a << b, w, True) if 0 <= b < w else None),
    "uadd.with.overflow": (False, lambda w, a, b: overflows(a + b, w, False)),
    "usub.with.overflow": (False, lambda w, a, b: overflows(a - b, w, False)),
    "umul.with.overflow": (False, lambda w, a, b: overflows(a * b, w, False)),
    "sadd.with.overflow": (True, lambda w, a, b: overflows(a + b, w, True)),
    "ssub.with.overflow": (True, lambda w, a, b: overflows(a - b, w, True)),
    "smul.with.overflow": (True, lambda w, a, b: overflows(a * b, w, True)),
    "umin": (False, lambda w, a, b: min(a, b)),
    "smax": (True, lambda w, a, b: max(a, b)),
    "fshl": (False, lambda w, a, b, n: rotate(a, b, n, w, True)),
    "fshr": (False, lambda w, a, b, n: rotate(a, b, n, w, False)),
    "bitreverse": (False, lambda w, a: int(f"{a:0{w}b}"[::-1], 2)),
    "ctpop": (False, lambda w, a: a.bit_count()),
    "ctlz": (False, lambda w, a: w - a.bit_length()),
    "abs": (True, lambda w, a: abs(a)),
}


def lowered(name, width, count):
    """The result nodes of an intrinsic on inputs a, b, n."""
    graph = Graph()
    at = types.SimpleNamespace(graph=graph, divider=Divider(graph), operand=lambda text, kind: graph.input(text, width))
    kind = f"i{width}"
    extra = {"callee": f"llvm.{name}.{kind}", "types": [kind] * count}
    result = Intrinsics(at).call(Instruction("call", "%r", kind, list("abn"[:count]), extra))
    return result if isinstance(result, list) else [result]


@pytest.mark.parametrize("name", MEANING)
def test_every_value_of_small_widths(name):
    sign, meaning = MEANING[name]
    count = meaning.__code__.co_argcount - 1
    for width in (1, 2, 3, 4) if count < 3 else (1, 2, 3):
        nodes = lowered(name, width, count)
        for values in itertools.product(range(1 << width), repeat=count):
            arguments = [
                signed(v, width) if sign and not (".sat" in name and "shl" in name and i) else v
                for i, v in enumerate(values)
            ]
            wanted = meaning(width, *arguments)
            if wanted is not None:
                wanted = wanted if isinstance(wanted, list) else [wanted]
                masked = [w & ((1 << n.width) - 1) for w, n in zip(wanted, nodes, strict=True)]
                assert run(nodes, dict(zip("abn", values))) == masked, (width, values)
