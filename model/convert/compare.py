"""An imported network against ONNX Runtime on the file itself.

A network from elsewhere usually pads each layer with zeros, here the picture is extended once, by its border. So both
get a picture that is as much larger as the halo, and are compared where no padding reaches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from model.base.errors import UserError
from model.convert.opened import SIDES, session, tools
from model.integer import floating, golden

if TYPE_CHECKING:
    from model.convert.imported import Imported
    from model.graph.weights import QuantLayer, QuantModel

TOLERANCE = 1e-4  # of white
ALIKE = 15  # dB: further from the picture that it was given, a result is hardly the same one, larger


def outside_answer(imported: Imported, padded: np.ndarray) -> np.ndarray:
    """Return what the file gives in ONNX Runtime where no padding of its layers reaches.

    Parameters
    ----------
    imported : Imported
    padded : ndarray of uint8, shape (H + 2 halo, W + 2 halo), or (..., 3)

    Returns
    -------
    ndarray of float64, shape (H * scale, W * scale), or (..., 3)
        Black 0, white 1, not clipped.
    """
    opened, network = imported.opened, imported.model.network
    span = imported.white - imported.black
    given = (padded.astype(np.float64) / 255 * span + imported.black).astype(np.float32)
    given = given.reshape(1, *given.shape[:2], -1)
    given = given if opened.channels_last else given.transpose(0, 3, 1, 2)
    made = session(opened.whole).run([opened.output], {opened.input: np.ascontiguousarray(given)})[0]
    if made.shape[1] != network.out_ch and made.shape[3] == network.out_ch:
        made = made.transpose(0, 3, 1, 2)
    made = made[0].transpose(1, 2, 0)
    sides = [(side - 2 * network.halo) * network.scale for side in padded.shape[:2]]
    first = [network.halo * network.scale - at for at in imported.origin]
    inside = made[first[0] :, first[1] :][: sides[0], : sides[1]]
    if min(first) < 0 or inside.shape[:2] != tuple(sides):
        raise UserError(
            f"{opened.path} gives {made.shape[0]} x {made.shape[1]} pixels of {padded.shape[0]} x {padded.shape[1]}, "
            f"less than what its layers see of the picture in full; crop less"
        )
    inside = (inside.astype(np.float64) - imported.black) / span
    return inside[:, :, 0] if network.out_ch == 1 else inside


def random_padded(imported: Imported, seed: int = 1) -> np.ndarray:
    """Return a picture with its halo, uint8, of a size that the file takes: smooth, with noise and edges."""
    network = imported.model.network
    sides = [fixed or usual + 2 * network.halo for fixed, usual in zip(imported.opened.fixed, SIDES)]
    if min(sides) <= 2 * network.halo:
        raise UserError(
            f"{imported.opened.path} takes {sides[0]} x {sides[1]} pixels alone, all within the {network.halo} that "
            f"its padding reaches; export it for any size, or a larger one"
        )
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: sides[0], : sides[1]]
    planes = []
    for _ in range(network.in_ch):
        waves = 110 + 80 * np.sin(x / rng.uniform(3, 9)) * np.cos(y / rng.uniform(3, 9))
        edge = 50 * (x + y > rng.integers(20, 60))
        planes.append(np.clip(waves + edge + rng.normal(0, 8, y.shape), 0, 255))
    return np.dstack(planes).astype(np.uint8).reshape(*sides, *((3,) * (network.in_ch == 3)))


def largest_difference(imported: Imported, seed: int = 1) -> float:
    """Return the largest difference between the float network and ONNX Runtime, in units of white, both clipped to
    black and white.
    """
    padded = random_padded(imported, seed)
    here = np.clip(floating.infer(imported.model, padded) / floating.WHITE, 0, 1)
    return float(np.abs(here - np.clip(outside_answer(imported, padded), 0, 1)).max())


def likeness(imported: Imported) -> float:
    """Return how far what the file gives is from the picture that it was given, PSNR in dB, at the picture's size."""
    padded, network = random_padded(imported), imported.model.network
    made = np.clip(outside_answer(imported, padded), 0, 1)
    halo, scale = network.halo, network.scale
    given = padded[halo : padded.shape[0] - halo, halo : padded.shape[1] - halo] / 255
    small = made.reshape(given.shape[0], scale, given.shape[1], scale, -1).mean((1, 3)).reshape(given.shape)
    return float(-10 * np.log10(max(((small - given) ** 2).mean(), 1e-10)))


def check_same(imported: Imported) -> float:
    """Return the largest difference; raise `UserError` if it is above `TOLERANCE`."""
    difference = largest_difference(imported)
    if not difference <= TOLERANCE:
        raise UserError(
            f"{imported.opened.path} was read, but gives other pixels here than in ONNX Runtime (up to "
            f"{difference:.2g} of white); please report it with the file"
        )
    return difference


def conv_integer(q: QuantLayer, x: np.ndarray) -> np.ndarray:
    """Return a convolution's sums of products in ONNX Runtime's ConvInteger.

    Parameters
    ----------
    q : QuantLayer
    x : ndarray of uint8, shape (H, W, I)

    Returns
    -------
    ndarray of int32, shape (H - k + 1, W - k + 1, O)
        Without bias.
    """
    onnx, _ = tools()
    kinds = onnx.TensorProto
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("ConvInteger", ["x", "weight"], ["sums"])],
        "one",
        [onnx.helper.make_tensor_value_info("x", kinds.UINT8, (1, x.shape[2], *x.shape[:2]))],
        [onnx.helper.make_tensor_value_info("sums", kinds.INT32, None)],
        [onnx.numpy_helper.from_array(np.ascontiguousarray(q.weight.transpose(0, 3, 1, 2)), "weight")],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8)
    sums = session(model).run(None, {"x": np.ascontiguousarray(x.transpose(2, 0, 1))[None]})[0]
    return sums[0].transpose(1, 2, 0)


def check_integers(model: QuantModel, padded: np.ndarray) -> int:
    """Compare every convolution's integers with ONNX Runtime's ConvInteger; return how many there are.

    Parameters
    ----------
    model : QuantModel
    padded : ndarray of uint8, shape (H + 2 halo, W + 2 halo), or (..., 3)

    Raises
    ------
    UserError
        At the first difference.
    """
    tensors, count = golden.tensors(model, padded), 0
    for layer, q in zip(model.network.convs, model.layers):
        x = tensors[layer.inputs[0]]
        sums = conv_integer(q, x) + q.bias.astype(np.int64)
        if not np.array_equal(sums, golden.accumulate(q, x)):
            raise UserError(
                f"layer {layer.name} sums other integers here than ONNX Runtime's ConvInteger; please report it with "
                f"the file"
            )
        count += sums.size
    return count
