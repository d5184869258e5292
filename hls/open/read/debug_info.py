"""Names, widths and places of a kernel's members and of what its streams carry, read from the debug information.

LLVM's types only know bytes (an ap_uint<5> is an i8, a class has no member names); the debug information keeps
the C++ side: `DICompositeType(name: "ap_uint<5>")`, members with offsets, template arguments.
"""

from __future__ import annotations

import re
from dataclasses import replace

from hls.open.errors import Refused
from hls.open.names import Names
from hls.open.read.layout import Array, Cell, Layout, Ram

RAM = "hls_open::ram_marker"  # lib/ram.h


class DebugInfo:
    """Reader of a module's metadata.

    Parameters
    ----------
    metadata : dict
        id -> text, as `llvm_text.Module.metadata`.
    """

    def __init__(self, metadata: dict[str, str]) -> None:
        self.metadata = metadata
        self._attributes = {}
        self._lists = {}
        self._locals = None

    def node(self, key: str) -> dict[str, str]:
        """Return the attributes of a metadata node as a dict of texts; "kind" is its class."""
        if key not in self._attributes:
            text = self.metadata[key]
            kind, _, body = text.partition("(")
            pairs = re.findall(r'(\w+): ("(?:[^"\\]|\\.)*"|[^,()"]+(?:\([^)]*\))?)', body)
            self._attributes[key] = {"kind": kind.lstrip("!")} | {k: v.strip().strip('"') for k, v in pairs}
        return self._attributes[key]

    def items(self, key: str) -> list[str]:
        """Return the ids in a metadata tuple."""
        if key not in self._lists:
            self._lists[key] = re.findall(r"!\d+", self.metadata[key]) if key in self.metadata else []
        return self._lists[key]

    def location(self, key: str) -> str:
        """Return `file:line` of a !DILocation, of the kernel rather than of what was inlined from this package."""
        while key in self.metadata:
            place = self.node(key)
            name = self._file(place.get("scope"))
            if not any(ours in name for ours in ("hls/open/include", "hls/open/lib")) or "inlinedAt" not in place:
                return f"{name}:{place.get('line', '?')}"
            key = place["inlinedAt"]
        return ""

    def place(self, key: str | None) -> str:
        """Return `file:line` of a function, class or member; empty if it has no line of its own."""
        node = self.node(key) if key in self.metadata else {}
        return f"{self._file(key)}:{node['line']}" if node.get("line", "0") != "0" else ""

    def _file(self, key):
        while key in self.metadata:
            node = self.node(key)
            if node["kind"] == "DIFile":
                return node.get("filename", "")
            key = node.get("file", node.get("scope"))
        return ""

    def declared(self, key: str) -> str:
        """Return `file:line` of a declaration, as far as it is known."""
        line = self.node(key).get("line")
        return f"{self._file(key)}:{line}" if line else ""

    def strip(self, key: str) -> str:
        """Follow typedefs, const, references and pointers to the type itself."""
        while key in self.metadata:
            node = self.node(key)
            if node["kind"] != "DIDerivedType":
                return key
            key = node.get("baseType")
        return key

    def type_name(self, key: str) -> str:
        """Return the C++ name of a class or typedef, namespaces included."""
        node = self.node(key)
        scope = self.node(node["scope"]) if node.get("scope") in self.metadata else {}
        prefix = self.type_name(node["scope"]) + "::" if scope.get("kind") == "DINamespace" else ""
        return prefix + node["name"]

    def parameters(self, subprogram: str) -> list[tuple[str, str]]:
        """Return (name, type id) of a function's parameters, `this` first."""
        if self._locals is None:
            self._locals = {}
            for key, text in self.metadata.items():
                if text.startswith("!DILocalVariable") and " arg: " in text:
                    node = self.node(key)
                    self._locals.setdefault(node["scope"], {})[int(node["arg"])] = (node.get("name", ""), node["type"])
        found = self._locals.get(subprogram, {})
        return [found[i] for i in sorted(found)]

    def template_arguments(self, key: str) -> list[int | str]:
        """Return a template class's arguments: type ids and integers."""
        result = []
        for item in self.items(self.node(key).get("templateParams")):
            node = self.node(item)
            if node["kind"] == "DITemplateTypeParameter":
                result.append(node["type"])
            else:
                result.append(int(node.get("value", "i32 0").split()[-1]))
        return result

    def layout(self, key: str) -> Layout:
        """Return the `Layout` of a type."""
        key = self.strip(key)
        result = Layout(int(self.node(key).get("size", 0)) // 8)
        self._collect(result, key, "", 0, "")
        result.cells.sort(key=lambda cell: cell.offset)
        names = Names(verilog=False)  # `a[0]` and a member `a_0` would have one name
        result.cells = [replace(cell, name=names.take(cell.name)) if cell.name else cell for cell in result.cells]
        names = Names(verilog=False)
        result.rams = [replace(ram, name=names.take(ram.name)) for ram in result.rams]
        return result

    def _collect(self, out, key, name, offset, path):
        key = self.strip(key)
        node = self.node(key)
        size = int(node.get("size", 0)) // 8
        if node["kind"] == "DIBasicType":
            encoding = node.get("encoding", "")
            if "float" in encoding:
                raise Refused(f"member '{name}' is floating point: a kernel computes with ap_int only")
            width = 1 if encoding == "DW_ATE_boolean" else 8 * size
            out.cells.append(Cell(offset, size, width, encoding.startswith("DW_ATE_signed"), name, path, True))
            return
        tag = node.get("tag")
        integer = re.fullmatch(r"ap_(u?)int(?:_base)?<(\d+)(?:, (true|false))?>", node.get("name", ""))
        if integer:
            signed = integer.group(3) == "true" if integer.group(3) else not integer.group(1)
            out.cells.append(Cell(offset, size, int(integer.group(2)), signed, name, path))
        elif self._marker(node, RAM):
            word, depth = self.template_arguments(self._marker(node, RAM))
            out.rams.append(Ram(name, offset, size, depth, self.layout(word), path))
        elif tag == "DW_TAG_array_type":
            self._collect_array(out, node, name, offset, size, path)
        elif tag in ("DW_TAG_structure_type", "DW_TAG_class_type"):
            self._collect_members(out, node, name, offset, path)
        elif tag == "DW_TAG_enumeration_type":
            self._collect(out, node["baseType"], name, offset, path)
        else:
            what = (tag or node["kind"]).removeprefix("DW_TAG_").removesuffix("_type").replace("_", " ")
            raise Refused(
                f"{f'member {name!r}' if name else 'an anonymous member'} is a {what}: "
                "use ap_int members, arrays, structs and ram<T, DEPTH>",
                self.declared(key),
            )

    def _marker(self, node, name):
        """Return the key of the base class `name` of a class, a template of the shipped headers; empty if there is
        none.
        """
        for item in self.items(node.get("elements")):
            member = self.node(item)
            if member.get("tag") == "DW_TAG_inheritance" and self.type_name(member["baseType"]).startswith(f"{name}<"):
                return member["baseType"]
        return ""

    def _collect_array(self, out, node, name, offset, size, path):
        counts = [int(self.node(item).get("count", "-1").split()[-1]) for item in self.items(node["elements"])]
        total, strides = size, []
        for count in counts:
            total //= max(count, 1)
            strides.append(total)

        def walk(level, name, offset, path):
            if level == len(counts):
                return self._collect(out, node["baseType"], name, offset, path)
            out.arrays.append(Array(offset, strides[level], counts[level], name))
            for i in range(counts[level]):
                walk(level + 1, f"{name}_{i}", offset + i * strides[level], f"{path}[{i}]")

        walk(0, name, offset, path)

    def _collect_members(self, out, node, name, offset, cpp):
        for item in self.items(node.get("elements")):
            member = self.node(item)
            if member["kind"] != "DIDerivedType" or "DIFlagStaticMember" in member.get("flags", ""):
                continue
            if "DIFlagBitField" in member.get("flags", ""):
                raise Refused(
                    f"member '{member.get('name')}' is a bit field: use ap_uint of that width", self.place(item)
                )
            place = offset + int(member.get("offset", 0)) // 8
            # Members of a base and of an anonymous struct are named as members of the class itself.
            own = "" if member["tag"] == "DW_TAG_inheritance" else member.get("name", "")
            path = "_".join(part for part in (name, own) if part)
            if member["tag"] in ("DW_TAG_member", "DW_TAG_inheritance"):
                if self.node(item).get("baseType") in self.metadata and self.node(member["baseType"]).get("tag") in (
                    "DW_TAG_pointer_type",
                    "DW_TAG_reference_type",
                ):
                    raise Refused(_pointer(path), self.place(item))
                try:
                    self._collect(out, member["baseType"], path, place, f"{cpp}.{own}" if own else cpp)
                except Refused as refusal:  # of something that has no line: the member's will do
                    raise Refused(refusal.what, refusal.where or self.place(item)) from None


def _pointer(path):
    name = path.rpartition("_vptr$")[2] if "_vptr$" in path else ""
    if name:
        return (
            f"'{name}' has virtual functions, which are found through a pointer: make the class a template parameter, "
            "or choose with a switch"
        )
    return f"member '{path}' is a pointer or a reference: a kernel owns all its state"
