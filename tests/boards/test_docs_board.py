"""docs/on-the-board.md says what the host says: every error text it quotes is one."""

import ast
import re

import pytest

from model.base.paths import ROOT

DOCUMENT = (ROOT / "docs" / "on-the-board.md").read_text()
QUOTED = [
    text
    for row in re.findall(r"^\| (.*?) \|", DOCUMENT, re.M)
    for text in re.findall(r"`([^`]+)`", row)
    if " " in text and "…" in text or "the " in text
]


def texts():
    """All string literals of the host, of packets and of picture files; where something is put in, "…"."""
    found = []
    for file in sorted(
        file for folder in ("host", "hls/packets", "model/imaging") for file in (ROOT / folder).rglob("*.py")
    ):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.JoinedStr):
                found.append("".join(part.value if isinstance(part, ast.Constant) else "…" for part in node.values))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(re.sub("%[ds.]+", "…", node.value))
    return found


TEXTS = texts()


def test_enough_is_quoted():
    assert len(QUOTED) > 20 and len(set(QUOTED)) == len(QUOTED)


@pytest.mark.parametrize("quoted", QUOTED)
def test_quoted_error_exists(quoted):
    pattern = ".*".join(re.escape(part.strip(" ,:;")) for part in quoted.split("…"))
    assert any(re.search(pattern, text, re.S) for text in TEXTS), f"the host never says {quoted!r}"
