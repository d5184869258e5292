"""Random networks with random foldings, for hypothesis: what the hardware takes, beyond the networks described."""

from hypothesis import strategies as st

from hls.design.boards import read_board
from hls.design.config import make_config
from hls.design.stage import Fold, Stage, legal_simd
from model.graph.kinds import Add, Conv, DepthToSpace
from model.graph.network import INPUT, INPUTS, Network

OUT_CHANNELS = (1, 3, 4, 9, 16)


@st.composite
def chains(draw, depths=st.integers(1, 8), sides=st.integers(1, 20)):
    """Draw a `Config`: 1 to 8 convolutions, any halo from 0 on, any legal PE x SIMD, packed products or not.

    Parameters
    ----------
    depths : strategy
        Of the number of layers.
    sides : strategy
        Of the output pixels of the largest tile's sides.
    """
    depth, layers, in_ch = draw(depths), [], 1
    for i in range(depth):
        k = draw(st.sampled_from((1, 3) if depth > 4 else (1, 3, 5, 7)), label="k")
        out_ch = draw(st.sampled_from(OUT_CHANNELS) if i == depth - 1 else st.integers(1, 6), label="out_ch")
        layers.append(Conv(f"layer{i}", k, in_ch, out_ch, "relu" if i < depth - 1 else "none"))
        in_ch = out_ch
    return _folded(draw, Network("chain", tuple(layers)), sides)


@st.composite
def graphs(draw, sides=st.integers(1, 12)):
    """Draw a `Config` of a graph: any input, activations, additions within, perhaps a second branch, perhaps
    depth-to-space with an anchor in front, and perhaps a layer behind it.

    Parameters
    ----------
    sides : strategy
        Of the input pixels of the largest tile's sides.
    """
    kind = draw(st.sampled_from(list(INPUTS)), label="input")
    grown = _Grown(draw, INPUTS[kind])
    for _ in range(draw(st.integers(1, 3), label="layers")):
        grown.layer()
    if draw(st.booleans(), label="branch"):
        grown.branch()
    factor = draw(st.sampled_from((1, 2, 3)), label="factor") if kind != "upscaled" else 1
    if factor > 1:
        pixel = draw(st.sampled_from(sorted({1, 2, INPUTS[kind]})), label="pixel")
        anchored = draw(st.booleans(), label="anchor") and pixel % INPUTS[kind] == 0
        grown.convolution(factor**2 * pixel, "none")
        if anchored:
            grown.add(INPUT)
        grown.append(DepthToSpace(grown.name(), factor, (grown.last,)), pixel)
        if draw(st.booleans(), label="behind"):
            sides_behind = {2: (1, 5), 3: (1, 7)}[factor]  # what they take is a whole number of input pixels
            grown.convolution(draw(st.integers(1, 3)), "relu", draw(st.sampled_from(sides_behind), label="k"))
    return _folded(draw, Network("graph", tuple(grown.layers), kind), sides)


class _Grown:
    """Layers as they are appended, with the channels and the halo of their tensors."""

    def __init__(self, draw, channels):
        self.draw, self.layers, self.last = draw, [], INPUT
        self.channels = {INPUT: channels}

    def name(self):
        return f"layer{len(self.layers)}"

    def append(self, layer, channels):
        self.layers.append(layer)
        self.last = layer.name
        self.channels[layer.name] = channels

    def convolution(self, out_ch, activation=None, k=None, source=None):
        draw, source = self.draw, source or self.last
        activation = activation or draw(st.sampled_from(("relu", "none", "clip", "prelu")), label="activation")
        k = k or draw(st.sampled_from((1, 3, 3, 5)), label="k")
        cap = 1.0 if activation == "clip" else None
        layer = Conv(self.name(), k, self.channels[source], out_ch, activation, (source,), cap)
        self.append(layer, out_ch)

    def add(self, earlier):
        self.append(Add(self.name(), (self.last, earlier)), self.channels[self.last])

    def layer(self):
        """A convolution, or a residual of one or two of them with its addition."""
        if not self.draw(st.booleans(), label="residual"):
            self.convolution(self.draw(st.integers(1, 4), label="out_ch"))
            return
        earlier = self.last
        if self.draw(st.booleans(), label="two"):
            self.convolution(self.draw(st.integers(1, 4), label="out_ch"))
        times = self.draw(st.integers(1, 2), label="times")
        self.convolution(times * self.channels[earlier], "none")
        self.add(earlier)

    def branch(self):
        """Two convolutions of one tensor, added: the second with the larger filter."""
        source, out_ch = self.last, self.draw(st.integers(1, 4), label="out_ch")
        self.convolution(out_ch, "relu", 1)
        earlier = self.last
        self.convolution(out_ch, "none", self.draw(st.sampled_from((1, 3)), label="k"), source)
        self.add(earlier)


def _folded(draw, network, sides):
    folding = {}
    for layer in network.convs:
        stage = Stage(layer, 1, 1, layer.in_ch, 1)
        pe = draw(st.sampled_from([d for d in range(1, stage.mac_out_ch + 1) if stage.mac_out_ch % d == 0]), label="pe")
        simd = draw(st.sampled_from(legal_simd(stage.mac_taps)), label="simd")
        folding[layer.name] = Fold(pe, simd, draw(st.integers(0, simd), label="lut_taps"))
    board = read_board("pynq_z2") | {
        "name": "drawn",
        "pack": draw(st.booleans(), label="pack"),
        "tile_width": draw(sides, label="tile_width"),
        "tile_height": draw(sides, label="tile_height"),
    }
    return make_config(network, board, folding)
