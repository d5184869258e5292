"""What a tensor of an imported network is made of, until it is known how it is read.

A plane is values `scale * body + offset`, a factor and an offset per channel. Its body is a tensor that the description
has already, a convolution, or a sum. Convolutions and sums are written down only when something reads them: then it is
known in which order their channels are wanted, whether a convolution without activation is a residual, the output, or
has to be stored with its sign.
"""

from __future__ import annotations

import dataclasses

import numpy as np

STEEP = 1.5  # slopes above lie nearer to 1 / 2 the other way round


@dataclasses.dataclass(frozen=True, eq=False)
class Written:
    """A tensor that the description has, and whether it may be negative."""

    name: str
    channels: int
    signed: bool = False

    @property
    def positive(self) -> bool:
        """True if no value is below 0."""
        return not self.signed


@dataclasses.dataclass(frozen=True, eq=False)
class Filter:
    """A convolution that is not written down yet: weight float64 (O, k, k, I), bias (O,), of the tensor `reads`."""

    reads: str
    weight: np.ndarray
    bias: np.ndarray
    activation: str = "none"
    slope: np.ndarray | None = None
    cap: float | None = None
    nodes: tuple = ()

    @property
    def channels(self) -> int:
        """Of its output."""
        return len(self.bias)

    @property
    def positive(self) -> bool:
        """True if no value is below 0."""
        return self.activation in ("relu", "clip")

    def scaled(self, factor: np.ndarray, offset: np.ndarray | float = 0.0) -> Filter:
        """Return what gives `factor` times its output (factors above 0 unless it has no activation), plus an offset
        before the activation.
        """
        cap = None if self.cap is None else self.cap * float(np.mean(factor))
        weight, bias = self.weight * factor[:, None, None, None], self.bias * factor + offset
        return dataclasses.replace(self, weight=weight, bias=bias, cap=cap)

    def ordered(self, order: np.ndarray) -> Filter:
        """Return the filter of some channels, in an order."""
        slope = None if self.slope is None else self.slope[order]
        return dataclasses.replace(self, weight=self.weight[order], bias=self.bias[order], slope=slope)


@dataclasses.dataclass(frozen=True, eq=False)
class Sum:
    """A residual plus an earlier tensor whose channels repeat, not written down yet. `rectified`: a ReLU follows."""

    residual: Filter
    earlier: Written
    rectified: bool = False
    nodes: tuple = ()

    @property
    def channels(self) -> int:
        """Of its output."""
        return self.residual.channels

    @property
    def positive(self) -> bool:
        """True if no value is below 0."""
        return self.rectified


@dataclasses.dataclass(frozen=True, eq=False)
class Plane:
    """`factor * body + offset` per channel, (C,) each, clipped to `bounds` if that is not written down yet.

    `origin` is the place, in its own pixels, of its first row and column on the grid of the network's input.
    """

    body: Written | Filter | Sum
    factor: np.ndarray
    offset: np.ndarray
    origin: tuple = (0, 0)
    bounds: tuple | None = None

    @classmethod
    def of(cls, body: Written | Filter | Sum, origin: tuple = (0, 0)) -> Plane:
        """Return a body as it is."""
        return cls(body, np.ones(body.channels), np.zeros(body.channels), origin)

    @property
    def channels(self) -> int:
        """Of the body."""
        return self.body.channels

    @property
    def open(self) -> bool:
        """True if it is a convolution without activation, which can take up any factor and offset."""
        return isinstance(self.body, Filter) and self.body.activation == "none" and self.bounds is None

    @property
    def plain(self) -> bool:
        """True if neither factor nor offset does anything."""
        return bool((self.factor == 1).all() and (self.offset == 0).all())

    def affine(self, factor: np.ndarray, offset: np.ndarray) -> Plane:
        """Return `factor * self + offset`, taken up by the weights where nothing is in between."""
        if self.open:
            return dataclasses.replace(self, body=self.body.scaled(factor, offset))
        bounds = self.bounds
        if bounds is not None:
            ends = [np.unique(factor * end + offset) for end in bounds]
            bounds = tuple(float(end[0]) for end in ends) if (factor > 0).all() and max(map(len, ends)) == 1 else None
            if bounds is None:
                raise ValueError("bounds of their own per channel")
        return dataclasses.replace(
            self, factor=self.factor * factor, offset=self.offset * factor + offset, bounds=bounds
        )


def turned(plane: Plane) -> Plane:
    """Return a plane whose PReLU has no slope far above 1: for a above 1, prelu(z, a) = -a * prelu(-z, 1 / a), and the
    hardware's slopes are 1, 1/2, 1/4 and so on.
    """
    body = plane.body
    if not isinstance(body, Filter) or body.activation != "prelu" or not (body.slope > STEEP).any():
        return plane
    steep = body.slope > STEEP
    slope = np.where(steep, 1 / np.where(steep, body.slope, 1), body.slope)
    sign = np.where(steep, -1.0, 1.0)
    factor = plane.factor * np.where(steep, -body.slope, 1.0)
    return dataclasses.replace(plane, body=dataclasses.replace(body.scaled(sign), slope=slope), factor=factor)
