"""ONNX files: opened, checked, and made simple by ONNX' and ONNX Runtime's own tools.

What is left are operators on tensors of known sizes, with constants folded, batch normalisation in its convolution and
no shape arithmetic; `model.convert.operators` says what each of them is here.
"""

from __future__ import annotations

import dataclasses
import pathlib
import tempfile
from typing import TYPE_CHECKING

import numpy as np

from model.base.errors import UserError
from model.convert.keras_export import export_keras

if TYPE_CHECKING:
    import onnx

SIDES = (36, 44)  # height and width that a network of any size is looked at with
PICTURE_CHANNELS = (1, 3)
FLOAT = 1  # onnx.TensorProto.FLOAT


@dataclasses.dataclass(frozen=True)
class Opened:
    """An ONNX file as operators on tensors of known sizes.

    Attributes
    ----------
    path : pathlib.Path
    whole : onnx.ModelProto
        What the file says, functions inlined.
    nodes : tuple of onnx.NodeProto
        In topological order.
    constants : dict of str to ndarray
    input, output : str
        Names of the picture and of what is made of it.
    shape : tuple of int
        Of the input, as it is looked at: (1, C, H, W), or (1, H, W, C) where `channels_last`.
    channels_last : bool
    fixed : tuple of (int or None, int or None)
        Height and width that the file insists on.
    loosened : bool
        The file is of a fixed size, but was looked at without.
    opsets : dict of str to int
    """

    path: pathlib.Path
    whole: onnx.ModelProto
    nodes: tuple
    constants: dict[str, np.ndarray]
    input: str
    output: str
    shape: tuple
    channels_last: bool
    fixed: tuple
    loosened: bool
    opsets: dict[str, int]

    @property
    def channels(self) -> int:
        """Of the input: 1 or 3."""
        return self.shape[3 if self.channels_last else 1]


def tools() -> tuple:
    """Return the modules onnx and onnxruntime; `UserError` where they are not installed."""
    try:
        import onnx
        import onnxruntime
    except ImportError as error:
        raise UserError(
            f"networks from elsewhere need the packages onnx and onnxruntime ({error}); install them with "
            f"`pip install -e '.[onnx]' -c constraints.txt`, or run `make setup`"
        ) from error
    return onnx, onnxruntime


def session(model: onnx.ModelProto, optimised: pathlib.Path | None = None) -> object:
    """Return an `onnxruntime.InferenceSession` on the processor, quiet; `optimised`: where to write what its basic
    optimisation made of the model.
    """
    _, runtime = tools()
    options = runtime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    if optimised is not None:
        options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(optimised)
    return runtime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def open_network(path: pathlib.Path, loosen: bool = True) -> Opened:
    """Read an ONNX file, or a Keras file by way of one; parameters and errors as of `open_onnx`."""
    if path.suffix.lower() != ".keras":
        return open_onnx(path, loosen)
    tools()
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "net.onnx"
        export_keras(path, file)
        return dataclasses.replace(open_onnx(file, loosen), path=path)


def open_onnx(path: pathlib.Path, loosen: bool = True) -> Opened:
    """Read an ONNX file.

    Parameters
    ----------
    path : pathlib.Path
    loosen : bool
        Look at a file of a fixed size at a small one, if it computes any. Most do: only fixed reshapes don't.

    Returns
    -------
    Opened

    Raises
    ------
    UserError
        No readable ONNX file, external data missing, an unknown opset, weights that are not finite, more or other
        inputs and outputs than one picture each, sizes that are neither fixed nor height and width.
    """
    onnx, _ = tools()
    whole = _read(onnx, path)
    _check_opsets(onnx, path, whole)
    if whole.functions:
        whole = onnx.inliner.inline_local_functions(whole)
    given = _only(path, [i for i in whole.graph.input if i.name not in {c.name for c in whole.graph.initializer}], "in")
    made = _only(path, list(whole.graph.output), "out")
    shape, last, fixed = _picture_shape(path, given)
    loosened = loosen and any(fixed)
    if loosened:
        loose, small = _any_size(whole, given.name, last), _sized(shape, SIDES, last)
        try:
            graph = _simplified(onnx, path, loose, given.name, small)
            whole, shape, fixed = loose, small, (None, None)
        except UserError:
            loosened = False
    if not loosened:
        graph = _simplified(onnx, path, whole, given.name, shape)
    constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for name, values in constants.items():
        if values.dtype.kind == "f" and np.isnan(values).any():
            raise UserError(f"{path}: the weights {name} hold NaN; export again from a checkpoint without")
    opsets = {entry.domain: entry.version for entry in whole.opset_import}
    return Opened(
        path, whole, tuple(graph.node), constants, given.name, made.name, shape, last, fixed, loosened, opsets
    )


def _read(onnx, path):
    if not path.is_file():
        raise UserError(f"there is no file {path}; name an .onnx or .keras file (MODEL=net.onnx)")
    try:
        whole = onnx.load(path)
        onnx.checker.check_model(whole)
    except onnx.checker.ValidationError as error:
        if "external" in str(error).lower() or "doesn't exist" in str(error) or "not accessible" in str(error):
            raise UserError(
                f"{path} keeps its weights in another file that is not there; copy it beside, or export with "
                f"external_data=False"
            ) from error
        raise UserError(f"{path} is no valid ONNX file ({_first_line(error)}); export it again") from error
    except FileNotFoundError as error:
        raise UserError(
            f"{path} keeps its weights in {error.filename or 'another file'}, which is not there; copy it beside, or "
            f"export with external_data=False"
        ) from error
    except Exception as error:  # protobuf's errors have no common base that is public
        raise UserError(f"{path} is no ONNX file ({_first_line(error)}); name an .onnx or .keras file") from error
    return whole


def _check_opsets(onnx, path, whole):
    newest = onnx.defs.onnx_opset_version()
    for entry in whole.opset_import:
        if entry.domain in ("", "ai.onnx") and not 7 <= entry.version <= newest:
            raise UserError(
                f"{path} has opset {entry.version}; this reads 7 to {newest}: export with opset_version=17, or with a "
                f"newer onnx package"
            )
    known = {"", "ai.onnx"} | {function.domain for function in whole.functions}
    for node in whole.graph.node:
        if node.domain not in known:
            raise UserError(
                f"{path}: node {node.name or node.output[0]} is {node.op_type} of {node.domain}, which is no operator "
                f"of ONNX; export without custom operators"
            )


def _only(path, values, way):
    if len(values) != 1:
        names = ", ".join(value.name for value in values) or "none"
        raise UserError(f"{path} has {len(values)} {way}puts ({names}); export a network of one picture to one picture")
    return values[0]


def _picture_shape(path, given):
    """Return the shape to look at an input with, whether its channels are last, and what sides are fixed."""
    kind = given.type.tensor_type
    sides = [d.dim_value if d.HasField("dim_value") and d.dim_value > 0 else None for d in kind.shape.dim]
    shown = " x ".join("?" if side is None else str(side) for side in sides)
    if kind.elem_type != FLOAT:
        raise UserError(f"{path}: the input {given.name} is not float32; export in float32, without casts")
    if len(sides) != 4 or sides[0] not in (None, 1):
        raise UserError(f"{path}: the input {given.name} is {shown}, no picture; export one of 1 x channels x H x W")
    last = sides[1] not in PICTURE_CHANNELS and sides[3] in PICTURE_CHANNELS
    channels = sides[3 if last else 1]
    if channels not in PICTURE_CHANNELS:
        raise UserError(
            f"{path}: the input {given.name} is {shown}; its channels have to be known, 1 (Y) or 3 (RGB): only batch, "
            f"height and width may be left open"
        )
    fixed = tuple(sides[1:3] if last else sides[2:])
    size = tuple(side or usual for side, usual in zip(fixed, SIDES))
    return ((1, *size, channels) if last else (1, channels, *size)), last, fixed


def _sized(shape, sides, last):
    return (1, *sides, shape[3]) if last else (*shape[:2], *sides)


def _any_size(whole, name, last):
    """Return a copy of a model that takes any height and width, as far as its operators do."""
    loose = with_shape(whole, name, ())
    (given,) = (value for value in loose.graph.input if value.name == name)
    for dim, side in zip(given.type.tensor_type.shape.dim[1 if last else 2 :], ("height", "width")):
        dim.dim_param = side
    return loose


def with_shape(whole: onnx.ModelProto, name: str, shape: tuple) -> onnx.ModelProto:
    """Return a copy of a model whose input has one fixed shape, and nothing said of the sizes of other tensors."""
    fixed = type(whole)()
    fixed.CopyFrom(whole)
    (given,) = (value for value in fixed.graph.input if value.name == name)
    for dim, side in zip(given.type.tensor_type.shape.dim, shape):
        dim.dim_value = side
    del fixed.graph.value_info[:]
    for value in fixed.graph.output:
        value.type.tensor_type.ClearField("shape")
    return fixed


def _simplified(onnx, path, whole, name, shape):
    """Return the graph as ONNX Runtime's basic optimisation leaves it."""
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "simple.onnx"
        try:
            session(with_shape(whole, name, shape), file).run(None, {name: np.zeros(shape, np.float32)})
        except Exception as error:  # onnxruntime raises a class per status code, without a common base
            raise UserError(
                f"{path} does not run in ONNX Runtime at {' x '.join(map(str, shape))} ({_first_line(error)}); "
                f"export it again"
            ) from error
        return onnx.load(file).graph


def _first_line(error):
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
