"""A transposed convolution as what hardware has: a convolution at low resolution, and depth-to-space.

With stride s, filter w of side k and padding p, a transposed convolution is

    out[s * y + i] = sum over d of x[y + d] * w[i + p - s * d]

along each axis: s * s convolutions of x, one for each place (i, j) of an output pixel within its input pixel, each with
the taps of w that fall there. Their filters are as wide as the widest of them needs.
"""

from __future__ import annotations

import numpy as np


def conv_side(k: int, stride: int, padding: int) -> int:
    """Return the side, odd, of the convolution that a transposed convolution becomes."""
    reach = [abs(d) for i in range(stride) for d in _offsets(k, stride, padding, i)]
    return 2 * max(reach) + 1


def transposed_weights(weight: np.ndarray, stride: int, padding: int) -> np.ndarray:
    """Return the weights of the convolution that a transposed convolution becomes.

    Parameters
    ----------
    weight : ndarray, shape (O, k, k, I)
        Tap (a, b) adds input pixel (y, x) to output pixel (s * y + a - p, s * x + b - p).
    stride, padding : int

    Returns
    -------
    ndarray, shape (s * s * O, side, side, I)
        In the order of depth-to-space: filter (i * s + j) * O + o makes pixel (i, j) of channel o.
    """
    out_ch, k, _, in_ch = weight.shape
    side = conv_side(k, stride, padding)
    split = np.zeros((stride, stride, out_ch, side, side, in_ch), weight.dtype)
    for i in range(stride):
        for j in range(stride):
            for down in _offsets(k, stride, padding, i):
                for right in _offsets(k, stride, padding, j):
                    tap = weight[:, i + padding - stride * down, j + padding - stride * right]
                    split[i, j, :, side // 2 + down, side // 2 + right] = tap
    return split.reshape(stride * stride * out_ch, side, side, in_ch)


def _offsets(k, stride, padding, place):
    """Input pixels, relative to an output pixel's own, that reach it at `place`."""
    return range(-((k - 1 - place - padding) // stride), (place + padding) // stride + 1)
