"""Vivado's batch mode without Vivado: runs a Tcl script, knows the commands of commands.toml, refuses all else.

Unknown commands and options, missing files and arguments, objects that don't exist and a design that doesn't hang
together end the script with Vivado's exit code for errors, 1. What Vivado would write is written: the handoff file
comes from the recorded block design, timing report and bitstream are stand-ins (the slack is $RECORDER_SLACK).

    python tests/stand_ins/vivado/recorder.py -mode batch -source build.tcl -tclargs settings.tcl
"""

import fnmatch
import os
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3]))  # run as a program, from any folder

from tests.stand_ins.vivado.design import Design, DesignError
from tests.stand_ins.vivado.module import read_module
from tests.stand_ins.vivado.tcl import run_tcl, split_list, tcl_list

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

HERE = pathlib.Path(__file__).resolve().parent
COMMANDS = tomllib.loads((HERE / "commands.toml").read_text())
IPS = tomllib.loads((HERE / "ips.toml").read_text())
VERSION = "2024.1"
BOARD_PARTS = ["xilinx.com:kv260_som:part0:1.3", "xilinx.com:kv260_som:part0:1.4"]
_KINDS = {
    "get_bd_cells": "cell",
    "get_bd_pins": "pin",
    "get_bd_intf_pins": "interface",
    "get_bd_addr_spaces": "space",
    "get_bd_addr_segs": "segment",
}
_TIMING = """\
------------------------------------------------------------------------------------------------
| Design Timing Summary
| ---------------------
------------------------------------------------------------------------------------------------

    WNS(ns)      TNS(ns)  TNS Failing Endpoints  TNS Total Endpoints      WHS(ns)      THS(ns)  THS Failing Endpoints  THS Total Endpoints     WPWS(ns)     TPWS(ns)  TPWS Failing Endpoints  TPWS Total Endpoints  
    -------      -------  ---------------------  -------------------      -------      -------  ---------------------  -------------------     --------     --------  ----------------------  --------------------  
{row}


{verdict}
"""


def timing_report(setup=0.213, hold=0.024, pulse=2.225):
    """Return a timing report in Vivado's form."""
    cells = []
    for slack, total in ((setup, 18604), (hold, 18604), (pulse, 9120)):
        cells += [
            f"{slack:11.3f}",
            f"{-3.5 if slack < 0 else 0:13.3f}",
            str(17 if slack < 0 else 0).rjust(23),
            str(total).rjust(21),
        ]
    met = (
        "All user specified timing constraints are met."
        if min(setup, hold, pulse) >= 0
        else "Timing constraints are not met."
    )
    return _TIMING.format(row="".join(cells), verdict=met)


def parse(name, words):
    """Split a command's arguments by its rules.

    Returns
    -------
    options : dict
        Value of each option, True for flags.
    arguments : list of str
    """
    rule = COMMANDS[name]
    options, arguments, words = {}, [], list(words)
    while words:
        word = words.pop(0)
        if not re.fullmatch(r"-[a-z_]\w*", word):
            arguments.append(word)
        elif word in rule.get("flags", ()):
            options[word] = True
        elif word in rule.get("options", ()):
            if not words:
                raise DesignError(f"{name}: {word} lacks its value")
            options[word] = words.pop(0)
        else:
            raise DesignError(f"{name}: unknown option {word}")
    least, most = rule["args"]
    if len(arguments) < least or (most >= 0 and len(arguments) > most):
        raise DesignError(
            f"{name}: {len(arguments)} arguments where {least} to {'any number' if most < 0 else most} are taken"
        )
    for option in rule.get("needs", ()):
        if option not in options:
            raise DesignError(f"{name}: {option} is missing")
    return options, arguments


def matches(condition, properties):
    """Evaluate a -filter expression on an object's properties."""
    for term in condition.split("&&"):
        found = re.fullmatch(r"\s*(\w+)\s*(==|!=|=~|!~)\s*(.*?)\s*", term)
        if not found or found[1] not in properties:
            raise DesignError(
                f"the filter {term.strip()!r} names no property of these objects ({', '.join(properties)})"
            )
        name, compare, value = found.groups()
        value, actual = value.strip('"'), properties[name]
        same = fnmatch.fnmatchcase(actual, value) if compare.endswith("~") else actual == value
        if same == compare.startswith("!"):
            return False
    return True


def number(text):
    """Read an address or a size: 0x40400000, 64K."""
    found = re.fullmatch(r"(0x[0-9a-fA-F]+|\d+)([KMG]?)", text)
    if not found:
        raise DesignError(f"{text!r} is no address or size")
    return int(found[1], 0) << {"": 0, "K": 10, "M": 20, "G": 30}[found[2]]


class Recorder:
    """State of a Vivado session; `call` is what a Tcl command does."""

    def __init__(self):
        self.calls = []
        self.project = self.design = self.opened = None
        self.properties = {}  # of project, fileset and runs
        self.files, self.repositories, self.runs = [], [], {"synth_1": "0%", "impl_1": "0%"}
        self.generated, self.wrapped = False, False

    def call(self, name, words):
        """Carry out a command; `DesignError` says why not."""
        self.calls.append((name, *words))
        options, arguments = parse(name, words)
        if name in _KINDS:
            return self._get(_KINDS[name], name, options, arguments)
        return getattr(self, f"do_{name}")(options, *arguments) or ""

    # Projects and files.

    def do_create_project(self, options, name, folder="."):
        self.project = pathlib.Path(folder) / name
        if not re.fullmatch(r"xc\w+-[\w-]+", options.get("-part", "")):
            raise DesignError(f"create_project: there is no part {options.get('-part')!r}")
        self.part = options["-part"]
        self.project.parent.mkdir(parents=True, exist_ok=True)
        return name

    def do_current_project(self, options):
        if self.project is None:
            raise DesignError("no project is open")
        return self.project.name

    def do_current_fileset(self, options):
        self.do_current_project({})
        return "sources_1"

    def do_add_files(self, options, *lists):
        self.do_current_project({})
        for path in (path for words in lists for path in split_list(words)):
            if not pathlib.Path(path).is_file():
                raise DesignError(f"add_files: there is no file {path}")
            self.files.append(path)

    def do_get_files(self, options, *patterns):
        known = [
            *self.files,
            *([f"{self.project}.srcs/sources_1/bd/{self.design.name}/{self.design.name}.bd"] if self.design else []),
        ]
        found = [path for path in known if any(fnmatch.fnmatchcase(path, f"*{pattern}") for pattern in patterns)]
        return self._some(found, options, f"no file is like {' '.join(patterns)}")

    def do_update_compile_order(self, options):
        self.do_current_project({})

    def do_update_ip_catalog(self, options):
        for folder in self.repositories:
            if not list(pathlib.Path(folder).rglob("component.xml")):
                raise DesignError(f"update_ip_catalog: there is no IP in {folder}")

    def do_get_board_parts(self, options, *patterns):
        return tcl_list(
            [part for part in BOARD_PARTS if any(fnmatch.fnmatchcase(part, pattern) for pattern in patterns)]
        )

    def do_get_ipdefs(self, options, *patterns):
        names = [ip["vlnv"] for ip in self._catalogue().values()]
        if "-filter" in options:
            names = [
                name
                for name in names
                if matches(options["-filter"], {"VLNV": name, "NAME": name.split(":")[2], "UPGRADE_VERSIONS": ""})
            ]
        return tcl_list(names)

    def do_version(self, options):
        return VERSION if "-short" in options else f"Vivado v{VERSION} (64-bit)"

    # Properties.

    def do_set_property(self, options, *arguments):
        if "-dict" in options:
            words = split_list(options["-dict"])
            if len(words) % 2:
                raise DesignError("set_property: -dict lacks a value")
            pairs, objects = list(zip(words[::2], words[1::2])), arguments
        else:
            pairs, objects = [arguments[:2]], arguments[2:]
        if not objects or not all(len(pair) == 2 for pair in pairs):
            raise DesignError("set_property: name, value and object are needed")
        for target in (target for words in objects for target in split_list(words)):
            for name, value in pairs:
                self._set(target, name, value)

    def _set(self, target, name, value):
        if self.design and target in self.design.all_objects("cell"):
            if not name.startswith("CONFIG."):
                raise DesignError(f"a cell has no property {name}")
            self.design.cells[target.strip("/")].configure(name.removeprefix("CONFIG."), value)
            self.design.validated = False
        elif (
            self.project and target == self.project.name and name in ("board_part", "target_language", "ip_repo_paths")
        ):
            if name == "board_part" and value not in BOARD_PARTS:
                raise DesignError(f"there is no board part {value}")
            if name == "target_language" and value not in ("Verilog", "VHDL"):
                raise DesignError(f"there is no target language {value}")
            if name == "ip_repo_paths":
                self.repositories = split_list(value)
                for folder in self.repositories:
                    if not pathlib.Path(folder).is_dir():
                        raise DesignError(f"ip_repo_paths: there is no folder {folder}")
        elif target == "sources_1" and name == "verilog_define":
            if not all(re.fullmatch(r"\w+(=\w+)?", word) for word in split_list(value)):
                raise DesignError(f"verilog_define takes NAME or NAME=VALUE, not {value}")
        elif target == "sources_1" and name == "top":
            if value != f"{self.design.name}_wrapper" or not self.wrapped:
                raise DesignError(f"there is no module {value}")
        else:
            raise DesignError(f"{target!r} has no property {name}")
        self.properties[target, name] = value

    def do_get_property(self, options, name, target):
        if target in self.runs:
            if name not in ("PROGRESS", "STATUS"):
                raise DesignError(f"a run has no property {name}")
            return self.runs[target] if name == "PROGRESS" else "done"
        if self.design:
            for kind in ("cell", "pin", "interface", "space", "segment"):
                properties = self.design.all_objects(kind).get(target)
                if properties is not None and name in properties:
                    return properties[name]
                if properties is not None and kind == "pin":
                    return self.design.pin_property(target, name)
        if (target, name) in self.properties:
            return self.properties[target, name]
        raise DesignError(f"{target!r} has no property {name}")

    # Block design.

    def _catalogue(self):
        return {name: ip for name, ip in IPS.items() if name != "srcnn_top" or self.repositories}

    def do_create_bd_design(self, options, name):
        self.do_current_project({})
        self.design = Design(name)
        return name

    def do_create_bd_cell(self, options, name):
        if options["-type"] == "module":
            return self._open_design().add_cell(name, read_module(options.get("-reference", ""), self.files))
        if options["-type"] != "ip":
            raise DesignError(f"create_bd_cell: there is no type {options['-type']}")
        found = [ip for ip in self._catalogue().values() if ip["vlnv"] == options.get("-vlnv")]
        if not found:
            raise DesignError(f"create_bd_cell: there is no IP {options.get('-vlnv')}")
        if not re.match(found[0].get("parts", ""), self.part):
            raise DesignError(f"create_bd_cell: {options['-vlnv']} is not for {self.part}")
        return self._open_design().add_cell(name, found[0])

    def _open_design(self):
        if self.design is None:
            raise DesignError("no block design is open")
        return self.design

    def do_create_bd_intf_port(self, options, name):
        return self._open_design().add_port(name, options["-mode"], options["-vlnv"])

    def do_apply_bd_automation(self, options, *cells):
        known = {
            "xilinx.com:bd_rule:processing_system7": "processing_system7",
            "xilinx.com:bd_rule:zynq_ultra_ps_e": "zynq_ultra_ps_e",
        }
        config = split_list(options.get("-config", ""))
        if (
            options["-rule"] not in known
            or len(config) % 2
            or set(config[::2]) - {"apply_board_preset", "make_external", "Master", "Slave"}
        ):
            raise DesignError(f"apply_bd_automation: no rule {options['-rule']} with {options.get('-config')}")
        for cell in cells:
            if self._open_design().cells[cell.strip("/")].kind != known[options["-rule"]]:
                raise DesignError(f"apply_bd_automation: {options['-rule']} is not for {cell}")
        if (
            dict(zip(config[::2], config[1::2])).get("apply_board_preset") == "1"
            and (self.project.name, "board_part") not in self.properties
        ):
            raise DesignError("apply_bd_automation: there is no board preset without a board part")

    def _get(self, kind, name, options, patterns):
        design = self._open_design()
        cell = None
        if "-of_objects" in options:
            cell = options["-of_objects"]
            if cell not in design.all_objects("cell"):
                raise DesignError(f"{name}: there is no cell {cell!r}")
        found = design.find(kind, patterns or ["*"], cell)
        if "-filter" in options:
            objects = design.all_objects(kind)
            found = [path for path in found if matches(options["-filter"], objects[path])]
        return self._some(found, options, f"{name}: nothing is like {' '.join(patterns) or options.get('-filter', '')}")

    def _some(self, found, options, complaint):
        if not found and "-quiet" not in options:
            raise DesignError(complaint)  # a warning in Vivado, and an error in what gets the empty list
        return tcl_list(found)

    def do_connect_bd_net(self, options, *pins):
        self._open_design().connect([path for words in pins for path in split_list(words)])

    def do_connect_bd_intf_net(self, options, *ends):
        paths = [path for words in ends for path in split_list(words)]
        if len(paths) != 2:
            raise DesignError(f"connect_bd_intf_net: {len(paths)} interfaces where two are joined")
        self._open_design().connect_interfaces(*paths)

    def do_assign_bd_address(self, options, *segments):
        if "-target_address_space" not in options or not segments:
            raise DesignError("assign_bd_address: address space and segment are needed")
        values = [number(options[name]) if name in options else None for name in ("-offset", "-range")]
        for segment in (path for words in segments for path in split_list(words)):
            self._open_design().assign(options["-target_address_space"], segment, *values)

    def do_exclude_bd_addr_seg(self, options, segment):
        space = options.get("-target_address_space")
        if space not in self._open_design().all_objects("space") or segment not in self.design.all_objects("segment"):
            raise DesignError(f"exclude_bd_addr_seg: there is no {segment} in {space}")
        if (space, segment) in self.design.addresses:
            raise DesignError(f"exclude_bd_addr_seg: {segment} is assigned in {space}")
        self.design.excluded.add((space, segment))

    def do_validate_bd_design(self, options):
        self._open_design().validate()

    def do_save_bd_design(self, options):
        self._open_design().saved = True

    def do_generate_target(self, options, kind, file):
        if not (self._open_design().validated and self.design.saved):
            raise DesignError("generate_target: the block design is not validated and saved")
        if kind not in ("all", "synthesis") or not file.endswith(".bd"):
            raise DesignError(f"generate_target: there is no target {kind} of {file}")
        path = (
            self.project.parent
            / f"{self.project.name}.gen/sources_1/bd/{self.design.name}/hw_handoff/{self.design.name}.hwh"
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.design.handoff())
        self.generated = True

    def do_make_wrapper(self, options, *files):
        if not (options.get("-files") or files[0]).endswith(".bd"):
            raise DesignError("make_wrapper: a block design is needed")
        self.wrapped = "-import" in options

    # Runs and their results.

    def do_get_runs(self, options, *names):
        return self._some([name for name in names if name in self.runs], options, f"there is no run {' '.join(names)}")

    def do_launch_runs(self, options, *runs):
        for run in runs:
            if run not in self.runs:
                raise DesignError(f"there is no run {run}")
            if not self.generated or ("sources_1", "top") not in self.properties:
                raise DesignError(f"launch_runs: {run} has no top")
            if run == "impl_1" and self.runs["synth_1"] != "100%":
                raise DesignError("launch_runs: synth_1 has not finished")
        self.launched = runs[-1]

    def do_wait_on_run(self, options, run):
        if run != getattr(self, "launched", None):
            raise DesignError(f"wait_on_run: {run} was not launched")
        self.runs[run] = os.environ.get("RECORDER_PROGRESS", "100%")

    def do_open_run(self, options, run):
        if self.runs.get(run) != "100%":
            raise DesignError(f"open_run: {run} has not finished")
        self.opened = run

    def _report(self, options, text):
        if self.opened != "impl_1":
            raise DesignError("reports need the opened implementation")
        if "-file" in options:
            pathlib.Path(options["-file"]).write_text(text)

    def do_report_timing_summary(self, options):
        if options.get("-delay_type", "max") not in ("max", "min", "min_max"):
            raise DesignError(f"report_timing_summary: there is no delay type {options['-delay_type']}")
        self._report(
            options,
            timing_report(*(float(word) for word in os.environ.get("RECORDER_SLACK", "0.213 0.024 2.225").split())),
        )

    def do_report_utilization(self, options):
        self._report(options, "a stand-in for a utilization report\n")

    def do_write_bitstream(self, options, file):
        self._report({}, "")
        if pathlib.Path(file).exists() and "-force" not in options:
            raise DesignError(f"write_bitstream: {file} exists")
        pathlib.Path(file).write_bytes(b"a stand-in for a bitstream")


def run_script(script, arguments=()):
    """Run a Tcl script with the recorder's commands.

    Returns
    -------
    recorder : Recorder
    error : str
        Empty, or what ended the script.
    """
    recorder = Recorder()
    return recorder, run_tcl(script, arguments, COMMANDS, recorder.call)


def main(arguments):
    """Behave as `vivado` in batch mode."""
    script = None
    while arguments and arguments[0] != "-tclargs":
        word = arguments.pop(0)
        if word in ("-source", "-log", "-journal", "-mode"):
            value = arguments.pop(0)
            script = value if word == "-source" else script
            if word == "-mode" and value != "batch":
                sys.exit(f"ERROR: mode {value}")
            if word == "-log":
                pathlib.Path(value).write_text("a stand-in for a log\n")
        elif word not in ("-nojournal", "-notrace", "-nolog"):
            sys.exit(f"ERROR: unknown option {word}")
    recorder, error = run_script(script, arguments[1:])
    if error:
        print(error if error.startswith("ERROR: ") else f"ERROR: {error}")
        sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[2:] if sys.argv[1:2] == ["vivado"] else sys.argv[1:])
