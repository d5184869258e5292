"""Names in Verilog: legal, unique within their module, and the same in every build.

Nothing else in this package decides whether a name is legal. What is an interface, the modules `<kernel>_stage` and the
top with the ports of their streams, keeps its C++ name or is refused; everything else takes its name from a `Names`,
which changes it where it has to.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from hls.open.errors import Refused
from hls.open.keywords import KEYWORDS

LIBRARY = "hls_open_"  # begins every module of the library (rtl/)
SIMPLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Names:
    """The names of one scope.

    Parameters
    ----------
    taken : iterable of str
        Names that are in use already.
    verilog : bool
        Names are Verilog's; otherwise they are only unique.
    """

    def __init__(self, taken: Iterable[str] = (), verilog: bool = True) -> None:
        self._taken, self._verilog = set(taken), verilog
        self._next = {}

    def take(self, wanted: str) -> str:
        """Return a name that nobody has yet, the wanted one if it is one.

        For Verilog, characters beyond letters, digits and `_` become `_`, a keyword gets a `_` behind it; a name that
        is taken gets a number: `x_2`.
        """
        name = _legal(wanted) if self._verilog else wanted
        free = name
        while free in self._taken:
            self._next[name] = self._next.get(name, 1) + 1
            free = f"{name}_{self._next[name]}"
        self._taken.add(free)
        return free


def _legal(wanted):
    name = re.sub(r"[^A-Za-z0-9_]", "_", wanted)
    name = name if SIMPLE.fullmatch(name) else f"_{name}"
    return f"{name}_" if name in KEYWORDS else name


def interface(name: str, what: str, where: str = "") -> str:
    """Return a name that others rely on, as it is.

    Parameters
    ----------
    name, what : str
        What is called so, for the refusal: "a stream".
    where : str, optional
        `file:line` of its declaration.

    Raises
    ------
    Refused
        If it has characters that Verilog doesn't allow.
    """
    if not SIMPLE.fullmatch(name):
        raise Refused(f"{what} can't be called '{name}' in Verilog: use letters, digits and underscores", where)
    return name


def module_name(name: str, what: str) -> str:
    """Return the name of a module that others instantiate, as it is.

    Raises
    ------
    Refused
        If it is no simple name, a keyword, or begins as the library's modules do.
    """
    interface(name, what)
    if name in KEYWORDS:
        raise Refused(f"{what} can't be called '{name}', a keyword of SystemVerilog or C++: choose another name")
    if name.startswith(LIBRARY):
        raise Refused(f"{what} can't be called '{name}': what begins with {LIBRARY} is the library's")
    return name


def stage_names(kernels: Iterable[str], taken: Iterable[str] = ()) -> dict[str, tuple[str, str]]:
    """Return {kernel: (module of its pipeline, module of its stage)} for kernels that are used together.

    A stage is `<kernel>_stage`, its pipeline `<kernel>` unless that is a keyword, a module of the library or another
    stage.

    Parameters
    ----------
    kernels : iterable of str
    taken : iterable of str
        Modules beside them, such as a top: a stage of that name gets a number.
    """
    kernels = list(kernels)
    names = Names(taken)
    stages = {kernel: names.take(f"{kernel}_stage") for kernel in kernels}
    pipelines = {k: names.take(f"{k}_pipeline" if k.startswith(LIBRARY) or k in KEYWORDS else k) for k in kernels}
    return {kernel: (pipelines[kernel], stages[kernel]) for kernel in kernels}
