"""The one description of a network, read from `model/networks/<name>.toml` (`model.graph.description`).

Everything else derives from it: Keras layers, golden model, C++ headers, packet sizes, reports.
"""

from __future__ import annotations

import dataclasses
import functools

from model.base.errors import UserError
from model.graph.kinds import READS, Conv, DepthToSpace, Tensor, mark_residuals

INPUT = "input"  # the name of the network's input tensor
# What a network's input is -> its channels. "upscaled": Y, brought to the output's size by bicubic interpolation
# first. "y": Y as small as it came. "rgb": red, green and blue of each pixel, in this order.
INPUTS = {"upscaled": 1, "y": 1, "rgb": 3}
UPSCALES = (2, 3, 4)


@dataclasses.dataclass(frozen=True)
class Network:
    """A graph of layers over named tensors, from the input to the last layer's output.

    Attributes
    ----------
    name : str
    layers : tuple of Conv, Add, DepthToSpace
        In topological order: a layer reads what stands before it.
    input : str
        One of `INPUTS`.
    upscale : int, optional
        The only factor it is for. None: any, since what it takes is upscaled already.

    Raises
    ------
    UserError
        If a layer reads what is not there yet, or what does not fit it, or if a tensor is read by nobody.
    """

    name: str
    layers: tuple
    input: str = "upscaled"
    upscale: int | None = None

    def __post_init__(self):
        before, layers = INPUT, []
        for layer in self.layers:
            layers.append(layer if layer.inputs else dataclasses.replace(layer, inputs=(before,)))
            before = layer.name
        object.__setattr__(self, "layers", mark_residuals(layers))
        _check_graph(self)

    @functools.cached_property
    def tensors(self) -> dict[str, Tensor]:
        """What is known of each tensor, by name, in topological order."""
        known = {INPUT: Tensor(self.in_ch)}
        for layer in self.layers:
            known[layer.name] = layer.output([known[name] for name in layer.inputs])
        return known

    @functools.cached_property
    def convs(self) -> tuple[Conv, ...]:
        """The layers that have parameters, in the order in which weight files hold them."""
        return tuple(layer for layer in self.layers if isinstance(layer, Conv))

    def readers(self, tensor: str) -> tuple:
        """Return the layers that read a tensor."""
        return tuple(layer for layer in self.layers if tensor in layer.inputs)

    def keeps_sign(self, tensor: str) -> bool:
        """Return whether an activation may be negative: a PReLU's, and what is made of it. All others are stored from 0
        on.
        """
        layer = next((layer for layer in self.layers if layer.name == tensor), None)
        if layer is None:  # the input
            return False
        return layer.activation == "prelu" if isinstance(layer, Conv) else self.keeps_sign(layer.inputs[-1])

    def shows(self, tensor: str) -> bool:
        """Return whether a tensor is the picture, but for depth-to-space: no layer computes with it."""
        readers = self.readers(tensor)
        return all(isinstance(reader, DepthToSpace) and self.shows(reader.name) for reader in readers)

    @property
    def label(self) -> str:
        """Its name, and the factor if it is for one only: what folders and foldings are called by."""
        return self.name if self.upscale is None else f"{self.name}_x{self.upscale}"

    @property
    def in_ch(self) -> int:
        """Channels of the input."""
        return INPUTS[self.input]

    @property
    def output(self) -> Tensor:
        """The last layer's tensor."""
        return self.tensors[self.layers[-1].name]

    @property
    def out_ch(self) -> int:
        """Channels of the output."""
        return self.output.channels

    @property
    def scale(self) -> int:
        """Output pixels per input pixel, along each side."""
        return self.output.scale

    @property
    def halo(self) -> int:
        """Input pixels of context on each side; 6 for 9-1-5."""
        return self.output.shrink // (2 * self.scale)

    @property
    def macs_per_pixel(self) -> float:
        """Products per output pixel: 8,032 for 9-1-5; those of a layer at low resolution are shared by its pixels."""
        products = sum(layer.macs_per_pixel * self.tensors[layer.name].scale ** 2 for layer in self.convs)
        share = products / self.scale**2
        return int(share) if share == int(share) else share


def _check_graph(network):
    """Raise `UserError` unless every layer reads what stands before it and fits, and every tensor but the last is
    read.
    """
    if network.input not in INPUTS:
        raise UserError(f"{network.name} has input = {network.input!r}; it is one of {', '.join(INPUTS)}")
    known, read = {INPUT}, set()
    for layer in network.layers:
        if layer.name in known:
            raise UserError(
                f"two layers of {network.name}, or a layer and the input, have the same name {layer.name!r}; give "
                f"each its own"
            )
        count = READS[type(layer)]
        if len(layer.inputs) != count or not known.issuperset(layer.inputs):
            raise UserError(
                f"layer {layer.name} of {network.name} reads {', '.join(map(repr, layer.inputs))}; it reads "
                f"{('one tensor that stands', 'two tensors that stand')[count - 1]} before it: "
                f"{', '.join(_in_order(network, known))}; layers form no circle"
            )
        known.add(layer.name)
        read.update(layer.inputs)
    if not network.layers:
        raise UserError(f"{network.name} has no layers; describe at least one")
    unread = [layer.name for layer in network.layers[:-1] if layer.name not in read]
    if INPUT not in read or unread:
        raise UserError(
            f"nothing reads {(unread or [INPUT])[0]} of {network.name}; remove it, or name it as a layer's input"
        )
    try:
        output = network.output
    except UserError as error:
        raise UserError(f"{network.name}: {error}") from None
    if output.signed:
        raise UserError(f"the last layer of {network.name} keeps its sign; end in a layer of uint8")
    if output.shrink % (2 * output.scale):
        raise UserError(
            f"the convolutions of {network.name} behind depth-to-space take {output.shrink // 2} pixels of the output "
            f"on each side, which is no whole number of input pixels; choose filters that add up to a multiple of "
            f"{output.scale}"
        )
    if network.upscale not in (None, output.scale):
        raise UserError(
            f"{network.name} is for x{network.upscale}, but its layers make x{output.scale}; correct the factor of "
            f"its depth-to-space"
        )


def _in_order(network, known):
    return [name for name in (INPUT, *(layer.name for layer in network.layers)) if name in known]


def require_picture(network: Network) -> None:
    """Raise `UserError` unless a network makes a picture of what it takes, as whoever upscales and trains needs it: Y
    of Y, colours of colours.
    """
    wanted = 3 if network.input == "rgb" else 1
    if network.out_ch != wanted:
        raise UserError(
            f"{network.name} gives {network.out_ch} channels per pixel, this needs one that gives "
            f"{'red, green and blue' if wanted == 3 else 'Y alone'}; "
            "choose another network, or use the golden model, C simulation and Verilog, which take any"
        )
    if (network.scale == 1) != (network.input == "upscaled"):
        raise UserError(
            f"{network.name} makes {network.scale} x {network.scale} pixels of one of its input, which is "
            f"{network.input!r}; a network of what is upscaled already makes one, any other its factor"
        )
