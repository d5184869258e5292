"""Resizes by weights, linear and cubic, as convolutions: the operator's answer to one white pixel says the weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from model.base.errors import UserError
from model.convert.running import run_node

if TYPE_CHECKING:
    from model.convert.opened import Opened

SIZE = 17  # of the picture with one white pixel, in its middle
CLOSE = 1e-5  # of white: the operator computes in float32


def interpolated(
    opened: Opened, node: object, source: str, shape: tuple, name: str
) -> tuple[np.ndarray, int, tuple[int, int]]:
    """Return the convolution whose pixels, behind depth-to-space, a resize gives.

    Parameters
    ----------
    opened : Opened
    node : onnx.NodeProto
    source : str
        What it resizes, of `shape`, (1, C, H, W).
    name : str
        The node's, for errors.

    Returns
    -------
    weight : ndarray of float64, shape (factor * factor * C, k, k, C)
        In the order of depth-to-space.
    factor : int
    sides : (int, int)
        Height and width of the result.

    Raises
    ------
    UserError
        If the factor is none, or the weights change from place to place.
    """
    picture = np.random.default_rng(1).random(shape)
    made = run_node(opened, node, {source: picture})[0]
    factors = {made.shape[axis] / shape[axis] for axis in (2, 3)}
    factor = factors.pop()
    if factors or factor != int(factor) or factor < 2 or made.shape[:2] != tuple(shape[:2]):
        raise UserError(
            f"node {name} resizes {' x '.join(map(str, shape))} to {' x '.join(map(str, made.shape))}; only whole "
            f"factors, up, and the same along both sides are known here"
        )
    factor, (_, channels, *sides) = int(factor), made.shape
    filters = _answer(opened, node, factor)
    side, start = len(filters[0, 0]), len(filters[0, 0]) // 2 * factor
    windows = np.lib.stride_tricks.sliding_window_view(picture[0][:, : side + 2, : side + 2], (side, side), axis=(1, 2))
    expected = np.einsum("cyxij,pqij->cypxq", windows, filters).reshape(channels, 3 * factor, 3 * factor)
    inside = slice(start, start + 3 * factor)
    if np.abs(made[0][:, inside, inside] - expected).max() > CLOSE:
        raise UserError(f"node {name} resizes by other weights from place to place; take align_corners=False")
    weight = np.zeros((factor, factor, channels, side, side, channels))
    for channel in range(channels):
        weight[:, :, channel, :, :, channel] = filters
    return weight.reshape(-1, side, side, channels), factor, tuple(sides)


def _answer(opened, node, factor):
    """Return what a resize weights its pixels with, (factor, factor, k, k), from its answer to one white pixel."""
    middle, large = SIZE // 2, SIZE * factor
    picture = np.zeros((1, 1, SIZE, SIZE))
    picture[0, 0, middle, middle] = 1
    made = run_node(opened, node, {node.input[0]: picture}, sizes=(1, 1, large, large))[0]
    # Pixel (i, j) of position y has the white one at middle - y, so that places run backwards in its filter.
    answer = made[0, 0].reshape(SIZE, factor, SIZE, factor).transpose(1, 3, 0, 2)[:, :, ::-1, ::-1]
    reach = np.abs(np.argwhere(np.abs(answer) > 1e-7)[:, 2:] - middle).max()
    inside = slice(middle - reach, middle + reach + 1)
    return answer[:, :, inside, inside].astype(np.float64)
