"""A block design as Vivado would hold it: cells with pins and interfaces, nets, addresses, and the rules that connect
them.

`validate` is stricter than Vivado's: what would be a warning there (an interface that hangs, an address that nobody
assigned) is an error here. IP and its rules are described in ips.toml.
"""

import dataclasses
import fnmatch
import operator
import re
from xml.etree import ElementTree

_COMPARE = {"=": operator.eq, ">": operator.gt, "<": operator.lt}
_BUSES = {
    "aximm": "xilinx.com:interface:aximm_rtl:1.0",
    "axis": "xilinx.com:interface:axis_rtl:1.0",
    "ddrx": "xilinx.com:interface:ddrx_rtl:1.0",
    "fixedio": "xilinx.com:display_processing_system7:fixedio_rtl:1.0",
}
DRIVES = {"clk": {"clk"}, "rst": {"rst"}, "locked": {"locked"}, "data": {"data", "intr", "rst", "locked"}}


class DesignError(Exception):
    """What Vivado would refuse."""


@dataclasses.dataclass
class Cell:
    """An instance: its IP's description and its own configuration."""

    name: str
    ip: dict
    config: dict

    @property
    def kind(self):
        return self.ip["vlnv"].split(":")[2]

    def _there(self, part):
        return {
            name: what
            for name, what in part.items()
            if all(self._holds(condition) for condition in what.get("when", ()))
        }

    def _holds(self, condition):
        name, compare, value = re.fullmatch(r"(\w+)([=<>])(\w+)", condition).groups()
        actual = self.config[name]
        return _COMPARE[compare](*((actual, value) if compare == "=" else (int(actual), int(value))))

    @property
    def interfaces(self):
        """Interfaces that this configuration has."""
        return self._there(self.ip["interfaces"])

    @property
    def pins(self):
        """Pins outside interfaces that this configuration has."""
        return self._there(self.ip["pins"])

    def configure(self, name, value):
        """Set a parameter, if there is one that takes this value."""
        rule = self.ip["config"].get(name)
        if rule is None:
            raise DesignError(f"{self.kind} has no parameter {name}")
        if not re.fullmatch(rule[0], value):
            raise DesignError(f"{name} of {self.name} does not take {value!r}")
        self.config[name] = value

    def width(self, interface):
        """Bits of a stream's data."""
        width = self.interfaces[interface]["width"]
        return int(self.config.get(width, width))


def split(path):
    """Split /cell/name."""
    parts = path.strip("/").split("/", 1)
    return (parts[0], parts[1]) if len(parts) == 2 else ("", parts[0])


class Design:
    """Cells, ports, nets and addresses; paths as Vivado writes them, /cell/pin."""

    def __init__(self, name):
        self.name = name
        self.cells, self.ports = {}, {}
        self.nets, self.interface_nets = [], {}
        self.addresses, self.excluded = {}, set()
        self.validated = self.saved = False

    def add_cell(self, name, ip):
        """Add an instance with its IP's defaults."""
        if name in self.cells or not re.fullmatch(r"[A-Za-z]\w*", name):
            raise DesignError(f"{name!r} is no name for a new cell")
        self.cells[name] = Cell(name, ip, {key: default for key, (_, default) in ip["config"].items()})
        self.validated = False
        return f"/{name}"

    def add_port(self, name, mode, vlnv):
        """Add an interface port."""
        bus = [bus for bus, known in _BUSES.items() if known == vlnv]
        if not bus or mode not in ("Master", "Slave") or name in self.ports:
            raise DesignError(f"no interface port {name} of mode {mode} and kind {vlnv}")
        self.ports[name] = {"mode": mode, "bus": bus[0]}
        return f"/{name}"

    def all_objects(self, kind):
        """Return {path: properties} of every "cell", "pin", "interface", "space" or "segment"."""
        found = {}
        for cell in self.cells.values():
            if kind == "cell":
                found[f"/{cell.name}"] = {"NAME": cell.name, "VLNV": cell.ip["vlnv"], "PATH": f"/{cell.name}"}
            parts = {"pin": cell.pins, "interface": cell.interfaces}.get(kind, {})
            for name, what in parts.items():
                path = f"/{cell.name}/{name}"
                found[path] = {"NAME": name, "PATH": path}
                found[path] |= (
                    {"DIR": what["dir"], "TYPE": what["type"]}
                    if kind == "pin"
                    else {"MODE": what["mode"], "VLNV": _BUSES[what["bus"]]}
                )
            for what in cell.interfaces.values() if kind in ("space", "segment") else ():
                names = what.get("segments", {}) if kind == "segment" else [what["space"]] if "space" in what else []
                for name in names:
                    found[f"/{cell.name}/{name}"] = {"NAME": name.split("/")[-1], "PATH": f"/{cell.name}/{name}"}
        return found

    def find(self, kind, patterns, cell=None):
        """Return the paths of objects that match any pattern, within a cell if one is given."""
        paths = [path for path in self.all_objects(kind) if cell is None or path.startswith(f"{cell}/")]
        return [
            path
            for path in paths
            if any(fnmatch.fnmatchcase(path.strip("/"), pattern.strip("/")) for pattern in patterns)
        ]

    def pin(self, path):
        """Return a pin's description."""
        cell, name = split(path)
        if cell not in self.cells or name not in self.cells[cell].pins:
            raise DesignError(f"there is no pin {path}")
        return self.cells[cell].pins[name]

    def interface(self, path):
        """Return the description of an interface pin or port; a port's mode is seen from inside."""
        cell, name = split(path)
        if not cell and name in self.ports:
            port = self.ports[name]
            return {**port, "mode": {"Master": "Slave", "Slave": "Master"}[port["mode"]]}
        if cell not in self.cells or name not in self.cells[cell].interfaces:
            raise DesignError(f"there is no interface {path}")
        return self.cells[cell].interfaces[name]

    def pin_property(self, path, name):
        """Return CONFIG.POLARITY of a reset or CONFIG.FREQ_HZ of a clock."""
        pin = self.pin(path)
        if name == "CONFIG.POLARITY" and pin["type"] == "rst":
            return pin["polarity"]
        if name == "CONFIG.FREQ_HZ" and pin["type"] == "clk" and "hz" in pin:
            return str(round(float(self.cells[split(path)[0]].config[pin["hz"]]) * 1e6))
        raise DesignError(f"{path} has no property {name}")

    def connect(self, paths):
        """Join pins to one net."""
        for path in paths:
            self.pin(path)
        joined = [net for net in self.nets if net & set(paths)]
        if len(joined) > 1:
            raise DesignError(f"{', '.join(paths)} are on different nets already")
        net = set(paths).union(*joined)
        drivers = [path for path in sorted(net) if self.pin(path)["dir"] == "O"]
        if len(drivers) != 1 or len(net) < 2:
            raise DesignError(f"a net needs one driver and a load, {', '.join(sorted(net))} has {len(drivers)} drivers")
        source = self.pin(drivers[0])
        for path in sorted(net - set(drivers)):
            load = self.pin(path)
            if source["type"] not in DRIVES[load["type"]]:
                raise DesignError(f"{drivers[0]} ({source['type']}) cannot drive {path} ({load['type']})")
            if load["type"] == "rst" and load["polarity"] not in ("ANY", source["polarity"]):
                raise DesignError(f"{drivers[0]} is {source['polarity']}, {path} {load['polarity']}")
        self.nets = [other for other in self.nets if other not in joined] + [net]
        self.validated = False

    def connect_interfaces(self, first, second):
        """Join two interfaces, a master and a slave of one kind."""
        ends = {path: self.interface(path) for path in (first, second)}
        taken = [path for path in ends if path in self.interface_nets]
        if taken:
            raise DesignError(f"{taken[0]} is connected already, to {self.interface_nets[taken[0]]}")
        one, other = ends.values()
        if {one["mode"], other["mode"]} != {"Master", "Slave"} or one["bus"] != other["bus"]:
            raise DesignError(
                f"{first} ({one['mode']} {one['bus']}) does not fit {second} ({other['mode']} {other['bus']})"
            )
        self.interface_nets |= {first: second, second: first}
        self.validated = False

    def _segment(self, path):
        cell, name = split(path)
        for interface, what in self.cells[cell].interfaces.items() if cell in self.cells else ():
            if name in what.get("segments", {}):
                return f"/{cell}/{interface}", what["segments"][name]
        raise DesignError(f"there is no address segment {path}")

    def assign(self, space, segment, offset=None, size=None):
        """Give a segment an address in a master's address space."""
        if space not in self.all_objects("space"):
            raise DesignError(f"there is no address space {space}")
        base, whole = self._segment(segment)[1]
        offset = base if offset is None else offset
        size = whole if size is None else size
        if size > whole:
            raise DesignError(f"{segment} has {whole:#x} bytes, not {size:#x}")
        if offset < 0 or (base >= 0 and offset != base) or offset % size:
            raise DesignError(f"{segment} cannot lie at {offset:#x}")
        for (other_space, other), (start, length) in self.addresses.items():
            if other_space == space and other != segment and offset < start + length and start < offset + size:
                raise DesignError(f"{segment} overlaps {other} in {space}")
        self.addresses[space, segment] = (offset, size)
        self.validated = False

    def reachable(self, path):
        """Return the slaves with segments behind a master interface, through interconnects."""
        end = self.interface_nets.get(path)
        cell, name = split(end) if end else ("", "")
        if cell not in self.cells:
            return []
        what = self.cells[cell].interfaces[name]
        if not what.get("through"):
            return [end]
        outs = [f"/{cell}/{out}" for out, other in self.cells[cell].interfaces.items() if other["mode"] == "Master"]
        return [slave for out in outs for slave in self.reachable(out)]

    def driver(self, path):
        """Return the pin that drives a pin, or None."""
        net = next((net for net in self.nets if path in net), ())
        return next((pin for pin in net if self.pin(pin)["dir"] == "O"), None)

    def problems(self):
        """Yield what is wrong with the design as a whole."""
        for path in [*self.all_objects("interface"), *(f"/{port}" for port in self.ports)]:
            if path not in self.interface_nets:
                yield f"{path} is not connected"
        for path in self.all_objects("pin"):
            pin = self.pin(path)
            if pin["dir"] == "I" and self.driver(path) is None and not pin.get("optional"):
                yield f"{path} is not driven"
        for path, end in self.interface_nets.items():
            clocks = [
                self.driver(f"/{split(p)[0]}/{self.interface(p)['clock']}")
                for p in (path, end)
                if "clock" in self.interface(p)
            ]
            if len(set(clocks)) > 1:
                yield f"{path} and {end} have different clocks, {' and '.join(map(str, clocks))}"
            if self.interface(path)["bus"] == "axis":
                widths = [self.cells[split(p)[0]].width(split(p)[1]) for p in (path, end)]
                if widths[0] != widths[1]:
                    yield f"{path} has {widths[0]} bits, {end} {widths[1]}"
        yield from self._address_problems()

    def _address_problems(self):
        mapped = set(self.addresses) | self.excluded
        possible = set()
        for cell in self.cells.values():
            for name, what in cell.interfaces.items():
                if "space" in what:
                    for slave in self.reachable(f"/{cell.name}/{name}"):
                        possible |= {
                            (f"/{cell.name}/{what['space']}", f"/{split(slave)[0]}/{segment}")
                            for segment in self.interface(slave).get("segments", {})
                        }
        for space, segment in sorted(possible - mapped):
            yield f"{segment} has no address in {space}"
        for space in sorted({space for space, _ in possible} - {space for space, _ in self.addresses}):
            yield f"{space} sees nothing"
        for space, segment in sorted(mapped - possible):
            yield f"{segment} cannot be reached from {space}"
        for cell in self.cells.values():
            if "c_addr_width" in cell.config:
                for (space, segment), (offset, size) in self.addresses.items():
                    if split(space)[0] == cell.name and offset + size > 1 << int(cell.config["c_addr_width"]):
                        yield f"{segment} lies beyond the {cell.config['c_addr_width']} address bits of {cell.name}"

    def validate(self):
        """Raise `DesignError` with all problems of the design."""
        problems = list(dict.fromkeys(self.problems()))
        if problems:
            raise DesignError("; ".join(problems))
        self.validated = True

    def handoff(self):
        """Return the hardware handoff file (.hwh) of the design, as far as PYNQ reads one."""
        root = ElementTree.Element("EDKSYSTEM")
        ElementTree.SubElement(root, "EXTERNALPORTS")
        modules = ElementTree.SubElement(root, "MODULES")
        names = {
            frozenset(pair): f"{split(min(pair))[0]}_{split(min(pair))[1]}" for pair in self.interface_nets.items()
        }
        for cell in self.cells.values():
            module = ElementTree.SubElement(
                modules, "MODULE", INSTANCE=cell.name, FULLNAME=f"/{cell.name}", MODTYPE=cell.kind, VLNV=cell.ip["vlnv"]
            )
            parameters = ElementTree.SubElement(module, "PARAMETERS")
            for name, value in (cell.config | cell.ip.get("handoff", {})).items():
                ElementTree.SubElement(parameters, "PARAMETER", NAME=name, VALUE=value)
            ports = ElementTree.SubElement(module, "PORTS")
            for name, pin in cell.pins.items():
                driver = self.driver(f"/{cell.name}/{name}")
                ElementTree.SubElement(
                    ports,
                    "PORT",
                    NAME=name,
                    DIR=pin["dir"],
                    SIGIS=pin["type"],
                    SIGNAME="__NOC__" if driver is None else driver.strip("/").replace("/", "_"),
                )
            buses = ElementTree.SubElement(module, "BUSINTERFACES")
            for name, what in cell.interfaces.items():
                path = f"/{cell.name}/{name}"
                ElementTree.SubElement(
                    buses,
                    "BUSINTERFACE",
                    NAME=name,
                    TYPE={"Master": "INITIATOR", "Slave": "TARGET"}[what["mode"]],
                    VLNV=_BUSES[what["bus"]].replace("_rtl", ""),
                    BUSNAME=names[frozenset((path, self.interface_nets[path]))],
                )
            ranges = ElementTree.SubElement(module, "MEMORYMAP")
            for (space, segment), (offset, size) in self.addresses.items():
                if split(space)[0] == cell.name:
                    instance, block = split(segment)
                    ElementTree.SubElement(
                        ranges,
                        "MEMRANGE",
                        INSTANCE=instance,
                        ADDRESSBLOCK=block.split("/")[-1],
                        MEMTYPE="REGISTER",
                        SLAVEBUSINTERFACE=block.split("/")[0],
                        BASEVALUE=f"{offset:#x}",
                        HIGHVALUE=f"{offset + size - 1:#x}",
                    )
        return ElementTree.tostring(root)
