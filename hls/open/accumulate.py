"""Accumulators stay one adder: sums that feed back are regrouped, and kept from being regrouped again.

`acc += a * b + c * d` feeds back through one addition as written, but both LLVM and XLS may turn it into
`(acc + a * b) + c * d`, whose feedback is twice as long and sets the period of the whole pipeline. Here everything
outside the loop is summed first, in a balanced tree; its last addition becomes `add_as_is`, which reaches XLS as a
module of its own and so can't be opened.
"""

from hls.open.evaluate import topological
from hls.open.feedback import loops


def isolate_accumulators(step):
    """Regroup the additions of a step's feedback loops, in place."""
    outputs = [r.next for r in step.registers] + [n for p in step.ports for n in (p.predicate, p.data, p.address) if n is not None]
    replaced = {}
    for group in loops(step):
        for root, leaves, inside in _chains(group):
            new = _regrouped(step.graph, root, leaves, inside)
            if new is not None:
                replaced[root] = new
    if not replaced:
        return
    renewed = _rebuild(step.graph, outputs, replaced)
    for r in step.registers:
        r.next = renewed[r.next]
    for p in step.ports:
        p.predicate = renewed[p.predicate]
        p.data = renewed[p.data]
        p.address = renewed[p.address] if p.address is not None else None


def _chains(group):
    """Yield (root, leaves, nodes of the loop) for each tree of additions that a feedback path runs through."""
    ends = [r.next for r in group]
    inside = {r.value for r in group}
    for node in topological(ends):                       # depends on the group's registers, and is needed by them
        if any(a in inside for a in node.args):
            inside.add(node)
    inner = {a for node in inside for a in node.args if node.op == a.op == "add" and node.width == a.width}
    for node in topological(ends):
        if node in inside and node.op == "add" and node not in inner:
            leaves, stack = [], [node]
            while stack:
                at = stack.pop()
                if at.op == "add" and at.width == node.width:
                    stack.extend(at.args)
                else:
                    leaves.append(at)
            yield node, leaves, inside


def _regrouped(graph, root, leaves, inside):
    loop = [x for x in leaves if x in inside]
    other = [x for x in leaves if x not in inside and x.op != "literal"]
    constants = [x for x in leaves if x.op == "literal"]
    if len(loop) != 1 or not other:
        return None
    if len(other) == 1:
        total = _closed(graph, other[0])
    else:
        other.sort(key=lambda x: x.id)
        while len(other) > 2:                            # a balanced tree: neighbours first
            other = [_sum(graph, *other[i:i + 2]) if i + 1 < len(other) else other[i] for i in range(0, len(other), 2)]
        total = _sum(graph, *other, as_is=True)
    if total is None:
        return None
    for x in constants:
        total = graph.add(total, x)
    return graph.add(loop[0], total)


def _closed(graph, x):
    """The same value, its last addition as is; None if there is no addition to close."""
    if x.op in ("sext", "zext"):
        inner = _closed(graph, x.args[0])
        return None if inner is None else getattr(graph, x.op)(inner, x.width)
    return graph.add_as_is(*x.args) if x.op == "add" else None


def _sum(graph, a, b, as_is=False):
    """a + b, added with no more bits than the sum can have."""
    (al, ah), (bl, bh) = graph.bounds(a), graph.bounds(b)
    bits = max((-al - bl - 1).bit_length() if al + bl < 0 else 0, (ah + bh).bit_length() if ah + bh > 0 else 0) + 1
    width = min(bits, a.width)
    add = graph.add_as_is if as_is else graph.add
    return graph.sext(add(graph.slice(a, 0, width), graph.slice(b, 0, width)), a.width)


def _rebuild(graph, outputs, replaced):
    """Return {old node: new node} with some nodes replaced, also where replacements depend on one another."""
    done = {}

    def follow(node):
        stack = [node]
        while stack:
            at = stack[-1]
            if at in done:
                stack.pop()
                continue
            target = replaced.get(at)
            needs = [target] if target is not None and target is not at else list(at.args)
            missing = [n for n in needs if n not in done]
            if missing:
                stack.extend(missing)
                continue
            if target is not None and target is not at:
                done[at] = done[target]
            else:
                args = tuple(done[a] for a in at.args)
                done[at] = at if args == at.args else graph.again(at, args)
            stack.pop()
        return done[node]
    return {node: follow(node) for node in outputs}
