"""Filters and paddings of ONNX as the project has them: square, of odd side, of one group.

`said` are a node's attributes by name, as ONNX has them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

SAME = (b"SAME_UPPER", b"SAME_LOWER")


def ungrouped(weight: np.ndarray, groups: int) -> np.ndarray:
    """Return the weights (O, I, kh, kw) of one group that computes what several do: zeros elsewhere."""
    if groups == 1:
        return weight
    out_ch, in_ch = weight.shape[:2]
    whole = np.zeros((out_ch, in_ch * groups, *weight.shape[2:]))
    for out in range(out_ch):
        first = out // (out_ch // groups) * in_ch
        whole[out, first : first + in_ch] = weight[out]
    return whole


def padding(said: dict, reach: Sequence[int]) -> tuple[list[int], list[int]]:
    """Return what a convolution pads before and after, rows and columns each; `reach` is its side less 1, dilated."""
    auto = said.get("auto_pad", b"NOTSET")
    if auto in SAME:
        before = [r // 2 if auto == SAME[0] else r - r // 2 for r in reach]
        return before, [r - b for r, b in zip(reach, before)]
    pads = said.get("pads", [0, 0, 0, 0]) if auto == b"NOTSET" else [0, 0, 0, 0]
    return list(pads[:2]), list(pads[2:])


def transposed_padding(
    said: dict, sides: Sequence[int], kernel: Sequence[int], stride: int, more: Sequence[int]
) -> tuple[list[int], list[int]]:
    """Return what a transposed convolution leaves out before and after, rows and columns each.

    Parameters
    ----------
    said : dict
    sides, kernel, more : sequence of int
        Of the picture, the filter, and the output padding: rows, columns.
    stride : int
    """
    auto, wanted = said.get("auto_pad", b"NOTSET"), said.get("output_shape")
    if wanted is None and auto in SAME:
        wanted = [side * stride for side in sides]
    if wanted is None:
        return padding(said, [0, 0])
    total = [stride * (side - 1) + o + k - w for side, o, k, w in zip(sides, more, kernel, wanted[-2:])]
    before = [t // 2 if auto != SAME[1] else t - t // 2 for t in total]
    return before, [t - b for t, b in zip(total, before)]


def square(weight: np.ndarray, before: Sequence[int], dilation: Sequence[int], shift: Sequence[int]) -> np.ndarray:
    """Return (O, I, kh, kw) as a square filter of odd side, (O, k, k, I), zeros where it has no taps.

    Parameters
    ----------
    weight : ndarray
    before, dilation : sequence of int
        Rows and columns of padding, steps between taps.
    shift : sequence of int
        How much further in than without padding the middle lies: tap (0, 0) is at -before - shift.
    """
    places = [np.arange(k) * d - b - s for k, d, b, s in zip(weight.shape[2:], dilation, before, shift)]
    half = max(int(np.abs(place).max()) for place in places)
    filled = np.zeros((weight.shape[0], 2 * half + 1, 2 * half + 1, weight.shape[1]))
    filled[:, (places[0] + half)[:, None], places[1] + half] = weight.transpose(0, 2, 3, 1)
    return filled
