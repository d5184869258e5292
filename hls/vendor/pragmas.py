"""Lint of the kernels' HLS pragmas: compilers skip what they don't know, so a typing error would only show as slow
hardware.

`pragmas.toml` beside this file says which pragmas, options and values there are, and where a pragma may stand.
"""

from __future__ import annotations

import functools
import pathlib
import re

from model.base.errors import UserError
from model.base.toml import load_toml

RULES = pathlib.Path(__file__).with_suffix(".toml")
_PRAGMA = re.compile(r"\s*#\s*pragma\s+(.*)")
_LOOP = re.compile(r"(?:\w+\s*:\s*)?(?:HLS_OPEN_LANES\s+)?(?:for|while)\s*\(.*\)\s*\{$", re.DOTALL)
_CONTROL = re.compile(r"(?:\w+\s*:\s*)?(?:(?:else\s+)?if|else|switch|do|struct|class|namespace|enum|union)\b")


@functools.cache
def _rules():
    return load_toml(RULES, RULES.name)


def lint_folder(folder: pathlib.Path) -> None:
    """Raise `UserError` at the first pragma in the folder's kernels (*.hpp, *.cpp, *.h) that breaks a rule."""
    for path in sorted([*folder.glob("*.*pp"), *folder.glob("*.h")]):
        problems = lint_pragmas(path.read_text())
        if problems:
            line, problem = problems[0]
            raise UserError(
                f"{path.name} line {line}: {problem}; correct it, or add it to {RULES.name} if Vitis HLS documents it"
            )


def lint_pragmas(text: str) -> list[tuple[int, str]]:
    """Check the pragmas of a C++ source.

    Parameters
    ----------
    text : str

    Returns
    -------
    list of (int, str)
        Line number and what is wrong.
    """
    text = re.sub(r"/\*.*?\*/", lambda comment: "\n" * comment[0].count("\n"), text, flags=re.DOTALL)
    lines = [line.split("//")[0].rstrip() for line in text.splitlines()]
    code = "\n".join(line for line in lines if not line.lstrip().startswith("#"))
    problems = []
    for at, line in enumerate(lines):
        found = _PRAGMA.match(line)
        if found and found[1].strip() != "once":
            words = found[1].split()
            if words[0] != "HLS":
                problems.append((at + 1, f"the pragma {words[0]!r} is none of Vitis HLS"))
            else:
                problems += [(at + 1, problem) for problem in _lint(words[1:], code, lines[:at])]
    return problems


def _lint(words, code, before):
    """Yield what is wrong with one pragma, given without `#pragma HLS`, and the lines before it."""
    name = words[0].upper() if words else ""
    rule = _rules().get(name)
    if rule is None:
        yield f"there is no pragma HLS {' '.join(words[:1]) or '(nothing)'} in {RULES.name}"
        return
    place = _place(before)
    if rule["place"] == "variable":
        variable = next((word.partition("=")[2] for word in words[1:] if word.startswith("variable=")), "")
        previous = next((line for line in reversed(before) if line.strip() and not line.lstrip().startswith("#")), "")
        if not re.search(rf"[\w>]\s+{re.escape(variable)}\s*;$", previous):
            yield f"HLS {name} belongs right behind the declaration of its variable {variable}"
    elif place != rule["place"]:
        yield f"HLS {name} stands in a {place}, it belongs at the start of a {rule['place']}'s body"
    given = set()
    for word in words[1:]:
        option, equals, value = word.partition("=")
        given.add(option)
        if not equals:
            if option not in rule.get("words", ()):
                yield f"HLS {name} has no option {option!r}"
            continue
        pattern = rule.get("options", {}).get(option)
        if pattern is None:
            yield f"HLS {name} has no option {option!r}"
        elif not _matches(pattern, value, code):
            yield f"HLS {name} does not take {word!r}"
    for option in set(rule.get("needs", ())) - given:
        yield f"HLS {name} needs {option}="


def _matches(pattern, value, code):
    if re.fullmatch(pattern, value) and value != "NAME":
        return True
    return (
        "NAME" in pattern.split("|")
        and re.fullmatch(r"\w+(\.\w+)*", value) is not None
        and _declared(value.split(".")[0], code)
    )


def _declared(name, code):
    """Whether the source declares a name: a type, a reference or a closing bracket stands before it, and no
    operator.
    """
    return re.search(rf"[\w>&*\]]\s*[&*]?\s+[&*]?{re.escape(name)}\s*(?:[;,=)\[]|\(\")", code) is not None


def _place(before):
    """Return what the innermost open block is: "loop", "function" or "other", or "later" if statements stand before."""
    statements = [line for line in before if not line.lstrip().startswith("#")]
    body = "\n".join(statements).rstrip()
    if not body.endswith("{"):
        return "place after other statements"
    start = max(body.rfind(";", 0, -1), body.rfind("{", 0, -1), body.rfind("}", 0, -1))
    while start > 0 and body[start] == ";" and body.count("(", start) < body.count(")", start):  # inside for (...; ...)
        start = max(body.rfind(";", 0, start), body.rfind("{", 0, start), body.rfind("}", 0, start))
    head = re.sub(r"^\s*(?:public|private|protected)\s*:", "", body[start + 1 :]).strip()
    if _LOOP.fullmatch(head):
        return "loop"
    if _CONTROL.match(head) or not re.search(r"\)\s*(?:const)?\s*\{$", head):
        return "block that is no function"
    return "function"
