"""A `Step` as an XLS IR function, to be run by XLS's interpreter and compared (`xls_run.py`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hls.open.dataflow.evaluate import topological

if TYPE_CHECKING:
    from hls.open.dataflow.nodes import Node
    from hls.open.dataflow.step import Step

OPERATIONS = {"shl": "shll", "shr": "shrl", "sra": "shra"}


class _Emitter:
    """Writes nodes as XLS IR, arguments before users."""

    def __init__(self, inputs):
        self.lines, self.names = [], dict(inputs)  # node -> IR name
        self._count = 0

    def add(self, kind, text):
        """Append an operation and return its name."""
        self._count += 1
        name = f"n{self._count}"
        self.lines.append(f"  {name}: {kind} = {text}")
        return name

    def literal(self, value, width):
        return self.add(f"bits[{width}]", f"literal(value={value})")

    def nodes(self, outputs):
        for node in topological(outputs):
            if node not in self.names:
                self.names[node] = self._node(node)
        return [self.names[node] for node in outputs]

    def _node(self, node):
        args = [self.names[a] for a in node.args]
        kind = f"bits[{node.width}]"
        op = OPERATIONS.get(node.op, node.op)
        if op == "literal":
            return self.literal(node.attr, node.width)
        if op == "slice":
            return self.add(kind, f"bit_slice({args[0]}, start={node.attr}, width={node.width})")
        if op in ("zext", "sext"):
            return self.add(kind, f"{'zero' if op == 'zext' else 'sign'}_ext({args[0]}, new_bit_count={node.width})")
        if op == "select":
            return self.add(kind, f"sel({args[0]}, cases=[{args[2]}, {args[1]}])")
        if op == "index":
            array = self.add(f"bits[{node.width}][{len(args) - 1}]", f"array({', '.join(args[1:])})")
            return self.add(kind, f"array_index({array}, indices=[{args[0]}])")
        if op in ("ctz", "clz"):
            return self._count_zeros(op, args[0], node.width)
        if op == "input":
            raise ValueError(f"input {node.attr} has no place in this form")
        return self.add(kind, f"{op}({', '.join(args)})")

    def _count_zeros(self, op, x, width):
        if op == "clz":
            x = self.add(f"bits[{width}]", f"reverse({x})")
        hot = self.add(f"bits[{width + 1}]", f"one_hot({x}, lsb_prio=true)")
        bits = width.bit_length()
        count = self.add(f"bits[{bits}]", f"encode({hot})")
        if bits < width:
            return self.add(f"bits[{width}]", f"zero_ext({count}, new_bit_count={width})")
        return count if bits == width else self.add(f"bits[{width}]", f"bit_slice({count}, start=0, width={width})")


def function_signature(step: Step) -> tuple[list[tuple[str, Node]], list[tuple[str, Node]]]:
    """Return (inputs, outputs) of a step as a function: lists of (name, node).

    Inputs are the state and what comes in; outputs the next state, then predicate, data and address of each port, then
    predicate and outcome of each check.
    """
    inputs = [(f"state_{r.name}", r.value) for r in step.registers]
    inputs += [(f"{p.direction}_{p.name}", p.data) for p in step.ports if p.direction in ("in", "read")]
    outputs = [(f"next_{r.name}", r.next) for r in step.registers]
    for p in step.ports:
        outputs.append((f"{p.direction}_{p.name}_valid", p.predicate))
        if p.direction in ("out", "write"):
            outputs.append((f"{p.direction}_{p.name}_data", p.data))
        if p.address is not None:
            outputs.append((f"{p.direction}_{p.name}_address", p.address))
    for i, check in enumerate(step.checks):
        outputs += [(f"check_{i}_predicate", check.predicate), (f"check_{i}_ok", check.ok)]
    return inputs, outputs


def function_text(step: Step) -> str:
    """Return a step as one XLS function from inputs to a tuple of outputs."""
    inputs, outputs = function_signature(step)
    emitter = _Emitter({node: f"p{i}" for i, (_, node) in enumerate(inputs)})
    names = emitter.nodes([node for _, node in outputs])
    parameters = ", ".join(f"p{i}: bits[{node.width}]" for i, (_, node) in enumerate(inputs))
    kind = ", ".join(f"bits[{node.width}]" for _, node in outputs)
    body = "\n".join(emitter.lines)
    return (
        f"top fn {step.name}({parameters}) -> ({kind}) {{\n{body}\n"
        f"  ret result: ({kind}) = tuple({', '.join(names)})\n}}\n"
    )
