"""A Verilog module as a cell of a block design: its interfaces, as Vivado reads them from the attributes of its
ports.
"""

import pathlib
import re

from tests.stand_ins.vivado.design import DesignError

_PORT = re.compile(
    r"((?:\(\*[^*]*\*\)\s*)*)(input|output)\s+(?:wire|reg)?\s*(?:\[(\d+):0\])?\s*(\w+)\s*(?=[,)]|$)", re.MULTILINE
)
_SIGNALS = {"TDATA", "TKEEP", "TSTRB", "TLAST", "TVALID", "TREADY", "TUSER", "TID", "TDEST"}
_ADDRESS = {f"A{way}{signal}" for way in "RW" for signal in ("ADDR", "VALID", "READY")}
_LITE = (
    _ADDRESS
    | {f"{way}{signal}" for way in "RWB" for signal in ("VALID", "READY")}
    | {"RDATA", "WDATA", "RRESP", "BRESP"}
)
_FULL = _LITE | {f"A{way}{signal}" for way in "RW" for signal in ("LEN", "SIZE", "BURST")} | {"WSTRB", "WLAST", "RLAST"}
_REST = {f"A{way}{signal}" for way in "RW" for signal in ("ID", "LOCK", "CACHE", "PROT", "QOS")} | {
    "RID",
    "BID",
    "WSTRB",
}


def read_module(name, files):
    """Return the description of a module (as in ips.toml) that lies in one of the project's files.

    The top has to be plain Verilog, everything that it instantiates has to be there, every port belongs to an
    interface or is a clock or reset, and the clock names interfaces and reset as its own.
    """
    sources = {path: _plain(pathlib.Path(path).read_text()) for path in files}
    defined = {
        module: path
        for path, text in sources.items()
        for module in re.findall(r"^\s*module\s+(\w+)", text, re.MULTILINE)
    }
    if name not in defined:
        raise DesignError(f"create_bd_cell: no file of the project has the module {name}")
    if not defined[name].endswith(".v"):
        raise DesignError(f"create_bd_cell: the top of a module reference has to be Verilog, {defined[name]} is not")
    body = re.search(rf"^\s*module\s+{name}\b(.*?)^\s*endmodule", sources[defined[name]], re.MULTILINE | re.DOTALL)[1]
    body, parameters = _parameters(body)
    for instance in re.findall(
        r"^\s*(\w+)\s+(?:#\s*\(.*?\)\s*)?\w+\s*\($", body.split(");", 1)[1], re.MULTILINE | re.DOTALL
    ):
        if instance not in defined:
            raise DesignError(
                f"create_bd_cell: no file of the project has the module {instance}, which {name} instantiates"
            )
    return _describe(name, body.split(");", 1)[0]) | {"config": parameters}


def _parameters(body):
    """Return a module's text without its list of parameters, and these as in ips.toml."""
    found = re.match(r"\s*#\((.*?)\)\s*(?=\()", body, re.DOTALL)
    if not found:
        return body, {}
    named = re.findall(r"parameter integer (\w+) = (\d+)", found[1])
    return body[found.end() :], {name: [r"\d+", value] for name, value in named}


def _plain(text):
    return re.sub(r"//.*", "", text)


def _describe(name, header):
    pins, streams, memories, protocols, clocks = {}, {}, {}, {}, {}
    for attributes, direction, high, port in _PORT.findall(header):
        info = re.search(r'X_INTERFACE_INFO\s*=\s*"(\S+) (\S+) (\w+)"', attributes)
        parameters = dict(
            re.findall(r"(\w+) ([\w:]+)", "".join(re.findall(r'X_INTERFACE_PARAMETER\s*=\s*"([^"]*)"', attributes)))
        )
        if not info:
            raise DesignError(f"{port} of {name} belongs to no interface")
        kind, interface, signal = info.groups()
        if kind == "xilinx.com:signal:clock:1.0":
            pins[port] = {"dir": direction[0].upper(), "type": "clk"}
            clocks[port] = parameters
        elif kind == "xilinx.com:signal:reset:1.0":
            pins[port] = {
                "dir": direction[0].upper(),
                "type": "rst",
                "polarity": parameters.get("POLARITY", "ACTIVE_LOW"),
            }
        elif kind == "xilinx.com:signal:interrupt:1.0":
            pins[port] = {"dir": direction[0].upper(), "type": "intr"}
        elif kind == "xilinx.com:interface:aximm:1.0" and signal in _FULL | _REST:
            memories.setdefault(interface, {})[signal] = (direction, int(high or 0) + 1)
            protocols.setdefault(interface, parameters.get("PROTOCOL", ""))
        elif kind == "xilinx.com:interface:axis:1.0" and signal in _SIGNALS:
            streams.setdefault(interface, {})[signal] = (direction, int(high or 0) + 1)
        else:
            raise DesignError(f"{port} of {name} has an unknown interface {kind} {signal}")
    interfaces = {}
    for stream, signals in streams.items():
        if not {"TDATA", "TVALID", "TREADY"} <= set(signals):
            raise DesignError(f"the stream {stream} of {name} lacks signals, it has {', '.join(signals)}")
        owners = _owners(name, "stream", stream, clocks)
        mode = {"input": "Slave", "output": "Master"}[signals["TVALID"][0]]
        interfaces[stream] = {"mode": mode, "bus": "axis", "clock": owners[0], "width": str(signals["TDATA"][1])}
    for memory, signals in memories.items():
        needed = {"AXI4LITE": _LITE, "AXI4": _FULL}.get(protocols[memory])
        if needed is None or not needed <= set(signals):
            lacks = ", ".join(sorted((needed or set()) - set(signals))) or "a protocol that is known"
            raise DesignError(f"the interface {memory} of {name} lacks {lacks}")
        owners = _owners(name, "interface", memory, clocks)
        interfaces[memory] = {"bus": "aximm", "clock": owners[0]}
        if signals["AWVALID"][0] == "input":
            size = 1 << signals["AWADDR"][1]
            interfaces[memory] |= {"mode": "Slave", "segments": {f"{memory}/reg0": [-1, size]}}
        else:
            interfaces[memory] |= {"mode": "Master", "space": memory}
    for clock, parameters in clocks.items():
        if parameters.get("ASSOCIATED_RESET") not in pins:
            raise DesignError(f"the clock {clock} of {name} has no reset")
    return {"vlnv": f"xilinx.com:module_ref:{name}:1.0", "config": {}, "interfaces": interfaces, "pins": pins}


def _owners(name, what, interface, clocks):
    """Return the one clock that calls an interface its own."""
    found = [
        clock for clock, parameters in clocks.items() if interface in parameters.get("ASSOCIATED_BUSIF", "").split(":")
    ]
    if len(found) != 1:
        raise DesignError(f"the {what} {interface} of {name} belongs to {len(found)} clocks")
    return found
