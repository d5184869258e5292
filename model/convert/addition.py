"""The sum of two tensors, as the one addition that the project has: a residual and an earlier tensor."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from model.base.errors import UserError
from model.convert.planes import Filter, Plane, Sum
from model.convert.views import View, arrangement, shuffled

if TYPE_CHECKING:
    from model.convert.builder import Builder


def add(builder: Builder, first: View, second: View, shape: tuple, node: str) -> View:
    """Return the sum of two views, `shape` once channels are repeated.

    Raises
    ------
    UserError
        If the two are not of the same place and scale.
    """
    pair = prelu_pair(first, second)
    if pair is not None:
        return pair
    views = [View(view.plane, *(np.broadcast_to(axis, shape) for axis in view.coordinates)) for view in (first, second)]
    seen = [arrangement(view, node) for view in views]
    if seen[0].factor != seen[1].factor or _scale(builder, views[0]) != _scale(builder, views[1]):
        views = [_pixels(builder, view, shape, node) for view in views]
        seen = [arrangement(view, node) for view in views]
    planes, factor = [builder.settled(view.plane) for view in views], seen[0].factor
    origins = [tuple(factor * o + c for o, c in zip(plane.origin, part.crop)) for plane, part in zip(planes, seen)]
    if origins[0] != origins[1]:
        raise UserError(
            f"node {node} adds pictures that are shifted against each other by {origins[0]} and {origins[1]} pixels; "
            f"pad or crop both alike"
        )
    if _scale(builder, views[0]) != _scale(builder, views[1]):
        raise UserError(f"node {node} adds pictures of different size; bring both to the same one")
    residual, earlier = _roles(builder, planes)
    places = [part.places for part in seen]
    plane, ranks = _sum(builder, planes[residual], places[residual], planes[earlier], places[earlier], node)
    plane = dataclasses.replace(plane, origin=tuple(o // factor for o in origins[0]))
    _, channels, height, width = shape
    down, right = (o % factor for o in origins[0])  # pixels of the first position that are cut off
    inside = np.s_[:, :, down:, right:]
    channel, row, column = (axis[inside] for axis in shuffled(channels, factor, height + down, width + right))
    return View(plane, ranks[channel].astype(np.int32), row, column)


def _scale(builder, view):
    body = view.plane.body
    name = body.residual.reads if isinstance(body, Sum) else body.reads if isinstance(body, Filter) else body.name
    return builder.known[name].scale


def _pixels(builder, view, shape, node):
    """Return a view with depth-to-space written down: a channel per channel, a position per pixel."""
    plane, channel = builder.positions(view, node)
    _, y, x = np.indices(shape[1:], np.int32)
    return View(plane, np.broadcast_to(channel[:, None, None], shape[1:])[None].astype(np.int32), y[None], x[None])


def _shrink(builder, body):
    if isinstance(body, Sum):
        body = body.residual
    if isinstance(body, Filter):
        return builder.known[body.reads].shrink + body.weight.shape[1] - 1
    return builder.known[body.name].shrink


def _roles(builder, planes):
    """Return which of two planes is the residual, and which the earlier tensor: the later one that has no activation,
    or else the later one.
    """
    shrinks = [_shrink(builder, plane.body) for plane in planes]
    good = [plane.open and mine >= other for plane, mine, other in zip(planes, shrinks, shrinks[::-1])]
    if good[0] != good[1]:
        residual = good.index(True)
    else:
        residual = int(shrinks[1] > shrinks[0])
    return residual, 1 - residual


def _sum(builder, later, later_order, plane, order, node):
    """Return the sum as a plane, and the channel of it that each place is."""
    if (plane.factor <= 0).any():
        plane = Plane.of(builder.copy(plane), plane.origin)
    period, ranks = _repeats(order)
    if period is None:  # channels in no pattern that an addition repeats: the earlier tensor brings each of them
        period, ranks = order, np.arange(len(order))
    by_rank = np.argsort(ranks)
    if later.open:
        residual = later.body.ordered(later_order[by_rank])
    else:
        residual = builder.copy(later, later_order[by_rank])
    earlier = builder.write(plane.body, period)
    source = order[by_rank]  # the earlier plane's channel of each channel of the sum
    made = Sum(residual.scaled(1 / plane.factor[source]), earlier, nodes=(node,))
    return Plane(made, plane.factor[source], plane.offset[source], plane.origin), ranks


def _repeats(order):
    """Return (channels, ranks): sorted by rank, `order` is the channels again and again; (None, None) if they don't
    repeat equally often.
    """
    channels, counts = np.unique(order, return_counts=True)
    if np.ptp(counts):
        return None, None
    ranks = np.empty(len(order), np.int64)
    for i, channel in enumerate(channels):
        ranks[order == channel] = np.arange(counts[0]) * len(channels) + i
    return channels, ranks


def prelu_pair(first: View, second: View) -> View | None:
    """Return relu(z) - slope * relu(-z), as Keras' PReLU is exported, as what it is; None of other sums."""
    for plus, minus in ((first, second), (second, first)):
        a, b = plus.plane, minus.plane
        bodies = isinstance(a.body, Filter) and isinstance(b.body, Filter) and plus.shape == minus.shape
        if not bodies or a.body.activation != "relu" or b.body.activation != "relu" or a.body.reads != b.body.reads:
            continue
        opposite = np.array_equal(a.body.weight, -b.body.weight) and np.array_equal(a.body.bias, -b.body.bias)
        same = all(np.array_equal(x, y) for x, y in zip(plus.coordinates, minus.coordinates))
        if opposite and same and (a.factor == 1).all() and not (a.offset.any() or b.offset.any()):
            body = dataclasses.replace(a.body, activation="prelu", slope=-b.factor)
            return plus.of(Plane.of(body, a.origin))
    return None
