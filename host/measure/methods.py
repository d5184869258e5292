"""The methods that are compared, by name, each a function from the degraded picture to a result."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from model.base.errors import UserError
from model.graph.description import load_network
from model.graph.weights import T91, load_float, load_quant, weight_path
from model.integer import golden

if TYPE_CHECKING:
    import numpy as np

    from model.quality.protocols import Case

METHODS = ("bilinear", "bicubic", "float", "golden", "csim")
LEARNED = ("float", "golden", "csim")


class Methods:
    """Methods for one network and factor; TensorFlow and the C++ kernels are loaded only if they are asked for.

    Parameters
    ----------
    network : str
    upscale : int
    names : sequence of str
        From `METHODS`.
    degradation : str
        Weights trained for it are taken if they are there, else the standard ones.
    data : str
        What the weights are trained on.

    Attributes
    ----------
    weights : str or None
        Degradation of the weights in use; None where no method needs weights.

    Raises
    ------
    UserError
        Unknown name; missing weights; kernels that can't be built here.
    """

    def __init__(
        self,
        network: str,
        upscale: int,
        names: Sequence[str] = METHODS[:4],
        degradation: str = "standard",
        data: str = T91,
    ) -> None:
        self.names, self.weights = checked(names), None
        self._float, self._quant, self._backend = None, None, None
        self._input = load_network(network, upscale).input
        if not set(names) & set(LEARNED):
            return
        self.weights = degradation if weight_path(network, upscale, degradation, data=data).is_file() else "standard"
        if "float" in names:
            from model.train.keras_model import from_float_model

            self._float = from_float_model(load_float(weight_path(network, upscale, self.weights, data=data), network))
        if "golden" in names or "csim" in names:
            self._quant = load_quant(weight_path(network, upscale, self.weights, True, data), network)
        if "csim" in names:
            from host.picture.backends import CsimBackend

            self._backend = CsimBackend(self._quant)

    def run(self, name: str, case: Case) -> np.ndarray:
        """Return a method's result for a `model.quality.protocols.Case`: (H, W), or (H, W, 3) of a network that gives
        colours; uint8 or (float) real numbers of 0..255.
        """
        if name in ("bilinear", "bicubic"):
            return getattr(case, name)
        if name == "float":
            from model.train.keras_model import infer_float

            return infer_float(self._float, case.input(self._input))
        x = case.input(self._input)
        if name == "golden":
            return golden.infer(self._quant, x)
        from host.picture.pipeline import infer_input

        return infer_input(x, self._backend)

    def run_all(self, case: Case) -> dict[str, np.ndarray]:
        """Return {name: result}; raises if golden and csim, where both run, differ in any bit."""
        results = {name: self.run(name, case) for name in self.names}
        if "golden" in results and "csim" in results:
            wrong = (results["golden"] != results["csim"]).nonzero()
            if len(wrong[0]):
                place = wrong[0][0], wrong[1][0]
                raise RuntimeError(
                    f"csim differs from golden in {len(wrong[0])} pixels, first at row {place[0]}, column {place[1]}: "
                    f"golden {results['golden'][place]}, csim {results['csim'][place]}"
                )
        return results


def parse_methods(text: str) -> tuple[str, ...]:
    """Split a command line's comma-separated list. Raises UserError at an unknown name, before anything else is looked
    for.
    """
    return checked(name.strip() for name in text.split(",") if name.strip())


def checked(names: Iterable[str]) -> tuple[str, ...]:
    """Return names of methods as a tuple; raise `UserError` at an unknown name, or if there is none."""
    names = tuple(names)
    unknown = [name for name in names if name not in METHODS]
    if unknown or not names:
        raise UserError(f"there is no method {unknown[0] if unknown else ''!r}; choose from {', '.join(METHODS)}")
    return names
