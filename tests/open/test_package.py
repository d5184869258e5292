"""The compiler alone: a wheel with all it needs and nothing of the project, whose command runs from any folder."""

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile

import pytest

from hls.open.read.frontend import OPEN
from model.base.paths import ROOT
from tests.open.tools import need

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

LEFT_OUT = {"README.md", "LICENSE", "pyproject.toml"}  # in the wheel as metadata, or not at all
SKIPPED = {"__pycache__", "build"}


def sources():
    """What the compiler consists of: files below hls/open, relative."""
    files = (path.relative_to(OPEN) for path in OPEN.rglob("*") if path.is_file())
    kept = [f for f in files if not any(part in SKIPPED or part.endswith(".egg-info") for part in f.parts)]
    return {str(f) for f in kept}


def described(path):
    return tomllib.loads(path.read_text())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Build the wheel, offline, from a copy: a build leaves folders behind."""
    try:
        version = importlib.metadata.version("setuptools")
    except importlib.metadata.PackageNotFoundError:
        version = "0"
    if int(version.split(".")[0]) < 77:
        pytest.skip(f"a wheel takes setuptools 77 or newer, here is {version} (make setup)")
    folder = tmp_path_factory.mktemp("package")
    shutil.copytree(OPEN, folder / "source", ignore=shutil.ignore_patterns(*SKIPPED, "*.egg-info"))
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, folder / "source")
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    folder = tmp_path_factory.mktemp("installed")
    pip("install", "--no-deps", "--target", folder, wheel)
    return folder


def pip(*arguments):
    command = [sys.executable, "-m", "pip", *map(str, arguments[:1]), "--no-index", *map(str, arguments[1:])]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def run(arguments, path, folder):
    """Run Python without the environment's .pth files, so that the project itself isn't found."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, path))}
    command = [sys.executable, "-S", *map(str, arguments)]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def packages():
    """Where click, llvmlite and ziglang are installed."""
    return list(dict.fromkeys([sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]))


def test_the_wheel_holds_the_compiler_and_nothing_else(wheel):
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert names == {f"hls/open/{name}" for name in sources() - LEFT_OUT}, "see packages in hls/open/pyproject.toml"


def test_the_wheel_says_its_license(wheel):
    archive = zipfile.ZipFile(wheel)
    metadata = next(archive.read(name).decode() for name in archive.namelist() if name.endswith("/METADATA"))
    assert "License-Expression: Apache-2.0 WITH LLVM-exception\n" in metadata
    assert any(name.endswith("/licenses/LICENSE") for name in archive.namelist())


def test_the_command_runs_alone_from_any_folder(installed, tmp_path):
    need("ziglang", "llvmlite")
    path = [installed, *packages()]
    where = run(
        ["-c", "import hls.open, hls; print(hls.open.__path__[0], getattr(hls, '__file__', None))"], path, tmp_path
    )
    assert where.stdout.split() == [str(installed / "hls" / "open"), "None"], where.stdout + where.stderr
    shutil.copy(installed / "hls" / "open" / "examples" / "fir.hpp", tmp_path)
    done = run(["-m", "hls.open", "build", "fir.hpp", "fir=fir_stage", "-o", "rtl"], path, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "module fir" in (tmp_path / "rtl" / "fir.sv").read_text()


def test_beside_the_project_the_project_is_found(installed, tmp_path):
    """`hls` is a package with an __init__.py there, and a namespace here: the package wins wherever it stands."""
    code = "import hls.open, hls.design, hls.packets; print(hls.open.__path__[0])"
    for path in ([installed, ROOT], [ROOT, installed]):
        done = run(["-c", code], [*path, *packages()], tmp_path)
        assert done.stdout.split() == [str(OPEN)], done.stdout + done.stderr
    # An editable installation has to put the folder on the path, too: a finder would come after the namespace.
    assert described(ROOT / "pyproject.toml")["tool"]["setuptools"]["package-dir"] == {"": "."}


def test_both_descriptions_agree():
    """Pins are those of constraints.txt; the project ships the same data and has the same command."""
    alone, project = described(OPEN / "pyproject.toml"), described(ROOT / "pyproject.toml")
    pins = dict(re.findall(r"^([\w-]+)==(.+)$", (ROOT / "constraints.txt").read_text(), re.M))
    wanted = [*alone["project"]["dependencies"], *sum(alone["project"]["optional-dependencies"].values(), [])]
    for requirement in wanted:
        name, exact, version = requirement.partition("==")
        assert not exact or pins[name] == version, requirement
    data = project["tool"]["setuptools"]["package-data"]
    data = {name: files for name, files in data.items() if name.startswith("hls.open")}
    assert data == alone["tool"]["setuptools"]["package-data"]
    assert project["project"]["scripts"]["hls-open"] == alone["project"]["scripts"]["hls-open"]


def test_the_license_is_that_of_the_project_with_an_exception():
    assert (OPEN / "LICENSE").read_text().startswith((ROOT / "LICENSE").read_text())
    for name in sorted(sources()):
        if name.endswith((".h", ".hpp", ".sv")):
            first = (OPEN / name).read_text().splitlines()[0]
            assert first == "// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception", name


def test_the_compiler_does_not_know_the_project():
    for name in sorted(sources()):
        text = (OPEN / name).read_text()
        assert not re.search("srcnn", text + name, re.I), f"hls/open/{name} names the project"
