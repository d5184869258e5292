"""What all tests share: those that need the data sets say so with `@pytest.mark.data`, are skipped without, and named
at the end.
"""

import pytest

from model.base.paths import DATASETS, data_dir

NO_DATA = "needs the data sets"


def missing_datasets():
    """Return the names of the data sets that cannot be found."""
    root = data_dir()
    return [name for name in DATASETS if root is None or not (root / name).is_dir()]


def pytest_runtest_setup(item):
    """Skip a test that needs data where there are none."""
    if item.get_closest_marker("data") is not None:
        missing = missing_datasets()
        if missing:
            pytest.skip(f"{NO_DATA} {', '.join(missing)}")


def pytest_terminal_summary(terminalreporter):
    """Name the tests that were skipped for want of data, and the remedy; -r or its absence hides neither."""
    skipped = [
        report.nodeid
        for report in terminalreporter.stats.get("skipped", ())
        if isinstance(report.longrepr, tuple) and str(report.longrepr[2]).removeprefix("Skipped: ").startswith(NO_DATA)
    ]
    if skipped:
        terminalreporter.section("skipped for want of data")
        for nodeid in sorted(skipped):
            terminalreporter.line(nodeid)
        terminalreporter.line(
            f"{len(skipped)} tests need T91, Set5 and Set14: `make download` fetches them, or set SRCNN_DATA to the "
            f"folder that holds them"
        )
