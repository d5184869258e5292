"""`v++` and `vitis-run` without Vitis: refuse what the tools' manuals don't have, then write stand-ins for their
results.

C simulation and co-simulation run the real testbench (built beforehand, $FAKE_TESTBENCH) with the arguments of the
configuration file. $FAKE_VITIS is JSON: what goes wrong ("csim_fails", "cosim": verdict, "ii", "loop", "dsp", "ip":
name, "version").
"""

import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

HERE = pathlib.Path(__file__).resolve().parent
OPTIONS = tomllib.loads((HERE / "options.toml").read_text())
FAULTS = json.loads(os.environ.get("FAKE_VITIS", "{}"))
STEPS = {"v++": {"-c"}, "vitis-run": {"--csim", "--cosim", "--package"}}


def fail(message):
    print(f"ERROR: [HLS 200-1] {message}")
    sys.exit(1)


def read_config(path):
    """Return {key: list of values} of a configuration file; end with an error at what the tools don't know."""
    section, values = "top", {}
    for line in pathlib.Path(path).read_text().splitlines():
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            section = line.strip("[]")
            continue
        key, equals, value = line.partition("=")
        rule = OPTIONS.get(section, {}).get(key)
        if rule is None or not equals:
            fail(f"unknown option {key} in [{section}]")
        if rule["value"] == "FILE":
            good = pathlib.Path(value).is_file()
        elif rule["value"] == "FLAGS":
            good = all(
                pathlib.Path(flag[2:]).is_dir()
                if flag.startswith("-I")
                else re.fullmatch(r"-std=c\+\+\d\d|-D\w+(=\w+)?", flag)
                for flag in value.split()
            )
        else:
            good = re.fullmatch(rule["value"], value)
        if not good or (key in values and not rule.get("many")):
            fail(f"{key} does not take {value}")
        values.setdefault(key, []).append(value)
    return values


def run_testbench(arguments):
    """Run the built testbench."""
    if subprocess.run([os.environ["FAKE_TESTBENCH"], *shlex.split(arguments)]).returncode:
        fail("the testbench failed")


def write_synthesis(work):
    """Write synthesis reports."""
    folder = work / "hls/syn/report"
    folder.mkdir(parents=True)
    resources = {"BRAM_18K": 130, "DSP": FAULTS.get("dsp", 192), "FF": 30000, "LUT": 21000, "URAM": 0}
    (folder / "csynth.xml").write_text(
        "<profile><PerformanceEstimates><SummaryOfTimingAnalysis><EstimatedClockPeriod>4.867</EstimatedClockPeriod>"
        "</SummaryOfTimingAnalysis></PerformanceEstimates><AreaEstimates><Resources>"
        + "".join(f"<{name}>{value}</{name}>" for name, value in resources.items())
        + "</Resources></AreaEstimates></profile>"
    )
    loop = FAULTS.get("loop", "free_run")
    for kernel in ("parser", "conv1"):
        ii = FAULTS.get("ii", 1) if kernel == "conv1" else 1
        (folder / f"{kernel}_csynth.xml").write_text(
            "<profile><PerformanceEstimates><SummaryOfLoopLatency>"
            f"<{loop}><TripCount>inf</TripCount><PipelineII>{ii}</PipelineII><PipelineDepth>9</PipelineDepth></{loop}>"
            "</SummaryOfLoopLatency></PerformanceEstimates></profile>"
        )


def write_ip(work, config):
    """Write a stand-in for an exported IP."""
    folder = work / "hls/impl/ip"
    folder.mkdir(parents=True)
    fields = {name: config[f"package.ip.{name}"][0] for name in ("vendor", "library", "name", "version")} | FAULTS.get(
        "ip", {}
    )
    (folder / "component.xml").write_text(
        '<spirit:component xmlns:spirit="http://www.spiritconsortium.org/XMLSchema/SPIRIT/1685-2009">'
        + "".join(f"<spirit:{name}>{value}</spirit:{name}>" for name, value in fields.items())
        + "</spirit:component>"
    )
    (folder / "hdl/verilog").mkdir(parents=True)
    (folder / "hdl/verilog" / f"{config['syn.top'][0]}.v").write_text(f"module {config['syn.top'][0]}; endmodule\n")


def main(program, words):
    """Behave as `program`."""
    if words == ["--version"]:
        print(f"\n****** {program} v{FAULTS.get('version', '2024.1')} (64-bit)\n  **** SW Build 5076996\n")
        return
    with_value = {"--mode", "--config", "--work_dir", "--part"}
    options, flags = {}, set()
    while words:
        word = words.pop(0)
        if word in with_value:
            options[word] = words.pop(0)
        else:
            flags.add(word)
    if options.get("--mode") != "hls" or len(flags) != 1 or not flags <= STEPS[program]:
        fail(f"{program}: wrong options {flags} {options}")
    config, work, step = read_config(options["--config"]), pathlib.Path(options["--work_dir"]), flags.pop()
    if step not in ("-c", "--csim") and not (work / "hls/syn").is_dir():
        fail(f"{step} before synthesis")
    if step == "--csim":
        run_testbench(config["csim.argv"][0])
        if FAULTS.get("csim_fails"):
            fail("C TB simulation failed")
    elif step == "-c":
        write_synthesis(work)
    elif step == "--cosim":
        run_testbench(config["cosim.argv"][0])
        (work / "hls/sim/report").mkdir(parents=True)
        (work / f"hls/sim/report/{config['syn.top'][0]}_cosim.rpt").write_text(
            f"|      VHDL|      NA|\n|   Verilog|{FAULTS.get('cosim', 'Pass'):>8}|\n"
        )
    else:
        write_ip(work, config)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]).name, sys.argv[2:])
