"""The Verilog of a block RAM, of which Yosys has no model, against one in Python, of UG473."""

import random

import pytest

from hls.open.verilator import run_bench
from hls.readback.verilog import FILES, write
from tests.hls.readback_designs import Design


@pytest.fixture(scope="module")
def runtime(tmp_path_factory):
    """Verilator's own objects, for all benches."""
    return tmp_path_factory.mktemp("runtime")


class RamModel:
    """Half a block RAM as UG473 tells it: 16 Kbit, 2 Kbit of parity, two ports that each see words of their width."""

    def __init__(self, parameters):
        self.p = parameters
        self.data = [parameters[f"INIT_{k >> 8:02X}"] >> (k & 255) & 1 for k in range(16384)]
        self.parity = [parameters[f"INITP_{k >> 8:02X}"] >> (k & 255) & 1 for k in range(2048)]
        self.latch = {"A": 0, "B": 0}
        self.out = {"A": 0, "B": 0}

    def read(self, width, address):
        data = width if width < 9 else width // 9 * 8
        first = address // data * data
        value = sum(self.data[first + k] << k for k in range(data))
        if width >= 9:
            value |= sum(self.parity[first // 8 + k] << 16 + k for k in range(data // 8))
        return value

    def write(self, width, address, value, enables):
        data = width if width < 9 else width // 9 * 8
        first = address // data * data
        for k in range(data):
            if enables >> k // 8 & 1:
                self.data[first + k] = value >> k & 1
        for k in range(data // 8):
            if enables >> k & 1:
                self.parity[first // 8 + k] = value >> 16 + k & 1

    def clock(self, ports):
        """Both ports see the same edge: what was there before, then what is written."""
        outputs, writes = {}, []
        for port, pins in ports.items():
            if self.p[f"DO{port}_REG"]:
                if pins["rstreg"] and (pins["regce"] or self.p[f"RSTREG_PRIORITY_{port}"] == "RSTREG"):
                    self.out[port] = self.p[f"SRVAL_{port}"]
                elif pins["regce"]:
                    self.out[port] = self.latch[port]
            if not pins["en"]:
                continue
            width, mode = self.p[f"WRITE_WIDTH_{port}"], self.p[f"WRITE_MODE_{port}"]
            enables = pins["we"] & (3 if width == 18 else 1)
            old = self.read(self.p[f"READ_WIDTH_{port}"], pins["addr"])
            if enables:
                saved = self.data[:], self.parity[:]
                self.write(width, pins["addr"], pins["di"], enables)
                new = self.read(self.p[f"READ_WIDTH_{port}"], pins["addr"])
                self.data, self.parity = saved
                writes.append((width, pins["addr"], pins["di"], enables))
            else:
                new = old
            if pins["rst"]:
                outputs[port] = self.p[f"SRVAL_{port}"]
            elif not (enables and mode == "NO_CHANGE"):
                outputs[port] = new if mode == "WRITE_FIRST" else old
        for change in writes:
            self.write(*change)
        for port, value in outputs.items():
            self.latch[port] = value
        return {port: self.out[port] if self.p[f"DO{port}_REG"] else self.latch[port] for port in "AB"}


def ram_parameters(rng, widths, modes, registers):
    found = {}
    for port, (read, write_), mode, register in zip("AB", widths, modes, registers):
        found |= {f"READ_WIDTH_{port}": read, f"WRITE_WIDTH_{port}": write_, f"WRITE_MODE_{port}": mode}
        found |= {f"DO{port}_REG": register, f"SRVAL_{port}": rng.getrandbits(18), f"INIT_{port}": 0}
        found |= {f"RSTREG_PRIORITY_{port}": rng.choice(["RSTREG", "REGCE"])}
    found["RAM_MODE"] = "TDP"
    found |= {f"IS_{name}_INVERTED": 0 for name in RAM_CLOCKS + RAM_CONTROLS if not name.startswith("REGCE")}
    found |= {f"INIT_{k:02X}": rng.getrandbits(256) for k in range(64)}
    return found | {f"INITP_{k:02X}": rng.getrandbits(256) for k in range(8)}


RAM_CLOCKS = ["CLKARDCLK", "CLKBWRCLK", "REGCLKARDRCLK", "REGCLKB"]
RAM_CONTROLS = ["ENARDEN", "ENBWREN", "REGCEAREGCE", "REGCEB", "RSTRAMARSTRAM", "RSTRAMB", "RSTREGARSTREG", "RSTREGB"]
RAM_BUSES = {
    "ADDRARDADDR": 14,
    "ADDRBWRADDR": 14,
    "DIADI": 16,
    "DIBDI": 16,
    "DIPADIP": 2,
    "DIPBDIP": 2,
    "WEA": 2,
    "WEBWE": 2,
}
RAM_OUT = {"DOADO": 16, "DOPADOP": 2, "DOBDO": 16, "DOPBDOP": 2}


@pytest.mark.parametrize(
    "widths, modes, registers",
    [
        (((9, 9), (9, 9)), ("READ_FIRST", "READ_FIRST"), (0, 0)),
        (((18, 18), (1, 4)), ("WRITE_FIRST", "NO_CHANGE"), (1, 0)),
        (((2, 9), (4, 18)), ("NO_CHANGE", "WRITE_FIRST"), (0, 1)),
    ],
)
def test_block_ram(tmp_path, runtime, widths, modes, registers):
    rng, steps = random.Random(9), 1200
    parameters = ram_parameters(rng, widths, modes, registers)
    design = Design()
    inputs = [f"{bus}[{k}]" for bus, width in RAM_BUSES.items() for k in range(width)] + RAM_CONTROLS + RAM_CLOCKS
    outputs = [f"{bus}[{k}]" for bus, width in RAM_OUT.items() for k in range(width)]
    design.add("RAMB18E1", inputs, outputs, parameters)
    model, stimuli, wanted = RamModel(parameters), [], []
    for _ in range(steps):
        drive = {bus: rng.getrandbits(width) for bus, width in RAM_BUSES.items()}
        for bus in ("ADDRARDADDR", "ADDRBWRADDR"):
            drive[bus] &= 0x7F  # so that what was written is read again
        if drive["ADDRARDADDR"] >> 4 == drive["ADDRBWRADDR"] >> 4:  # at once at one place: undefined in the device
            drive["ADDRBWRADDR"] ^= 0x40
        drive |= {name: int(rng.random() < (0.1 if "RST" in name else 0.8)) for name in RAM_CONTROLS}
        ports = {
            "A": {"addr": drive["ADDRARDADDR"], "di": drive["DIADI"] | drive["DIPADIP"] << 16, "we": drive["WEA"],
                  "en": drive["ENARDEN"], "rst": drive["RSTRAMARSTRAM"], "regce": drive["REGCEAREGCE"],
                  "rstreg": drive["RSTREGARSTREG"]},
            "B": {"addr": drive["ADDRBWRADDR"], "di": drive["DIBDI"] | drive["DIPBDIP"] << 16, "we": drive["WEBWE"],
                  "en": drive["ENBWREN"], "rst": drive["RSTRAMB"], "regce": drive["REGCEB"],
                  "rstreg": drive["RSTREGB"]},
        }  # fmt: skip
        seen = model.clock(ports)
        wanted.append(seen["A"] | seen["B"] << 18)
        word, at = 0, 0
        for name, width in [*RAM_BUSES.items(), *((name, 1) for name in RAM_CONTROLS)]:
            word, at = word | drive[name] << at, at + width
        stimuli.append(word)
    for name, values in (("stimuli", stimuli), ("wanted", wanted)):
        (tmp_path / f"{name}.hex").write_text("\n".join(f"{value:x}" for value in values))
    count = at
    joins = [f".pad_IN{k}({'clk' if port in RAM_CLOCKS else f'now[{k}]'})" for k, (_, port) in enumerate(design.inputs)]
    joins += [f".OUT{k}(seen[{k}])" for k in range(36)]
    bench = f"""
module bench (input wire clk, input wire rst);
    reg [{count - 1}:0] stimuli [0:{steps - 1}];
    reg [35:0] wanted [0:{steps - 1}];
    initial $readmemh("{tmp_path}/stimuli.hex", stimuli);
    initial $readmemh("{tmp_path}/wanted.hex", wanted);
    integer step = 0;
    wire [{count - 1}:0] now = stimuli[step];
    wire [35:0] seen;
    decoded dut ({", ".join(joins)});
    always @(negedge clk) if (step > 0 || started) begin
        if (seen !== wanted[step]) $fatal(1, "step %0d: %h where %h belongs", step, seen, wanted[step]);
        if (step == {steps - 1}) begin $display("all {steps} steps"); $finish; end
        step <= step + 1;
    end
    reg started = 0;
    always @(posedge clk) started <= 1;
endmodule
"""
    path = tmp_path / "bench.sv"
    path.write_text(write(design.netlist, "decoded") + bench)
    assert f"all {steps} steps" in run_bench([*FILES, path], "bench", tmp_path / "build", steps + 10, runtime=runtime)
