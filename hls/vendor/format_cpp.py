"""clang-format for the C++ of the project, without touching pragmas: `python -m hls.vendor.format_cpp [--check]`.

clang-format writes `variable = x` for `variable=x` in a pragma, and has no option against it. So pragmas pass it as
comments.
"""

import difflib
import pathlib
import re
import subprocess
import sys

import click

from model.base.errors import UserError, report_user_errors
from model.base.paths import ROOT, atomic_write

SOURCES = (
    "hls/kernels",
    "host/cpu/cpp",
    "hls/csim/cpp",
    "hls/dma/cpp",
    "hls/open/check/include",
    "hls/open/examples",
    "hls/open/include",
    "hls/open/lib",
    "hls/open/prove",
    "sim",
)
ENDINGS = (".cpp", ".hpp", ".h")
MARK = "//@"


def sources(root: pathlib.Path = ROOT) -> list[pathlib.Path]:
    """Return the C++ files of the project, sorted."""
    return sorted(path for folder in SOURCES for path in (root / folder).rglob("*") if path.suffix in ENDINGS)


def formatted(text: str, name: str) -> str:
    """Return C++ as clang-format writes it in the style of `.clang-format`, its pragmas as they were.

    Parameters
    ----------
    text : str
    name : str
        Of the file: its ending decides the language.

    Raises
    ------
    UserError
        If clang-format is missing or refuses the text.
    """
    masked = re.sub(r"^[ \t]*(#pragma HLS )", rf"{MARK}\1", text, flags=re.MULTILINE)
    command = [str(pathlib.Path(sys.executable).with_name("clang-format")), f"--assume-filename={ROOT / name}"]
    try:
        ended = subprocess.run(command, input=masked, capture_output=True, text=True)
    except OSError as error:
        raise UserError("clang-format is not installed; run `make setup`") from error
    if ended.returncode:
        raise UserError(
            f"clang-format refuses {name}: {(ended.stderr.strip().splitlines() or ['no message'])[0]}; correct it"
        )
    result = re.sub(rf"^[ \t]*{MARK}(#pragma HLS )", r"\1", ended.stdout, flags=re.MULTILINE)
    assert pragmas(result) == pragmas(text), f"a pragma of {name} was changed"
    return result


def pragmas(text: str) -> list[str]:
    """Return the HLS pragmas of a C++ text, without what stands in front of them."""
    return re.findall(r"^[ \t]*(#pragma HLS .*)$", text, flags=re.MULTILINE)


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; show what is not formatted and end with exit code 1.")
@report_user_errors
def main(check: bool) -> None:
    """Format the C++ of the project."""
    changed = 0
    for path in sources():
        name, before = str(path.relative_to(ROOT)), path.read_text()
        after = formatted(before, name)
        if after == before:
            continue
        changed += 1
        if check:
            lines = difflib.unified_diff(
                before.splitlines(True), after.splitlines(True), name, f"{name}, formatted", n=1
            )
            sys.stdout.writelines(lines)
        else:
            with atomic_write(path) as temporary:
                temporary.write_text(after)
    print(
        f"{changed} of {len(sources())} C++ files "
        f"{'are not formatted; run `make format`' if check else 'were formatted anew'}"
        if changed
        else f"{len(sources())} C++ files are formatted"
    )
    sys.exit(bool(check and changed))


if __name__ == "__main__":
    main()
