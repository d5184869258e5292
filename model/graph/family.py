"""The family of networks for video: anchor-based plain networks, `abpn<channels>m<middle layers>`.

All of it works at low resolution: a 5x5 convolution, some of 3x3 with as many channels, and one that makes upscale^2
channels, what the pixels differ by from the repeated input (the anchor); depth-to-space makes them pixels. After ABPN
(Du et al., Anchor-based Plain Net for Mobile Image Super-Resolution, CVPR Workshops 2021).
"""

from __future__ import annotations

import re

from model.graph.kinds import Add, Conv, DepthToSpace
from model.graph.network import INPUT, Network

FIRST_SIDE, SIDE = 5, 3  # of the filters
_HEAD = """\
# An anchor-based plain network (model/graph/family.py): {channels} channels, {middle} middle layers.
name = "{name}"
input = "y"
"""
_CONV = """
[[layers]]
name = "{name}"
k = {k}
out_ch = {out_ch}
activation = "{activation}"
"""
_TAIL = """
[[layers]]
name = "anchor"
kind = "add"
inputs = ["residual", "input"]

[[layers]]
name = "pixels"
kind = "depth_to_space"
"""


def family_name(channels: int, middle: int) -> str:
    """Return a member's name."""
    return f"abpn{channels}m{middle}"


def family_member(name: str) -> tuple[int, int] | None:
    """Return (channels, middle layers) of a member's name; None of another name."""
    match = re.fullmatch(r"abpn(\d+)m(\d+)", name)
    return (int(match[1]), int(match[2])) if match else None


def family_network(channels: int, middle: int, upscale: int) -> Network:
    """Return a member.

    Parameters
    ----------
    channels, middle, upscale : int

    Returns
    -------
    Network
    """
    layers, in_ch = [], 1
    for name, k, out_ch, activation in _convs(channels, middle, upscale**2):
        layers.append(Conv(name, k, in_ch, out_ch, activation))
        in_ch = out_ch
    layers += [Add("anchor", ("residual", INPUT)), DepthToSpace("pixels", upscale)]
    return Network(family_name(channels, middle), tuple(layers), "y", upscale)


def family_description(channels: int, middle: int) -> str:
    """Return a member's description, as `model/networks/<name>.toml` has it."""
    parts = [_HEAD.format(name=family_name(channels, middle), channels=channels, middle=middle)]
    for name, k, out_ch, activation in _convs(channels, middle, '"upscale^2"'):
        parts.append(_CONV.format(name=name, k=k, out_ch=out_ch, activation=activation))
    return "".join([*parts, _TAIL])


def _convs(channels, middle, last):
    yield "conv1", FIRST_SIDE, channels, "relu"
    for i in range(middle):
        yield f"mid{i + 1}", SIDE, channels, "relu"
    yield "residual", SIDE, last, "none"
