"""Running a lowered step in XLS's interpreter, one step at a time."""

from __future__ import annotations

import types
from typing import TYPE_CHECKING

from hls.open.errors import Refused
from sim.fuzz.compare.xls_ir import function_signature, function_text

if TYPE_CHECKING:
    from hls.open.dataflow.step import Step


def load_xls() -> types.ModuleType:
    """Return XLS's C API, or refuse with what to install."""
    try:
        from xls import c_api
    except ImportError:
        raise Refused("the fuzzer needs the package xls-python; run `make setup`") from None
    return c_api


class Result:
    """What one step did: `valid`, `data` and `address` of its ports, by signal name."""

    def __init__(self, values: dict[str, int]) -> None:
        self.values = values

    def read(self, stream: str) -> int:
        """Whether the step read a stream."""
        return self.values.get(f"in_{stream}_valid", 0)

    def written(self, stream: str) -> int | None:
        """What the step wrote to a stream, or None."""
        return self.values[f"out_{stream}_data"] if self.values.get(f"out_{stream}_valid", 0) else None


class StepFunction:
    """A step with its state and RAMs, run by XLS.

    Parameters
    ----------
    step : Step
    """

    def __init__(self, step: Step) -> None:
        self.xls = load_xls()
        self.definition = step
        self.inputs, self.outputs = function_signature(step)
        self.package = self.xls.Package.parse_ir(f"package {step.name}\n\n" + function_text(step))
        self.function = self.package.get_function(step.name)
        self.state = {r.name: r.reset for r in step.registers}
        self.rams = {p.name: [0] * p.depth for p in step.ports if p.direction in ("read", "write")}

    def _value(self, value, width):
        return self.xls.Value.from_bits(self.xls.Bits.from_bytes(width, value.to_bytes((width + 7) // 8, "little")))

    def _run(self, incoming):
        arguments = []
        for name, node in self.inputs:
            kind, _, rest = name.partition("_")
            value = self.state[rest] if kind == "state" else incoming.get(name, 0)
            arguments.append(self._value(value, node.width))
        result = self.function.interpret(arguments)
        return {
            name: int.from_bytes(result.get_element(i).get_bits().to_bytes(), "little")
            for i, (name, _) in enumerate(self.outputs)
        }

    def step(self, heads: dict[str, int]) -> Result:
        """Run one step; `heads` holds the next value of every input stream.

        RAM addresses may depend on stream data and on one another, so the step is evaluated until they settle.
        """
        incoming = {f"in_{name}": value for name, value in heads.items()}
        reads = [p for p in self.definition.ports if p.direction == "read"]
        values = self._run(incoming)
        for _ in range(len(reads)):
            for p in reads:
                address = values[f"read_{p.name}_address"]
                incoming[f"read_{p.name}"] = self.rams[p.name][address] if address < p.depth else 0
            values = self._run(incoming)
        for p in self.definition.ports:
            if p.direction == "write" and values[f"write_{p.name}_valid"]:
                self.rams[p.name][values[f"write_{p.name}_address"]] = values[f"write_{p.name}_data"]
        self.state = {r.name: values[f"next_{r.name}"] for r in self.definition.registers}
        return Result(values)

    def broken(self, result: Result) -> list[str]:
        """What was wrong in a step: file, line and text of the checks that don't hold."""
        return [
            f"{check.where}: {check.text}"
            for i, check in enumerate(self.definition.checks)
            if result.values[f"check_{i}_predicate"] and not result.values[f"check_{i}_ok"]
        ]
