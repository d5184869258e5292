"""Random chains of convolutions with random foldings, for hypothesis: what the hardware has to take, beyond the
networks described.
"""

from hypothesis import strategies as st

from hls.design.boards import read_board
from hls.design.config import make_config
from hls.design.stage import Stage, legal_simd
from model.graph.kinds import Conv
from model.graph.network import Network

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
    network = Network("chain", tuple(layers))
    folding = {}
    for layer in network.layers:
        stage = Stage(layer, 1, 1, layer.in_ch, 1)
        pe = draw(st.sampled_from([d for d in range(1, stage.mac_out_ch + 1) if stage.mac_out_ch % d == 0]), label="pe")
        folding[layer.name] = pe, draw(st.sampled_from(legal_simd(stage.mac_taps)), label="simd")
    board = read_board("pynq_z2") | {
        "name": "drawn",
        "pack": draw(st.booleans(), label="pack"),
        "tile_width": draw(sides, label="tile_width"),
        "tile_height": draw(sides, label="tile_height"),
    }
    return make_config(network, board, folding)
