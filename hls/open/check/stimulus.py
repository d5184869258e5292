"""Words for the inputs of kernels: random ones with the corners of every field, or those of a file."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import TYPE_CHECKING

from hls.open.errors import Refused

if TYPE_CHECKING:
    from hls.open.dataflow.step import Step
    from hls.open.read.layout import Layout


def random_words(layout: Layout, count: int, rng: random.Random) -> list[int]:
    """Return `count` words; each field is often 0, 1, -1 or the smallest or largest of its type, or small."""
    words = []
    for _ in range(count):
        kind = rng.randrange(16)
        if kind == 0:
            words.append(0 if rng.random() < 0.5 else (1 << layout.width) - 1)
            continue
        word, low = 0, 0
        for cell in layout.cells:
            word |= (_corner(cell.width, rng) if kind < 6 else rng.getrandbits(cell.width)) << low
            low += cell.width
        words.append(word)
    return words


def _corner(width, rng):
    top = 1 << (width - 1)
    value = rng.choice([0, 1, -1, top, top - 1, rng.randrange(8), -rng.randrange(8), rng.getrandbits(width)])
    return value & ((1 << width) - 1)


def read_stimulus(path: str | Path, steps: dict[str, Step]) -> dict[str, dict[str, list[int]]]:
    """Return {kernel: {stream: words}} of a file; see `read_words`."""
    inputs = {(name, p.name): p.width for name, step in steps.items() for p in step.ports if p.direction == "in"}
    found = read_words(path, inputs)
    return {name: {s: words for (k, s), words in found.items() if k == name} for name in steps}


def read_words(path: str | Path, inputs: dict[tuple[str, str], int]) -> dict[tuple[str, str], list[int]]:
    """Return {(kernel, stream): words} of a file; `inputs` has the bits of each stream.

    A line `stream:`, or `kernel.stream:` where several kernels have such a stream, begins the words of a stream: in
    hexadecimal, any number per line. What follows a `#` is a comment.

    Raises
    ------
    Refused
        With file and line, if a word is none, doesn't fit, or a stream isn't there or has no words.
    """
    try:
        text = Path(path).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"the stimulus '{path}' can't be read: {error}") from None
    found, current, width = {}, None, 0
    for number, line in enumerate(text.splitlines(), 1):
        where = f"{path}:{number}"
        head, colon, rest = line.split("#")[0].partition(":")
        if colon:
            wanted = head.strip()
            keys = [key for key in inputs if wanted in (key[1], f"{key[0]}.{key[1]}")]
            if len(keys) != 1:
                there = ", ".join(_shown(key) for key in inputs)
                raise Refused(f"'{wanted}' is {'no' if not keys else 'more than one'} input; there are {there}", where)
            current, width = found.setdefault(keys[0], []), inputs[keys[0]]
        for word in (rest if colon else head).split():
            if not re.fullmatch(r"(0[xX])?[0-9a-fA-F]+", word):
                raise Refused(f"'{word}' is no hexadecimal number", where)
            if current is None:
                raise Refused("words before the name of their stream: write `stream:` in front", where)
            if int(word, 16) >> width:
                raise Refused(f"'{word}' has more than the {width} bits of its stream", where)
            current.append(int(word, 16))
    missing = [_shown(key) for key in inputs if not found.get(key)]
    if missing:
        raise Refused(f"the stimulus '{path}' has no words for {missing[0]}")
    return found


def _shown(key):
    return ".".join(part for part in key if part)


def write_words(folder: Path, name: str, words: dict[str, list[int]]) -> None:
    """Write `<kernel>_<stream>.hex`, a word per line."""
    for stream, values in words.items():
        (folder / f"{name}_{stream}.hex").write_text("".join(f"{value:x}\n" for value in values))
