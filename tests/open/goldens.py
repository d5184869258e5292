"""What the examples of hls/open/examples compute, said a second time in Python: inputs, and what has to come out.

A word of a stream is an integer, its fields one above the other, the first lowest. Each function returns a `Run` of
the inputs it makes up; how it computes has nothing of the C++.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Stream:
    """A stream of a kernel: its C++ type, and the members that it carries with their widths ("": the word itself)."""

    name: str
    type: str
    fields: tuple[tuple[str, int], ...]

    @property
    def width(self) -> int:
        return sum(width for _, width in self.fields)

    def pack(self, *values: int) -> int:
        """Return the word of some field values."""
        word, at = 0, 0
        for (_, width), value in zip(self.fields, values, strict=True):
            word |= (int(value) & ((1 << width) - 1)) << at
            at += width
        return word


@dataclass(frozen=True)
class Run:
    """Words that go in and come out, by stream, and the steps that takes."""

    inputs: dict[str, list[int]]
    outputs: dict[str, list[int]]
    steps: int


@dataclass(frozen=True)
class Example:
    """A kernel of `hls/open/examples/<name>.hpp`, its streams in the order of `step`, and its golden function."""

    name: str
    kernel: str
    inputs: tuple[Stream, ...]
    outputs: tuple[Stream, ...]
    golden: Callable[[Example, random.Random], Run]


def integer(name: str, type_name: str, width: int) -> Stream:
    """Return a stream of plain integers."""
    return Stream(name, type_name, (("", width),))


def signed(rng: random.Random, bits: int) -> int:
    """Return a random signed number, the extremes often."""
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    return rng.choice([low, high, 0, rng.randint(low, high), rng.randint(low, high)])


def fir(example: Example, rng: random.Random) -> Run:
    samples = [signed(rng, 16) for _ in range(120)]
    filtered = np.convolve(samples, [-3, 0, 19, 32, 19, 0, -3])[: len(samples)]
    out = example.outputs[0]
    return Run(
        {"in": [example.inputs[0].pack(x) for x in samples]}, {"out": [out.pack(x) for x in filtered]}, len(samples)
    )


def histogram(example: Example, rng: random.Random) -> Run:
    words, out = [], []
    for length in (90, 1, 60):
        values = [rng.choice([0, 7, 7, 255, rng.randrange(256)]) for _ in range(length)]
        words += [example.inputs[0].pack(x, i == length - 1) for i, x in enumerate(values)]
        out += np.bincount(values, minlength=256).tolist()
    return Run({"in": words}, {"out": out}, len(words) + len(out))


class Aes:
    """AES-128 byte by byte, after FIPS 197 (csrc.nist.gov/pubs/fips/197/final); a block is a list of 16 bytes."""

    # Input, key, output: the example of appendix B, and that of appendix C.1.
    VECTORS = (
        ("3243f6a8885a308d313198a2e0370734", "2b7e151628aed2a6abf7158809cf4f3c", "3925841d02dc09fbdc118597196a0b32"),
        ("00112233445566778899aabbccddeeff", "000102030405060708090a0b0c0d0e0f", "69c4e0d86a7b0430d8cdb78070b4c55a"),
    )

    @staticmethod
    def times(a: int, b: int) -> int:
        """Multiply in GF(2^8) (section 4.2)."""
        result = 0
        for bit in range(8):
            if b >> bit & 1:
                result ^= a
            a = a << 1 ^ (0x11B if a & 0x80 else 0)
        return result

    def __init__(self) -> None:
        inverse = [next((b for b in range(256) if self.times(a, b) == 1), 0) for a in range(256)]
        rotated = [[(x << n | x >> (8 - n)) & 0xFF for n in range(5)] for x in inverse]
        self.sbox = [0x63 ^ a ^ b ^ c ^ d ^ e for a, b, c, d, e in rotated]  # section 5.1.1

    def round(self, state: Sequence[int], key: Sequence[int], last: bool) -> list[int]:
        shifted = [self.sbox[state[(i + 4 * (i % 4)) % 16]] for i in range(16)]
        if not last:
            matrix = [(2, 3, 1, 1), (1, 2, 3, 1), (1, 1, 2, 3), (3, 1, 1, 2)]
            shifted = [
                self._sum(self.times(shifted[i - i % 4 + j], matrix[i % 4][j]) for j in range(4)) for i in range(16)
            ]
        return [a ^ b for a, b in zip(shifted, key, strict=True)]

    def round_keys(self, key: Sequence[int]) -> list[list[int]]:
        words, power = [list(key[i : i + 4]) for i in range(0, 16, 4)], 1
        for i in range(4, 44):
            word = words[-1]
            if i % 4 == 0:
                word = [self.sbox[x] for x in word[1:] + word[:1]]
                word[0] ^= power
                power = self.times(power, 2)
            words.append([a ^ b for a, b in zip(words[-4], word, strict=True)])
        return [sum(words[i : i + 4], []) for i in range(0, 44, 4)]

    @staticmethod
    def _sum(values):
        result = 0
        for value in values:
            result ^= value
        return result


def aes_round(example: Example, rng: random.Random) -> Run:
    aes, words, out = Aes(), [], []

    def number(block):
        return int.from_bytes(bytes(block), "big")

    for block, key, encrypted in Aes.VECTORS:
        keys = aes.round_keys(bytes.fromhex(key))
        state = [a ^ b for a, b in zip(bytes.fromhex(block), keys[0], strict=True)]
        for i, round_key in enumerate(keys[1:]):
            words.append(example.inputs[0].pack(number(state), number(round_key), i == 9))
            state = aes.round(state, round_key, i == 9)
            out.append(number(state))
        assert bytes(state).hex() == encrypted, "the golden function is not AES"
    for _ in range(20):
        state, key, last = rng.randbytes(16), rng.randbytes(16), rng.random() < 0.3
        words.append(example.inputs[0].pack(number(state), number(key), last))
        out.append(number(aes.round(state, key, last)))
    return Run({"in": words}, {"out": out}, len(words))


def fft_butterfly(example: Example, rng: random.Random) -> Run:
    words, out = [], []
    for k in range(100):
        a_re, a_im, b_re, b_im = (signed(rng, 16) for _ in range(4))
        w = np.exp(-2j * np.pi * (k % 16) / 32) * 2**14
        re, im = round(w.real), round(w.imag)
        p_re, p_im = ((x + 2**13) // 2**14 for x in (b_re * re - b_im * im, b_re * im + b_im * re))
        words.append(example.inputs[0].pack(a_re, a_im, b_re, b_im))
        sums = (a_re + p_re, a_im + p_im, a_re - p_re, a_im - p_im)
        out.append(example.outputs[0].pack(*(min(max(x, -(2**15)), 2**15 - 1) for x in sums)))
    return Run({"in": words}, {"out": out}, len(words))


def sorting_network(example: Example, rng: random.Random) -> Run:
    rows = [[signed(rng, rng.choice([2, 16])) for _ in range(8)] for _ in range(60)]
    rows += [[5 * (i >> j & 1) - 3 for j in range(8)] for i in range(0, 256, 3)]  # zeros and ones: what sorts them all
    pack = example.inputs[0].pack
    return Run({"in": [pack(*row) for row in rows]}, {"out": [pack(*sorted(row)) for row in rows]}, len(rows))


def matrix_vector(example: Example, rng: random.Random) -> Run:
    matrix, *vectors = np.array([[[signed(rng, 8) for _ in range(8)] for _ in range(8)] for _ in range(3)])
    vectors = np.concatenate(vectors)
    products = (vectors @ matrix.T).ravel()

    def word(row):
        return int.from_bytes(row.astype(np.int8).tobytes(), "little")

    return Run(
        {"matrix": [word(row) for row in matrix], "vectors": [word(row) for row in vectors]},
        {"products": [example.outputs[0].pack(x) for x in products]},
        8 + len(products),
    )


def run_length(example: Example, rng: random.Random) -> Run:
    words, out, packets = [], [], ([7], [1, 1], [1, 2], [5] * 255, [5] * 256, [0] * 300 + [9])
    packets += tuple([rng.choice([0, 0, 0, 255]) for _ in range(rng.randint(1, 20))] for _ in range(9))
    for packet in packets:
        words += [example.inputs[0].pack(x, i == len(packet) - 1) for i, x in enumerate(packet)]
        runs = []
        for value, group in itertools.groupby(packet):
            left = len(list(group))
            while left:
                runs.append([value, min(left, 255), False])
                left -= min(left, 255)
        runs[-1][2] = True
        out += [example.outputs[0].pack(*run) for run in runs]
    return Run({"in": words}, {"out": out}, len(words) + len(packets))


def echo(example: Example, rng: random.Random) -> Run:
    samples, loud = [signed(rng, 16) for _ in range(300)], []
    for i, sample in enumerate(samples):
        before = loud[i - 40] * 3 // 4 if i >= 40 else 0
        loud.append(min(max(sample + before, -(2**15)), 2**15 - 1))
    pack = example.inputs[0].pack
    return Run({"in": [pack(x) for x in samples]}, {"out": [pack(x * 3 // 4) for x in loud]}, len(samples))


EXAMPLES = [
    Example(
        "fir",
        "fir_stage",
        (integer("in", "ap_int<16>", 16),),
        (integer("out", "ap_int<23>", 23),),
        fir,
    ),
    Example(
        "histogram",
        "histogram_stage",
        (Stream("in", "histogram_stage::sample_t", (("value", 8), ("last", 1))),),
        (integer("out", "ap_uint<16>", 16),),
        histogram,
    ),
    Example(
        "aes_round",
        "aes_round",
        (Stream("in", "aes_round::round_t", (("state", 128), ("key", 128), ("last", 1))),),
        (integer("out", "ap_uint<128>", 128),),
        aes_round,
    ),
    Example(
        "fft_butterfly",
        "fft_butterfly",
        *(
            (Stream(name, "fft_butterfly::pair_t", (("a.re", 16), ("a.im", 16), ("b.re", 16), ("b.im", 16))),)
            for name in ("in", "out")
        ),
        fft_butterfly,
    ),
    Example(
        "sorting_network",
        "sorting_network",
        *(
            (Stream(name, "sorting_network::eight_t", tuple((f"value[{i}]", 16) for i in range(8))),)
            for name in ("in", "out")
        ),
        sorting_network,
    ),
    Example(
        "matrix_vector",
        "matrix_vector",
        tuple(Stream(name, "ap_uint<64>", (("", 64),)) for name in ("matrix", "vectors")),
        (integer("products", "ap_int<19>", 19),),
        matrix_vector,
    ),
    Example(
        "run_length",
        "run_length_coder",
        (Stream("in", "run_length_coder::byte_t", (("value", 8), ("last", 1))),),
        (Stream("out", "run_length_coder::run_t", (("value", 8), ("length", 8), ("last", 1))),),
        run_length,
    ),
]
TOPS = [
    Example(
        "echo",
        "examples::echo",
        (integer("in", "ap_int<16>", 16),),
        (integer("out", "ap_int<16>", 16),),
        echo,
    ),
]
