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
    for instance in re.findall(
        r"^\s*(\w+)\s+(?:#\s*\(.*?\)\s*)?\w+\s*\($", body.split(");", 1)[1], re.MULTILINE | re.DOTALL
    ):
        if instance not in defined:
            raise DesignError(
                f"create_bd_cell: no file of the project has the module {instance}, which {name} instantiates"
            )
    return _describe(name, body.split(");", 1)[0])


def _plain(text):
    return re.sub(r"//.*", "", text)


def _describe(name, header):
    pins, streams, clocks = {}, {}, {}
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
        elif kind == "xilinx.com:interface:axis:1.0" and signal in _SIGNALS:
            streams.setdefault(interface, {})[signal] = (direction, int(high or 0) + 1)
        else:
            raise DesignError(f"{port} of {name} has an unknown interface {kind} {signal}")
    interfaces = {}
    for stream, signals in streams.items():
        if not {"TDATA", "TVALID", "TREADY"} <= set(signals):
            raise DesignError(f"the stream {stream} of {name} lacks signals, it has {', '.join(signals)}")
        owners = [
            clock for clock, parameters in clocks.items() if stream in parameters.get("ASSOCIATED_BUSIF", "").split(":")
        ]
        if len(owners) != 1:
            raise DesignError(f"the stream {stream} of {name} belongs to {len(owners)} clocks")
        mode = {"input": "Slave", "output": "Master"}[signals["TVALID"][0]]
        interfaces[stream] = {"mode": mode, "bus": "axis", "clock": owners[0], "width": str(signals["TDATA"][1])}
    for clock, parameters in clocks.items():
        if parameters.get("ASSOCIATED_RESET") not in pins:
            raise DesignError(f"the clock {clock} of {name} has no reset")
    return {"vlnv": f"xilinx.com:module_ref:{name}:1.0", "config": {}, "interfaces": interfaces, "pins": pins}
