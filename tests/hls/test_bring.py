"""`make import`: a network from elsewhere becomes files that every other command takes, and boards answer for it."""

import dataclasses
import re

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("onnxruntime", reason="import needs the packages onnx and onnxruntime (make setup)")
pytest.importorskip("ziglang", reason="the native build of the kernels needs the package ziglang (make setup)")

import hls.bring.__main__ as command
from hls.bring.boards import answer
from hls.csim.accelerator import CsimTop
from hls.design.boards import read_board
from hls.design.config import make_config
from hls.design.cost import total
from hls.design.folding import least_cost
from hls.design.load import load_config
from model.base.errors import UserError
from model.base.paths import ROOT
from model.convert.imported import import_network
from model.graph import description, weights
from model.graph.description import load_network
from model.graph.kinds import Conv
from model.graph.network import Network
from model.graph.weights import load_float, load_quant
from model.integer import golden
from model.integer.examples import random_model, random_picture

FOREIGN = ROOT / "tests" / "foreign"
SMALL = FOREIGN / "ecbsr_m1c8_new.onnx"


@pytest.fixture
def pictures(tmp_path):
    """A folder of drawn pictures to quantise with."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    rng = np.random.default_rng(5)
    for i in range(5):
        plane = random_picture(rng, 90, 110)
        Image.fromarray(np.dstack([plane, plane // 2 + 60, 255 - plane])).save(folder / f"{i}.png")
    return folder


@pytest.fixture
def places(tmp_path, monkeypatch):
    """Build folder, networks and weights of its own, and a board's file."""
    monkeypatch.setattr(command, "BUILD", tmp_path / "build")
    monkeypatch.setattr("model.base.report.BUILD", tmp_path / "build")
    for module in (command, description):
        monkeypatch.setattr(module, "NETWORKS", tmp_path / "networks")
    monkeypatch.setattr(weights, "WEIGHTS", tmp_path / "weights")
    board = tmp_path / "board.toml"
    board.write_text((ROOT / "hls" / "boards" / "pynq_z2.toml").read_text())
    return tmp_path, board


def run(*arguments):
    command.main([str(argument) for argument in arguments], standalone_mode=False)


def test_a_network_and_its_answer(pictures, places, capsys):
    folder, board = places
    run(SMALL, "--name", "small", "--data", pictures, "--board", board)
    said, made = capsys.readouterr().out, folder / "build" / "import" / "small"
    assert {path.name for path in made.iterdir()} == {"small.toml", "small_x2.npz", "small_x2_int8.npz", "pynq_z2.toml"}
    assert "largest difference" in said and "golden = C++ kernels, by the folding for pynq_z2" in said
    assert float(re.search(r"([\d.]+) dB from the float network", said)[1]) > 40
    # What was written is what the other commands read.
    config = load_config(str(made / "small.toml"), str(made / "pynq_z2.toml"))
    model = load_quant(made / "small_x2_int8.npz", str(made / "small.toml"))
    assert config.network == model.network == load_float(made / "small_x2.npz").network
    assert model.meta["calibration_set"] == "pictures" and len(model.meta["calibration_files"]) >= 4
    assert f"{config.dsp}" in said and f"{config.tile_width}" in said
    assert "/backbone" in (made / "small.toml").read_text() or "node_conv2d" in (made / "small.toml").read_text()
    tile = np.random.default_rng(1).integers(0, 256, (19, 21), np.uint8)
    assert np.array_equal(CsimTop(config).infer_valid(model, tile), golden.infer_valid(model, tile))


def test_added_to_the_project(pictures, places, capsys):
    """With --add the name means it: description, weights and folding lie where the others do; and only once."""
    folder, board = places
    before = board.read_text()
    run(SMALL, "--name", "mine", "--data", pictures, "--board", board, "--add")
    assert load_config("mine", str(board), 2).network == load_network("mine")
    assert load_quant(folder / "weights" / "mine_x2_int8.npz", "mine").network.label == "mine_x2"
    assert board.read_text().startswith(before.rstrip()) and not (folder / "build" / "import").exists()
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        run(SMALL, "--name", "mine", "--data", pictures, "--board", board, "--add")
    assert ended.value.code == 2 and "there is a network mine already" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["missing.onnx"], "there is no file missing.onnx; name an .onnx or .keras file"),
        ([SMALL, "--data", "{empty}"], "holds no pictures"),
        ([SMALL, "--data", "{missing}"], "cannot read the folder"),
        ([SMALL, "--upscale", "3"], "its factor is 2, not x3"),
        ([SMALL, "--name", "no/name"], "can't name a network"),
        ([SMALL, "--white", "0"], "is not above black"),
        ([SMALL, "--board", "none"], "there is no board"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(arguments, words, places, capsys):
    folder, _ = places
    (folder / "empty").mkdir()
    names = {"{empty}": folder / "empty", "{missing}": folder / "missing"}
    with pytest.raises(SystemExit) as ended:
        run(*(names.get(argument, argument) for argument in arguments))
    said = capsys.readouterr().err
    assert ended.value.code == 2 and words in said and said.startswith("error: ") and said.count("\n") == 1
    assert not (folder / "build").exists()


def test_other_bits_are_noticed(pictures, places, monkeypatch, capsys):
    right = golden.infer_valid
    monkeypatch.setattr(command.golden, "infer_valid", lambda *given: right(*given) ^ 1)
    with pytest.raises(SystemExit):
        run(SMALL, "--data", pictures, "--board", places[1])
    assert "the C++ kernels give other bits than the golden model" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["espcn", "fsrcnn", "ecbsr", "quicksrnet", "srvgg"])
def test_boards_answer(name):
    """Each network of others fits both boards; none keeps up at their size, and the sentence says what would."""
    network = import_network(FOREIGN / f"{name}_old.onnx").model.network
    for board in map(read_board, ("pynq_z2", "kv260")):
        found = answer(network, board)
        assert found.config is not None and 0 < found.row["fps"] < 60 and not found.row["keeps_up"]
        assert found.row["dsp"] <= board["budget"]["dsp"]
        assert re.search(
            r"for 60 a network may take at most [\d,]+ products per pixel, less .*, this one", found.sentence
        )
        least = least_cost(network, board | {"tile_width": 64})
        assert all(a <= b for a, b in zip(least, total(found.config.costs)))
        reached = found.row["fps"]
        slower = answer(network, board, fps=reached * 0.9)
        assert slower.row["keeps_up"] and "which keeps up with" in slower.sentence


def test_what_does_not_fit_says_why():
    board = read_board("pynq_z2")
    wide = [Conv(f"conv{i}", 3, 1 if i == 0 else 160, 160, "relu") for i in range(6)]
    found = answer(Network("large", (*wide, Conv("last", 3, 160, 1, "none"))), board)
    assert found.config is None and found.row["fps"] is None
    assert re.search(
        r"pynq_z2: it does not fit, folded .* 64 pixels wide: [\d,]+ BRAM36 of 119, [\d,]+ LUTs of 45,220, [\d,]+ "
        r"flip-flops of 90,440; take fewer channels",
        found.sentence,
    )
    found = answer(Network("wider", (Conv("conv1", 1, 1, 200, "relu"), Conv("last", 5, 200, 60, "none"))), board)
    assert found.config is None and "bits, the kernels' widest word is 4096" in found.sentence


def test_a_layer_too_wide_to_scatter_is_direct():
    """The layer that FSRCNN's transposed convolution becomes; its golden bits come from the direct form."""
    layer = Conv("conv1", 5, 56, 9, "none", ("conv0",))
    network = Network("wide", (Conv("conv0", 1, 1, 56, "relu"), layer))
    board = read_board("pynq_z2") | {"tile_width": 40}
    config = make_config(network, board, {"conv0": (1, 1), "conv1": (1, 56)})
    assert [stage.scatter for stage in config.stages] == [False, False]
    narrower = dataclasses.replace(layer, in_ch=32, out_ch=1)
    assert (
        make_config(
            Network("narrow", (Conv("conv0", 1, 1, 32, "relu"), narrower)), board, {"conv0": (1, 1), "conv1": (1, 1)}
        )
        .stages[1]
        .scatter
    )
    rng = np.random.default_rng(2)
    model = random_model(network, rng)
    tile = random_picture(rng, 13, 16)
    assert np.array_equal(CsimTop(config).infer_valid(model, tile), golden.infer_valid(model, tile))


def test_what_is_no_picture_is_noted():
    """The trained network gives the picture, larger; given 0..255 in place of 0..1 its clips make it nearly black."""
    assert command.unlike(import_network(FOREIGN / "quicksrnet_old.onnx")) == []
    (note,) = command.unlike(import_network(FOREIGN / "quicksrnet_old.onnx", white=255))
    assert "dB from the picture that it is given" in note and "WHITE=255" in note


def test_no_pictures_at_all_names_the_remedy(places, monkeypatch):
    monkeypatch.setattr(
        command, "calibration_pictures", lambda *_: (_ for _ in ()).throw(UserError("data set T91 was not found"))
    )
    with pytest.raises(UserError, match="T91 was not found; or name a folder of your own pictures .*DATA=folder"):
        command.integers(import_network(SMALL).model, "", 0)
