"""Fourth pass: a `Step` as XLS IR text, either as a proc (for Verilog) or as a function (to be run and compared).

RAM ports have a fixed latency and no handshake: address and read data are `single_value` channels, tied together
by a scheduling constraint; a write is a ready/valid channel whose valid is the write enable. The channel `go`
starts a step: its valid says that there is room behind the stage for all that may be in flight.
"""

from hls.open.evaluate import topological

OPERATIONS = {"shl": "shll", "shr": "shrl", "sra": "shra"}
GO = "go"


class _Emitter:
    """Writes nodes as XLS IR, arguments before users."""

    def __init__(self, inputs, boxes=None):
        self.lines, self.names = [], dict(inputs)         # node -> IR name
        self.boxes = boxes                                # text of foreign functions by name, None: plain operations
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
        if self.boxes is not None and (op == "add_as_is" or op == "smul" and all(a.op != "literal" for a in node.args)):
            return self.add(kind, f"invoke({', '.join(args)}, to_apply={self._box(node)})")
        if op == "add_as_is":
            op = "add"
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

    def _box(self, node):
        """Return the name of a foreign function, a Verilog module, for an operation."""
        a, b = (x.width for x in node.args)
        if node.op == "smul":
            name, op, pin = f"multiply_{a}_{b}_{node.width}", "smul", "p"
            module = f"srcnn_multiply #(.A({a}), .B({b}), .P({node.width}))"
        else:
            name, op, pin, module = f"add_{a}", "add", "sum", f"srcnn_add #(.WIDTH({a}))"
        self.boxes[name] = (f'#[ffi_proto("""code_template: "{module} {{fn}} (.a({{a}}), .b({{b}}), .{pin}({{return}}))" """)]\n'
                            f"fn {name}(a: bits[{a}], b: bits[{b}]) -> bits[{node.width}] {{\n"
                            f"  ret r: bits[{node.width}] = {op}(a, b)\n}}\n")
        return name

    def _count_zeros(self, op, x, width):
        if op == "clz":
            x = self.add(f"bits[{width}]", f"reverse({x})")
        hot = self.add(f"bits[{width + 1}]", f"one_hot({x}, lsb_prio=true)")
        bits = width.bit_length()
        count = self.add(f"bits[{bits}]", f"encode({hot})")
        if bits < width:
            return self.add(f"bits[{width}]", f"zero_ext({count}, new_bit_count={width})")
        return count if bits == width else self.add(f"bits[{width}]", f"bit_slice({count}, start=0, width={width})")


def function_signature(step):
    """Return (inputs, outputs) of a step as a function: lists of (name, node).

    Inputs are the state and what comes in; outputs the next state, then predicate, data and address of each port.
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
    return inputs, outputs


def function_text(step, top=True):
    """Return a step as one XLS function from inputs to a tuple of outputs."""
    inputs, outputs = function_signature(step)
    emitter = _Emitter({node: f"p{i}" for i, (_, node) in enumerate(inputs)})
    names = emitter.nodes([node for _, node in outputs])
    parameters = ", ".join(f"p{i}: bits[{node.width}]" for i, (_, node) in enumerate(inputs))
    kind = ", ".join(f"bits[{node.width}]" for _, node in outputs)
    body = "\n".join(emitter.lines)
    return (f"{'top ' if top else ''}fn {step.name}({parameters}) -> ({kind}) {{\n{body}\n"
            f"  ret result: ({kind}) = tuple({', '.join(names)})\n}}\n")


def channels(step):
    """Return (name, width, kind, direction) of a step's channels, in the order of their ids."""
    result = [(GO, 1, "ready_valid", "receive_only")]
    for p in step.ports:
        if p.direction in ("in", "out"):
            result.append((p.name, p.width, "ready_valid", "receive_only" if p.direction == "in" else "send_only"))
        elif p.direction == "read":
            result.append((f"{p.name}_rd_req", p.address.width, "single_value", "send_only"))
            result.append((f"{p.name}_rd_resp", p.width, "single_value", "receive_only"))
        else:
            result.append((f"{p.name}_wr", p.address.width + p.width, "ready_valid", "send_only"))
    return result


def proc_text(step):
    """Return a step as an XLS package with one proc."""
    lines = [f"package {step.name}", ""]
    for i, (name, width, flow, ops) in enumerate(channels(step)):
        kind = "kind=single_value, ops=" + ops if flow == "single_value" else \
            f"kind=streaming, ops={ops}, flow_control=ready_valid, strictness=proven_mutually_exclusive"
        lines.append(f"chan {name}(bits[{width}], id={i}, {kind})")
    registers = [r for r in step.registers]
    state = ", ".join(f"s_{r.name}: bits[{r.width}]" for r in registers)
    init = ", ".join(str(r.reset) for r in registers)
    head = f"top proc {step.name}({state}{', ' if state else ''}init={{{init}}}) {{"
    emitter = _Emitter({}, boxes={})
    for r in registers:
        emitter.lines.append(f"  s_{r.name}: bits[{r.width}] = state_read(state_element=s_{r.name})")
        emitter.names[r.value] = f"s_{r.name}"
    # Everything a step does comes with or after its start, by way of the token: nothing waits once it has begun.
    start, _ = _receive(emitter, emitter.add("token", "after_all()"), GO, 1, None)
    requests = {}
    for p in (p for p in _in_order(step.ports) if p.direction in ("in", "read")):
        predicate = emitter.nodes([p.predicate])[0]
        if p.direction == "in":
            emitter.names[p.data] = _receive(emitter, start, p.name, p.width, predicate)[1]
        else:
            address = emitter.nodes([p.address])[0]
            requests[p.name] = emitter.add("token", f"send({start}, {address}, channel={p.name}_rd_req)")
            emitter.names[p.data] = _receive(emitter, requests[p.name], f"{p.name}_rd_resp", p.width, None)[1]
    for p in (p for p in step.ports if p.direction in ("out", "write")):
        predicate, data = emitter.nodes([p.predicate, p.data])
        token = start
        if p.direction == "write":
            address = emitter.nodes([p.address])[0]
            data = emitter.add(f"bits[{p.address.width + p.width}]", f"concat({address}, {data})")
            token = requests.get(p.name, start)      # a step reads what a RAM held before it
        channel = p.name if p.direction == "out" else f"{p.name}_wr"
        emitter.add("token", f"send({token}, {data}, predicate={predicate}, channel={channel})")
    for r in registers:
        value = emitter.nodes([r.next])[0]
        emitter.add("()", f"next_value(param=s_{r.name}, value={value})")
    return "\n".join(lines + [""] + list(emitter.boxes.values()) + [head] + emitter.lines + ["}", ""])


def _receive(emitter, token, channel, width, predicate):
    """Append a receive; return the names of its token and its data."""
    condition = f"predicate={predicate}, " if predicate else ""
    both = emitter.add(f"(token, bits[{width}])", f"receive({token}, {condition}channel={channel})")
    return emitter.add("token", f"tuple_index({both}, index=0)"), emitter.add(f"bits[{width}]", f"tuple_index({both}, index=1)")


def _in_order(ports):
    """Incoming ports so that each comes after those its predicate or address depends on."""
    incoming = {p.data: p for p in ports if p.direction in ("in", "read")}
    done, order = set(), []

    def visit(p):
        if id(p) in done:
            return
        done.add(id(p))
        for node in topological([n for n in (p.predicate, p.address) if n is not None]):
            if node in incoming and incoming[node] is not p:
                visit(incoming[node])
        order.append(p)
    for p in incoming.values():
        visit(p)
    return order
