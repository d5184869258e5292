"""Does the type tree from debug information agree with LLVM's own type of the object? Checked for every kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hls.open.read.layout import Layout
    from hls.open.read.llvm_types import Types


class Inconsistent(AssertionError):
    """The compiler contradicts itself; nothing it would write can be trusted."""


def verify_layout(layout: Layout, types: Types, kind: str) -> None:
    """Compare a layout with an LLVM type (text).

    Parameters
    ----------
    layout : Layout
    types : Types
    kind : str

    Raises
    ------
    Inconsistent
        If sizes differ, or scalars overlap, lie outside, have no room for their bits, or aren't where LLVM has them.
    """
    if layout.size != types.size(kind):
        raise Inconsistent(f"{kind} has {types.size(kind)} bytes for LLVM, {layout.size} in the debug information")
    owner = {}
    for place in [*layout.cells, *layout.rams]:
        if not 0 < getattr(place, "width", 1) <= 8 * place.size:
            raise Inconsistent(f"'{place.name}' has {place.width} bits in {place.size} bytes")
        for byte in range(place.offset, place.offset + place.size):
            if not 0 <= byte < layout.size or byte in owner:
                raise Inconsistent(f"'{place.name}' is outside of {kind} or overlaps '{owner.get(byte, place).name}'")
            owner[byte] = place
    for scalar in types.cells(kind):
        first = owner.get(scalar.offset)
        if first is None and scalar.size == 1:
            continue  # padding, empty classes
        inside = all(owner.get(b) is first for b in range(scalar.offset, scalar.offset + scalar.size))
        if first is None or not inside:
            raise Inconsistent(
                f"LLVM has a scalar of {kind} at bytes {scalar.offset} + {scalar.size}, which is no member"
            )
        aligned = (scalar.offset - first.offset) % scalar.size == 0
        if not aligned:
            raise Inconsistent(f"'{first.name}' lies at byte {first.offset} of {kind}, but not for LLVM")
    starts = {scalar.offset for scalar in types.cells(kind)}
    for cell in layout.cells:
        if cell.offset not in starts:
            raise Inconsistent(f"'{cell.name}' lies at byte {cell.offset} of {kind}, where LLVM has no scalar")
