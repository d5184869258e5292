"""The family of networks for video: anchor-based plain networks, `abpn<channels>m<middle layers>`.

All of it works at low resolution: a 5x5 convolution (3x3 with k3 in the name), some of 3x3 with as many channels (and
with t8 in the name one to 8 channels), and one that makes upscale^2 channels, what the pixels differ by from the
repeated input (the anchor); depth-to-space makes them pixels. After ABPN (Du et al., Anchor-based Plain Net for Mobile
Image Super-Resolution, CVPR Workshops 2021).
"""

from __future__ import annotations

import re
from typing import NamedTuple

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


class Member(NamedTuple):
    """Channels, middle layers, the side of the first filter and the channels of a last, narrower layer before the
    residual (0: there is none), of a member of the family.
    """

    channels: int
    middle: int
    first: int = FIRST_SIDE
    taper: int = 0


def family_name(member: Member) -> str:
    """Return a member's name."""
    first = "" if member.first == FIRST_SIDE else f"k{member.first}"
    return f"abpn{member.channels}m{member.middle}{first}{f't{member.taper}' if member.taper else ''}"


def family_member(name: str) -> Member | None:
    """Return the member of a name; None of another name."""
    match = re.fullmatch(r"abpn(\d+)m(\d+)(k3)?(?:t([1-9]\d*))?", name)
    return Member(int(match[1]), int(match[2]), 3 if match[3] else FIRST_SIDE, int(match[4] or 0)) if match else None


def family_network(member: Member, upscale: int) -> Network:
    """Return a member.

    Parameters
    ----------
    member : Member
    upscale : int

    Returns
    -------
    Network
    """
    layers, in_ch = [], 1
    for name, k, out_ch, activation in _convs(member, upscale**2):
        layers.append(Conv(name, k, in_ch, out_ch, activation))
        in_ch = out_ch
    layers += [Add("anchor", ("residual", INPUT)), DepthToSpace("pixels", upscale)]
    return Network(family_name(member), tuple(layers), "y", upscale)


def family_description(member: Member) -> str:
    """Return a member's description, as `model/networks/<name>.toml` has it."""
    parts = [_HEAD.format(name=family_name(member), channels=member.channels, middle=member.middle)]
    for name, k, out_ch, activation in _convs(member, '"upscale^2"'):
        parts.append(_CONV.format(name=name, k=k, out_ch=out_ch, activation=activation))
    return "".join([*parts, _TAIL])


def _convs(member, last):
    yield "conv1", member.first, member.channels, "relu"
    for i in range(member.middle):
        yield f"mid{i + 1}", SIDE, member.channels, "relu"
    if member.taper:
        yield "taper", SIDE, member.taper, "relu"
    yield "residual", SIDE, last, "none"
