"""Where no data set can be found, tests that need one are skipped, and the end of the run says which and how to get
them.
"""

import os
import re
import subprocess
import sys

import pytest

from model.base.paths import DATASETS, ROOT


def run_pytest(data, *options):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")} | {
        "SRCNN_DATA": str(data)
    }
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "--color=no",
        "tests/model/test_resize.py",
        "-k",
        "published or bad_input",
        *options,
    ]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return ended.returncode, ended.stdout + ended.stderr


@pytest.mark.parametrize("options", [(), ("-q",), ("-q", "-n", "2")], ids=" ".join)
def test_the_skipped_are_named_with_the_remedy(tmp_path, options):
    code, output = run_pytest(tmp_path, *options)
    assert code == 0 and re.search(r"7 passed, 6 skipped|6 skipped, 7 passed", output), output
    section = output.partition("skipped for want of data")[2].splitlines()
    assert [line for line in section if line.startswith("tests/")] == sorted(
        f"tests/model/test_resize.py::test_published_baselines[{name}-{upscale}]"
        for name in ("Set14", "Set5")
        for upscale in (2, 3, 4)
    )
    assert (
        "6 tests need T91, Set5 and Set14: `make download` fetches them, or set SRCNN_DATA to the folder that holds "
        "them" in section
    )


def test_a_part_of_the_data_is_not_enough(tmp_path):
    (tmp_path / "Set5").mkdir()
    code, output = run_pytest(tmp_path)
    assert code == 0 and "needs the data sets T91, Set14" in output


def test_nothing_is_said_where_nothing_is_missing(tmp_path):
    for name in DATASETS:
        (tmp_path / name).mkdir()
    code, output = run_pytest(tmp_path, "-m", "not data")
    assert code == 0 and "7 passed" in output and "want of data" not in output
