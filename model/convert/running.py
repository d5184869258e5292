"""One node of a network in ONNX Runtime: what an operator does, from the operator itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from model.convert.opened import session, tools

if TYPE_CHECKING:
    from model.convert.opened import Opened


def run_node(
    opened: Opened, node: object, given: dict[str, np.ndarray], sizes: tuple | None = None
) -> list[np.ndarray]:
    """Run one node in ONNX Runtime.

    Parameters
    ----------
    opened : Opened
    node : onnx.NodeProto
    given : dict of str to ndarray
        What depends on the picture; the rest is constant. Computed as float32.
    sizes : tuple of int, optional
        Of the output of a resize, in place of what the node says.

    Returns
    -------
    list of ndarray
    """
    onnx, _ = tools()
    used = type(node)()
    used.CopyFrom(node)
    constants = {name: opened.constants[name] for name in used.input if name in opened.constants and name not in given}
    if sizes is not None:
        ((picture, before),) = given.items()
        scales = np.array([b / a for a, b in zip(before.shape, sizes)], np.float32)
        constants = {"scales": scales}
        del used.input[:]
        opset = opened.opsets.get("", 11)
        names = [picture, "", "scales"] if used.op_type == "Resize" and opset > 10 else [picture, "scales"]
        used.input.extend(names if used.op_type == "Resize" or opset > 8 else names[:1])

    def floats(name, shape):
        return onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)

    graph = onnx.helper.make_graph(
        [used],
        "one",
        [floats(name, value.shape) for name, value in given.items()],
        [floats(name, None) for name in used.output if name],
        [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    opsets = [onnx.helper.make_opsetid("", opened.opsets.get("", opened.opsets.get("ai.onnx")))]
    version = max(4, min(opened.whole.ir_version, onnx.IR_VERSION))  # before 4 constants had to be inputs
    model = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=version)
    feeds = {name: np.ascontiguousarray(value, np.float32) for name, value in given.items()}
    return session(model).run(None, feeds)
