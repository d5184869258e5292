"""A Tcl interpreter whose extra commands are answered by Python: tclsh or, where that is missing, the one in
tkinter.
"""

import importlib.util
import os
import re
import shutil
import subprocess

from tests.stand_ins.vivado.design import DesignError

# Every command asks Python and passes the answer on; no program of the system is started.
_PRELUDE = """
rename exec {{}}
proc unknown {{args}} {{ error "invalid command name \\"[lindex $args 0]\\"" }}
foreach recorded_command {{{names}}} {{
    proc $recorded_command {{args}} [string map [list NAME $recorded_command] {{
        lassign [recorded_ask NAME {{*}}$args] good answer
        if {{$good}} {{ return $answer }}
        return -code error $answer
    }}]
}}
set argv {argv}
set argc [llength $argv]
"""
_PIPE = """
fconfigure stdin -translation lf -encoding utf-8
fconfigure stdout -translation lf -encoding utf-8 -buffering line
proc recorded_hex {text} { binary encode hex [encoding convertto utf-8 $text] }
proc recorded_ask {args} {
    puts "\\x01[join [lmap word $args {string cat x [recorded_hex $word]}]]"
    lassign [split [gets stdin]] good hex
    list $good [encoding convertfrom utf-8 [binary decode hex $hex]]
}
"""


def interpreter():
    """Return how Tcl can be run here: "tclsh", "tkinter" or None. $RECORDER_TCL chooses."""
    there = {"tclsh": shutil.which("tclsh") is not None, "tkinter": importlib.util.find_spec("_tkinter") is not None}
    if os.environ.get("RECORDER_TCL"):
        return os.environ["RECORDER_TCL"] if there[os.environ["RECORDER_TCL"]] else None
    return next((name for name, found in there.items() if found), None)


def tcl_word(text):
    """Quote a word for a Tcl list."""
    return re.sub(r"([^\w./:*+=~@%^-])", lambda found: "\\n" if found[0] == "\n" else "\\" + found[0], text) or "{}"


def tcl_list(words):
    """Join words to a Tcl list."""
    return " ".join(map(tcl_word, words))


def split_list(text):
    """Split a Tcl list of words in braces, quotes or neither; nested braces stay."""
    words, at = [], 0
    while at < len(text):
        if text[at].isspace():
            at += 1
        elif text[at] == "{":
            depth, end = 1, at + 1
            while depth:
                depth += {"{": 1, "}": -1}.get(text[end], 0)
                end += 1
            words.append(text[at + 1 : end - 1])
            at = end
        else:
            found = re.compile(r'"((?:\\.|[^"\\])*)"|((?:\\.|[^\s\\])+)').match(text, at)
            words.append(re.sub(r"\\(.)", r"\1", found[1] if found[1] is not None else found[2]))
            at = found.end()
    return words


def run_tcl(script, arguments, commands, call):
    """Run a Tcl script.

    Parameters
    ----------
    script : path
    arguments : sequence of str
        The script's argv.
    commands : iterable of str
        Commands that Tcl hands to Python.
    call : callable
        call(name, words) -> str; a `DesignError` is the command's error in Tcl.

    Returns
    -------
    str
        Empty, or the error that ended the script.
    """
    prelude = _PRELUDE.format(names=" ".join(commands), argv=f"{{{tcl_list(arguments)}}}")
    source = (
        f"if {{[catch {{source {tcl_word(str(script))}}} recorded_message]}} {{recorded_ask error $recorded_message}}\n"
    )
    ended = []

    def answer(name, *words):
        if name == "error":
            ended.append(words[0])
            return "1", ""
        try:
            return "1", call(name, words)
        except DesignError as error:
            return "0", str(error)

    kind = interpreter()
    if kind == "tclsh":
        with subprocess.Popen(["tclsh"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8") as process:
            process.stdin.write(f"eval {tcl_word(_PIPE + prelude + source + 'exit')}\n")
            process.stdin.flush()
            for line in process.stdout:
                if line.startswith("\x01"):
                    good, text = answer(
                        *(bytes.fromhex(word).decode() for word in re.findall(r"x([0-9a-f]*)", line[1:]))
                    )
                    process.stdin.write(f"{good} {text.encode().hex()}\n")
                    process.stdin.flush()
                else:
                    print(line, end="")
    elif kind == "tkinter":
        import tkinter

        shell = tkinter.Tcl()
        shell.createcommand("recorded_ask", lambda *words: answer(*map(str, words)))
        shell.eval(prelude + source)
    else:
        raise DesignError("there is no Tcl interpreter: neither tclsh (Debian package tcl) nor Python's tkinter")
    return ended[0] if ended else ""
