"""What holds in every cycle of a generated stage, written by the compiler, and the model against which it holds.

The model is the step itself, done as a whole in the cycle in which it begins: `model_module` is its logic without a
register, and `Model` writes the wrapper around it. Each step in flight keeps what it began with (state, words read), so
that what a pipeline register has to hold can be said at any stage: the value which the logic makes of that.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from hls.open.errors import Refused
from hls.open.pipeline.claims import Claim, Fifo, bits, inside, pick
from hls.open.pipeline.netlist import room
from hls.open.pipeline.timing import Schedule
from hls.open.pipeline.verilog import _Writer

if TYPE_CHECKING:
    from hls.open.pipeline.verilog import Stage

MOST_WORDS = 32  # of a RAM in the model: every word of it is a register there


class _Logic(_Writer):
    """A step as logic without registers: every value where it is needed."""

    def __init__(self, step):
        super().__init__(step, Schedule(defaultdict(int), {}, {}, {}))

    def at(self, node, stage, loads=1):
        return f"{node.width}'h{node.attr:x}" if node.op == "literal" else self.names[node]

    def module(self, shown):
        from hls.open.dataflow.evaluate import topological

        step, ports = self.step, []
        ends = [r.next for r in step.registers] + [
            n for p in step.ports for n in (p.predicate, p.data, p.address) if n is not None
        ]
        for node in topological(ends):
            self.define(node)
        body = []

        def out(name, node):
            ports.append(f"output wire {bits(node.width)}{name}")
            body.append(f"assign {name} = {self.at(node, 0)};")

        for r in step.registers:
            ports.append(f"input wire {bits(r.width)}s_{r.name}")
            out(f"next_{r.name}", r.next)
        for p in step.ports:
            if p.direction in ("in", "read"):
                ports.append(f"input wire {bits(p.width)}{self.names[p.data]}")
            out(f"{p.name}_{p.direction}_does", p.predicate)
            if p.direction in ("out", "write"):
                out(f"{p.name}_{p.direction}_word", p.data)
            if p.address is not None:
                out(f"{p.name}_{p.direction}_place", p.address)
        for name, node in shown.items():
            out(f"v_{name}", node)
        lines = [*self.wires, *body]
        return (
            f"module {step.name}_model (\n    "
            + ",\n    ".join(ports)
            + "\n);\n"
            + "".join(f"    {line}\n" for line in lines)
            + "endmodule\n"
        )


class Model:
    """The model of a stage as text of a wrapper whose instance of the stage is `dut`, and the claims that join them.

    Parameters
    ----------
    stage : Stage
    depths : dict, optional
        As for `netlist.stage_module`.

    Raises
    ------
    Refused
        If a RAM's size is no power of two or above MOST_WORDS, or it is `independent()`, or nothing leaves the stage.
    """

    def __init__(self, stage: Stage, depths: dict[str, int] | None = None) -> None:
        self.stage, self.step, self.plan, self.depth = stage, stage.step, stage.plan, stage.depth
        ports = self.step.ports
        self.inputs = [p for p in ports if p.direction == "in"]
        self.outputs = [p for p in ports if p.direction == "out"]
        self.reads = [p for p in ports if p.direction == "read"]
        self.writes = {p.name: p for p in ports if p.direction == "write"}
        if self.depth < 2 or not self.outputs:
            raise Refused(f"'{self.step.name}' writes no stream: there is no handshake to prove")
        self.rams = {p.name: p for p in (*self.writes.values(), *self.reads)}  # the read port, if there is one
        for p in self.rams.values():
            if p.depth > MOST_WORDS or p.depth != 1 << p.address.width or p.independent:
                raise Refused(
                    f"'{self.step.name}' can't be proved: its RAM '{p.name}' has {p.depth} words"
                    + (" and a promise of independence" if p.independent else "")
                    + f"; the model takes powers of two up to {MOST_WORDS} and no promises, prove it with a smaller one"
                )
        needed = room(stage)
        self.fifos = {
            p.name: Fifo(f"dut.{p.name}_fifo", p.width, needed + (depths or {}).get(p.name, 4), needed)
            for p in self.outputs
        }
        self.shown, self.products = {}, []
        for (node, k, *_), name in stage.carried.items():
            self.shown[name] = (node, k)
        for node, taken in self.plan.takes.items():
            self.products.append((node, taken))

    # -- text

    def module(self) -> str:
        """Return the step's logic."""
        nodes = {f"n{node.id}": node for node, _ in self.shown.values()}
        for product, _ in self.products:
            nodes |= {f"n{node.id}": node for node in (product, *product.args)}
        return _Logic(self.step).module(nodes)

    def looks(self) -> dict[str, str]:
        """Return {path: range} of all wires that the claims look at."""
        found = {"dut.pipeline.valid_0": "", "dut.pipeline.valid": f"[{self.depth - 1}:1] "}
        for fifo in self.fifos.values():
            found |= fifo.looks()
        for p in self.outputs:
            found[f"dut.pipe_{p.name}_valid"] = ""
        for name, p in self.rams.items():
            found |= {f"dut.{name}_ram.g_luts.mem[{i}]": bits(p.width) for i in range(p.depth)}
            found[f"dut.{name}_rd_data"] = bits(p.width)
        for r in self.step.registers:
            found[f"dut.pipeline.s_{r.name}"] = bits(r.width)
        for name, (node, _) in self.shown.items():
            found[f"dut.pipeline.{name}"] = bits(node.width)
        for name in self.stage.enables:
            found[f"dut.pipeline.{name}"] = bits(2)
        for node, _ in self.products:
            a, b = (x.width for x in node.args)
            path = f"dut.pipeline.n{node.id}_multiply"
            found |= {f"{path}.a_in": bits(a), f"{path}.b_in": bits(b), f"{path}.product": bits(a + b)}
            found[f"{path}.p"] = bits(node.width)
        return found

    def kept(self) -> list[tuple[str, int]]:
        """Return (name, width) of what a step in flight keeps: state and words as it began with them."""
        return (
            [(f"s_{r.name}", r.width) for r in self.step.registers]
            + [(f"{p.name}_data", p.width) for p in self.inputs]
            + [(f"{p.name}_rd_resp", p.width) for p in self.reads]
        )

    def body(self) -> list[str]:
        """Return the model: its state, what the steps in flight keep, and the logic over each of these."""
        begins = inside("dut.pipeline.valid_0")
        lines = [f"wire begins = {begins} && !rst;", f"reg [{self.depth - 1}:1] flight = '0;"]
        lines.append("always @(posedge clk) begin")
        lines.append("    flight[1] <= begins;")
        lines += [f"    flight[{k}] <= flight[{k - 1}] && !rst;" for k in range(2, self.depth)]
        lines.append("end")
        for r in self.step.registers:
            lines.append(f"reg {bits(r.width)}k0_s_{r.name};")
            lines.append(
                f"always @(posedge clk) if (rst) k0_s_{r.name} <= {r.width}'h{r.reset:x}; "
                f"else if (begins) k0_s_{r.name} <= m0_next_{r.name};"
            )
        for p in self.inputs:
            lines.append(f"wire {bits(p.width)}k0_{p.name}_data = {p.name}_data;")
        for name, p in self.rams.items():
            lines += self._memory(name, p)
        for k in range(1, self.depth):
            for name, width in self.kept():
                lines.append(f"reg {bits(width)}k{k}_{name}; always @(posedge clk) k{k}_{name} <= k{k - 1}_{name};")
        for k in range(self.depth):
            lines += self._instance(k)
        return lines

    def _memory(self, name, p):
        """A RAM of the model, read and written when a step begins; a reset drops writes that are on their way."""
        done = self.plan.done.get((name, "write"), 0)
        does = f"begins && m0_{name}_write_does && m0_{name}_write_place" if name in self.writes else "1'b0 && 1"
        word = f"m0_{name}_write_word" if name in self.writes else "0"
        lines = [f"reg {bits(p.width)}{name}_word{i} = 0;" for i in range(p.depth)]
        lines.append("always @(posedge clk) begin")
        lines += [
            f"    if (rst) {name}_word{i} <= {self.stored(name, str(i), done, done)}; "
            f"else if ({does} == {i}) {name}_word{i} <= {word};"
            for i in range(p.depth)
        ]
        lines.append("end")
        if p in self.reads:
            read = pick(f"m0_{name}_read_place", [f"{name}_word{i}" for i in range(p.depth)])
            lines.append(f"wire {bits(p.width)}k0_{name}_rd_resp = {read};")
        return lines

    def stored(self, name: str, place: str, first: int, last: int) -> str:
        """Return a word of a RAM, with the writes of the steps in stages `first` to `last` done, the youngest last."""
        chain = ""
        if name in self.writes:
            for k in range(max(first, 1), last + 1):
                write = f"m{k}_{name}_write"
                chain += f"flight[{k}] && {write}_does && {write}_place == {place} ? {write}_word : "
        words = [inside(f"dut.{name}_ram.g_luts.mem[{i}]") for i in range(self.rams[name].depth)]
        return f"({chain}{words[int(place)] if place.isdigit() else pick(place, words)})"

    def _instance(self, k):
        pins = [f".{name}(k{k}_{name})" for name, _ in self.kept()]
        wires = [(f"next_{r.name}", r.width) for r in self.step.registers]
        for p in self.step.ports:
            name = f"{p.name}_{p.direction}"
            wires.append((f"{name}_does", 1))
            if p.direction in ("out", "write"):
                wires.append((f"{name}_word", p.width))
            if p.address is not None:
                wires.append((f"{name}_place", p.address.width))
        nodes = [node for node, _ in self.shown.values()] + [n for x, _ in self.products for n in (x, *x.args)]
        wires += [(f"v_n{node.id}", node.width) for node in dict.fromkeys(nodes)]
        lines = [f"wire {bits(width)}m{k}_{name};" for name, width in wires]
        pins += [f".{name}(m{k}_{name})" for name, _ in wires]
        return [*lines, f"{self.step.name}_model model{k} (" + ", ".join(pins) + ");"]

    # -- claims

    def younger(self, k: int, name: str) -> str:
        """Return what register `name` holds after the step in stage k, or after all steps that have begun for k = 0...

        It is what the next younger step in flight began with, or the model's state if there is none.
        """
        chain = "".join(f"flight[{j}] ? k{j}_s_{name} : " for j in range(k, 0, -1))
        return f"({chain}k0_s_{name})"

    def words(self, port: str, first: int, last: int) -> str:
        """Return how many words for a port are on their way in stages `first` to `last`."""
        terms = [f"32'(flight[{k}] && m{k}_{port}_out_does)" for k in range(first, last + 1)]
        return " + ".join(terms or ["0"])

    def invariants(self) -> list[Claim]:
        """Return the invariants of the pipeline and its FIFOs."""
        claims = [
            Claim(
                "valid_bits",
                f"{inside('dut.pipeline.valid')} == flight",
                "the valid bits say which stages hold a step that has begun and not ended",
            ),
            *self._parts(),
            Claim("none_before_reset", "started || flight == 0", "no step is on its way before the first reset"),
        ]
        for p in self.outputs:
            fifo, done = self.fifos[p.name], self.plan.done[p.name, "out"]
            flight = " + ".join(f"32'(flight[{k}])" for k in range(1, done + 1))
            claims += fifo.invariants()
            claims.append(
                Claim(
                    f"{p.name}_places",
                    f"!started || 32'({fifo.count}) + {flight} <= {fifo.depth}",
                    "room is never negative: words in the FIFO and steps in flight have a place each",
                )
            )
        claims += [
            Claim(
                f"state_{r.name}",
                f"!started || {self._late(self.plan.stage[r.value])}{inside(f'dut.pipeline.s_{r.name}')} == "
                f"{self.younger(self.plan.stage[r.value], r.name)}",
                "a register is as the oldest step that has still to pass its stage found it",
            )
            for r in self.step.registers
        ]
        for k in range(1, self.depth):
            same = [f"m{k}_next_{r.name} == {self.younger(k - 1, r.name)}" for r in self.step.registers]
            if same:
                claims.append(
                    Claim(
                        f"follows_{k}",
                        f"!flight[{k}] || ({' && '.join(same)})",
                        "each step begins with what the step before it left",
                    )
                )
        for name, (node, k) in self.shown.items():
            claims.append(
                Claim(
                    f"value_{name}",
                    f"!flight[{k}] || {inside(f'dut.pipeline.{name}')} == m{k}_v_n{node.id}",
                    "a pipeline register holds the value of the step in its stage",
                )
            )
        for node, taken in self.products:
            claims += self._product(node, taken)
        for name, p in self.rams.items():
            claims += self._ram(name, p)
        return claims

    def _late(self, stage=None):
        """The reset of wide state, a cycle late, and "or"; nothing for a stage whose state is not wide."""
        if stage not in (None, *self.stage.enables.values()):
            return ""
        return f"{inside(f'dut.pipeline.{next(iter(self.stage.enables))}')}[1] || "

    def _parts(self):
        """What holds of the enables and resets of wide state's parts."""
        claims = []
        for name, stage in self.stage.enables.items():
            part, first = (inside(f"dut.pipeline.{x}") for x in (name, next(iter(self.stage.enables))))
            claims.append(
                Claim(
                    f"part_{name}",
                    f"!started || ({part}[0] == flight[{stage}] && {part}[1] == {first}[1])",
                    "an enable of a part of the state is the valid bit of its stage, and all parts are reset at once",
                )
            )
        if claims:
            nothing = ["flight == 0", *(f"!{fifo.room}" for fifo in self.fifos.values())]
            nothing += [f"k0_s_{r.name} == {r.width}'h{r.reset:x}" for r in self.step.registers]
            claims.append(
                Claim(
                    "late_reset",
                    f"!started || !({self._late()}0) || ({' && '.join(nothing)})",
                    "when the state is reset, a cycle late, no step is on its way and none begins",
                )
            )
        return claims

    def _ram(self, name, p):
        done = self.plan.done.get((name, "write"), 0)
        same = [f"{name}_word{i} == {self.stored(name, str(i), 1, done)}" for i in range(p.depth)]
        claims = [
            Claim(
                f"{name}_words",
                f"!started || ({' && '.join(same)})",
                "the model's RAM is the stage's with the writes of the steps in flight",
            )
        ]
        if p not in self.reads:
            return claims
        issue = self.plan.issue[name]
        for k in range(1, issue + 1):
            there = self.stored(name, f"m{k}_{name}_read_place", k + 1, done)
            claims.append(
                Claim(
                    f"{name}_finds_{k}",
                    f"!flight[{k}] || k{k}_{name}_rd_resp == {there}",
                    "a step that has still to read will find what the steps before it wrote",
                )
            )
        came = f"k{issue + 1}_{name}_rd_resp"
        claims.append(
            Claim(
                f"{name}_found",
                f"!flight[{issue + 1}] || {inside(f'dut.{name}_rd_data')} == {came}",
                "a RAM gives each step what the steps before it wrote",
            )
        )
        return claims

    def _product(self, node, taken):
        path, (a, b) = f"dut.pipeline.n{node.id}_multiply", node.args
        one, two, three = taken + 1, taken + 2, taken + 3
        whole = f"$signed(m{two}_v_n{a.id}) * $signed(m{two}_v_n{b.id})"
        return [
            Claim(
                f"factors_n{node.id}",
                f"!flight[{one}] || ({inside(f'{path}.a_in')} == m{one}_v_n{a.id} && "
                f"{inside(f'{path}.b_in')} == m{one}_v_n{b.id})",
                "a multiplier's first registers hold the factors of the step in their stage",
            ),
            Claim(
                f"product_n{node.id}",
                f"!flight[{two}] || $signed({inside(f'{path}.product')}) == {whole}",
                "its second register holds their product",
            ),
            Claim(
                f"result_n{node.id}",
                f"!flight[{three}] || {inside(f'{path}.p')} == m{three}_v_n{node.id}",
                "its third register holds the result",
            ),
        ]
