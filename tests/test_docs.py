"""The pages name what is there: files, links, headings, make targets, modules; and README stays short."""

import importlib.util
import re

import pytest

from model.base.paths import ROOT

FOLDERS = ("bitstreams", "docs", "hls", "host", "model", "sim", "tests", ".ci")  # what git keeps; build/ comes and goes
OTHERS = [ROOT / "bitstreams" / "README.md", ROOT / "hls" / "open" / "README.md"]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *OTHERS])
# Written by commands: the C++ of a configuration, an overlay, a file of Vitis, the reader's own pictures and boards.
MADE = {
    "pynq_z2",
    "srcnn_top.hpp",
    "srcnn_top.cpp",
    "srcnn_config.hpp",
    "srcnn_top.sv",
    "my_board.toml",
    "zybo_z7_10.toml",
    "my_network.toml",
}
PATH = re.compile(r"[\w.*<>{},-]+(?:/[\w.*<>{},-]+)+/?")
FILE = re.compile(r"\w[\w.-]*\.(?:py|hpp|cpp|h|toml|tcl|sv|v|ipynb)")
README_LINES = 120
COMING = set()  # targets that a page may name before they are there


def everything():
    """All files and folders of the checkout, relative, with a slash in front."""
    found = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if "__pycache__" not in path.parts]
    return [f"/{path.relative_to(ROOT)}" for path in (*found, *ROOT.glob("*"), *(ROOT / folder for folder in FOLDERS))]


EXISTING = everything()


def exists(name):
    """Whether some path ends like this; * and <...> stand for any part of a name, {a,b} for either."""
    pattern = (
        re.escape(name.strip("/")).replace(r"\*", "[^/]*").replace(r"\{", "(").replace(r"\}", ")").replace(",", "|")
    )
    pattern = re.compile("/" + re.sub("<[^>]*>", "[^/]*", pattern) + "$")
    return any(pattern.search(path) for path in EXISTING)


def pieces(text):
    """Return what a page shows as code: (spans, lines of blocks)."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.M | re.S)
    rest = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    lines = [line.strip() for block in blocks for line in block.splitlines()] + [
        line.strip() for line in re.findall(r"^    (\S.*)$", rest, re.M)
    ]
    return [re.sub(r"\s+", " ", span) for span in re.findall(r"`([^`]+)`", rest)], lines


def anchors(path):
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_readme_is_short():
    lines = (ROOT / "README.md").read_text().splitlines()
    assert len(lines) <= README_LINES, f"README.md has {len(lines)} lines; move something into docs/"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        target, _, anchor = link.partition("#")
        if "://" in target:
            continue
        path = page.parent / target if target else page
        assert path.exists(), f"{page.name}: there is no {target}"
        assert not anchor or anchor in anchors(path), f"{page.name}: {target or 'the page'} has no heading #{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_that_a_page_names_exist(page):
    spans, lines = pieces(page.read_text())
    whole = [
        span.split("::")[0]
        for span in spans
        if " " not in span and (PATH.fullmatch(span.split("::")[0]) or FILE.fullmatch(span))
    ]
    words = [
        word.split("::")[0] for text in (*(span for span in spans if " " in span), *lines) for word in text.split()
    ]
    named = whole + [word for word in words if PATH.fullmatch(word) and word.split("/")[0] in FOLDERS]
    missing = [
        name
        for name in dict.fromkeys(named)
        if not name.startswith("build/") and name.rstrip("/").split("/")[-1] not in MADE and not exists(name)
    ]
    assert not missing, f"{page.name} names what is not there: {', '.join(missing)}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_that_a_page_names_exist(page):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    spans, lines = pieces(page.read_text())
    for text in (*spans, *lines):
        for command in re.findall(r"(?:^|&& )make ([^#&|;]*)", text):
            for word in command.split():
                if not re.fullmatch(r"[a-z-]+", word):
                    break
                assert word in targets | COMING, f"{page.name}: there is no target `make {word}`"
        for module in re.findall(r"python3? -m ([\w.]+)", text):
            assert module in ("venv", "pytest") or importlib.util.find_spec(module), (
                f"{page.name}: there is no module {module}"
            )
