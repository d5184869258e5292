"""The generated tables of README.md and docs/: up to date, in one place each by hand and elsewhere by command."""

import re

import pytest

from host.measure import pages
from host.measure.tables import hardware
from model.base.errors import UserError
from model.base.paths import ROOT
from model.quality import results

COMMITTED = results.load()


@pytest.mark.parametrize("path", pages.documents(COMMITTED), ids=lambda path: path.name)
def test_tables_are_up_to_date(path):
    assert path.read_text() == pages.documents(COMMITTED)[path], f"{path.name} is out of date: run `make pages`"


def test_readme_has_one_small_generated_block():
    regions = re.findall(r"<!-- begin (\w+) [^\n]*-->\n(.*?)<!-- end \1 -->", pages.README.read_text(), re.S)
    assert [name for name, _ in regions] == ["numbers"] and len(regions[0][1].splitlines()) <= 21


def test_a_region_names_the_command_that_writes_it():
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), pages.COMPILER):
        for command in re.findall(r"<!-- begin \w+ (.*?) *-->", path.read_text()):
            assert re.fullmatch(r"\(made by `make (pages|ablations ARGS=--update-docs)`\)", command), (
                f"{path.name}: {command}"
            )


def test_a_change_reaches_every_table_and_nothing_else(tmp_path, monkeypatch):
    for name in ("README", "PERFORMANCE", "SYNTHESIS", "VERIFICATION", "COMPILER", "OPEN_ROUTE"):
        copied = tmp_path / f"{name}.md"
        copied.write_text(getattr(pages, name).read_text())
        monkeypatch.setattr(pages, name, copied)
    assert pages.pages.write_changed(pages.documents(COMMITTED)) == []
    rows = [row | {"psnr": row["psnr"] + 1} if row["method"] == "golden" else row for row in COMMITTED.rows]
    before = pages.README.read_text()
    assert pages.pages.write_changed(pages.documents(results.Results(COMMITTED.weights, rows))) == [pages.README]
    after = pages.README.read_text()
    assert (
        after != before
        and after.endswith(before[before.index("<!-- end numbers -->") :])
        and after.count("<!--") == before.count("<!--")
    )
    pages.README.write_text("no markers")
    with pytest.raises(UserError, match="no region numbers"):
        pages.documents(COMMITTED)


def test_a_board_without_recorded_figures_gets_empty_cells(monkeypatch):
    monkeypatch.setattr(hardware, "recorded", list)
    (speed,) = [line for line in hardware.numbers(COMMITTED).splitlines() if line.startswith("| KV260, 300 MHz")]
    assert speed.endswith("|  |  |") and len(hardware.resources().splitlines()) == 2
