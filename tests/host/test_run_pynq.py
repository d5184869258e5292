"""The command line: what it writes, what it says, and one sentence for every kind of bad input."""

import fcntl
import json
import os
import pathlib
import pty
import re
import shutil
import struct
import subprocess
import sys
import termios

import cv2
import numpy as np
import pytest

from host import run_pynq
from host.picture import pipeline
from host.picture.backends import GoldenBackend
from model.graph.weights import save_quant
from model.imaging import color
from model.imaging.files import read_picture
from model.imaging.resize import upscale_bicubic
from model.integer import golden
from tests.host.test_backends import board_with_overlay
from tests.random_models import FASTEST, random_model, write_weights

SCRIPT = pathlib.Path(run_pynq.__file__)
RNG = np.random.default_rng(9)
COLOUR = cv2.resize(RNG.integers(0, 256, (4, 5, 3)).astype(np.uint8), (19, 14), interpolation=cv2.INTER_CUBIC)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A current folder with img.bmp (colour) in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BOARD", raising=False)
    cv2.imwrite("img.bmp", COLOUR[:, :, ::-1])
    return tmp_path


@pytest.fixture
def run(capsys, weight_files):
    """Return a function that runs the command line in this process: exit code, stdout, stderr."""

    def run_command(*arguments, weights=weight_files["srcnn915", 3]):
        extra = ("--weights", str(weights)) if weights else ()
        code = 0
        try:
            run_pynq.main([str(argument) for argument in (*arguments, *extra)])
        except SystemExit as end:
            code = end.code or 0
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run_command


def expected_colour(rgb, model):
    """The steps once more, in one line each."""
    up = upscale_bicubic(color.rgb_to_ycbcr(rgb), model.upscale)
    up[:, :, 0] = golden.infer(model, np.ascontiguousarray(up[:, :, 0]), workers=1)
    return color.ycbcr_to_rgb(up)


def snapshot(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


# --- what it writes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("upscale", [2, 3, 4])
def test_colour(folder, run, weight_files, upscale):
    code, out, err = run("img.bmp", weights=weight_files["srcnn915", upscale])
    assert (code, err) == (0, "")
    result = cv2.imread(f"img_x{upscale}.png")[:, :, ::-1]
    np.testing.assert_array_equal(result, expected_colour(COLOUR, random_model("srcnn915", upscale)))
    assert len(np.unique(result)) > 50
    size = f"{19 * upscale}x{14 * upscale}"
    assert f"img.bmp 19x14 -> img_x{upscale}.png {size}: srcnn915 x{upscale} on {FASTEST} (the same bits" in out
    assert "no PYNQ board" in out
    assert re.search(
        r"read .* colour .* bicubic .* pack .* compute .* unpack .* merge .* write .*; [0-9.]+ s in all, [0-9.]+ "
        r"Mpixel/s\n$",
        out,
    )


def test_a_network_for_video_takes_the_picture_as_it_came(folder, run, weight_files):
    code, out, err = run("img.bmp", "--tile", "16x9", weights=weight_files["abpn8m2", 2])
    assert (code, err) == (0, "") and f"38x28: abpn8m2 x2 on {FASTEST}" in out
    model, small = random_model("abpn8m2", 2), color.rgb_to_ycbcr(COLOUR)
    up = upscale_bicubic(small, 2)
    up[:, :, 0] = golden.infer(model, np.ascontiguousarray(small[:, :, 0]), workers=1)
    np.testing.assert_array_equal(cv2.imread("img_x2.png")[:, :, ::-1], color.ycbcr_to_rgb(up))


def test_weights_of_another_factor_are_refused(folder, run, weight_files):
    code, _, err = run("img.bmp", "--network", "abpn8m2", "--upscale", "3", weights=weight_files["abpn8m2", 2])
    assert code == 2 and "holds weights for x2, not x3" in err and err.count("\n") == 1


@pytest.mark.parametrize(
    "network, upscale, says",
    [
        ("abpn8m2", 3, "there are no weights of abpn8m2 for x3 .abpn8m2_x3_int8.npz is missing.; choose x2, or make"),
        ("abpn8m5", 3, "there are no weights of abpn8m5 for x3 .*; choose another network, or make them with"),
    ],
)
def test_weights_that_are_not_there_yet(folder, run, monkeypatch, network, upscale, says):
    write_weights(folder, monkeypatch, "abpn8m2", 2)
    code, out, err = run("img.bmp", "--network", network, "--upscale", upscale, weights=None)
    assert (code, out) == (2, "") and re.search(says, err) and err.count("\n") == 1


def test_the_kernels_give_a_video_network_s_file(folder, run, weight_files):
    weights = weight_files["abpn8m2", 2]
    assert run("img.bmp", "-o", "golden.png", "--backend", "golden", weights=weights)[0] == 0
    code, out, err = run("img.bmp", "-o", "csim.png", "--backend", "csim", "--tile", "20x10", weights=weights)
    assert (code, err) == (0, "") and "abpn8m2 x2 on csim" in out
    assert pathlib.Path("csim.png").read_bytes() == pathlib.Path("golden.png").read_bytes()


def test_grey_goes_through_the_network_as_it_is(folder, run):
    grey = np.ascontiguousarray(COLOUR[:, :, 0])
    cv2.imwrite("grey.png", grey)
    assert run("grey.png", "-o", "out.bmp")[0] == 0
    result = cv2.imread("out.bmp", cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(result, golden.infer(random_model(), upscale_bicubic(grey, 3), workers=1))


def test_transparency_is_upscaled_bicubically(folder, run):
    rgba = np.dstack([COLOUR, np.maximum(COLOUR[:, :, 1], 1)])
    cv2.imwrite("alpha.png", rgba[:, :, [2, 1, 0, 3]])
    assert run("alpha.png", "-o", "out.png")[0] == 0
    picture = read_picture("out.png")
    np.testing.assert_array_equal(picture.alpha, upscale_bicubic(np.ascontiguousarray(rgba[:, :, 3]), 3))
    np.testing.assert_array_equal(picture.pixels, expected_colour(COLOUR, random_model()))
    code, out, err = run("alpha.png", "-o", "out.jpg")
    assert code == 0 and "note: .jpg holds no transparency" in out


def test_sixteen_bits_stay(folder, run):
    cv2.imwrite("deep.png", COLOUR.astype(np.uint16) * 257)
    code, out, err = run("deep.png")
    assert (code, err) == (0, "")
    deep = cv2.imread("deep_x3.png", cv2.IMREAD_UNCHANGED)[:, :, ::-1]
    assert deep.dtype == np.uint16
    assert run("deep.png", "--depth", "8", "-o", "shallow.png")[0] == 0
    shallow = cv2.imread("shallow.png", cv2.IMREAD_UNCHANGED)[:, :, ::-1]
    np.testing.assert_array_equal(shallow, expected_colour(COLOUR[:, :, ::-1], random_model()))
    assert np.abs(deep / 257 - shallow).max() < 6  # the same picture, its steps of one and Cb, Cr's rounding apart
    code, out, err = run("deep.png", "-o", "deep.jpg")
    assert code == 0 and "note: .jpg holds 8 bits per channel: the picture's 16 are rounded" in out


def test_a_smooth_scan_does_not_band(folder, run):
    """A gradient of 16 bits through trained weights: no more than bicubic's own steps, where 8 bits have 232 levels."""
    ramp = np.linspace(3000, 62000, 400).astype(np.uint16)
    cv2.imwrite("ramp.tif", np.dstack([np.tile(ramp, (24, 1))] * 3))
    assert run("ramp.tif", "-o", "ramp.png", weights=None)[0] == 0
    row = cv2.imread("ramp.png", cv2.IMREAD_UNCHANGED)[36, 60:-60, 1].astype(int)
    assert 0 <= np.diff(row).min() and np.diff(row).max() < 90  # a step of 8 bits is 257


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 1)])
def test_tiny_pictures(folder, run, size):
    cv2.imwrite("tiny.png", RNG.integers(0, 256, (*size, 3)).astype(np.uint8))
    assert run("tiny.png")[0] == 0
    assert cv2.imread("tiny_x3.png").shape == (size[0] * 3, size[1] * 3, 3)


@pytest.mark.parametrize("network", ["srcnn915", "srcnn935", "srcnn955"])
def test_every_tiling_gives_the_same_file(folder, run, weight_files, network):
    weights = weight_files[network, 3]
    assert run("img.bmp", "-o", "whole.png", weights=weights)[0] == 0
    for tile in ("7", "16x5", "1000", "57x1"):
        assert run("img.bmp", "-o", "tiled.png", "--tile", tile, weights=weights)[0] == 0
        assert pathlib.Path("tiled.png").read_bytes() == pathlib.Path("whole.png").read_bytes()


def test_tile_is_width_by_height(folder, run):
    code, out, err = run("img.bmp", "--tile", "20x5", "-v")
    assert code == 0 and "tiles: 3 x 9 of 20x5 pixels and a halo of 6" in out and "weights: " in out


def test_board_gives_the_same_file(folder, run, monkeypatch, models):
    assert run("img.bmp", "-o", "golden.png", "--backend", "golden")[0] == 0
    board = board_with_overlay(monkeypatch, folder / "bitstreams", models["srcnn915"])
    code, out, err = run("img.bmp", "-o", "board.png", "--tile", "16x16")
    assert (code, err) == (0, "") and "on pynq (overlay in" in out
    assert pathlib.Path("board.png").read_bytes() == pathlib.Path("golden.png").read_bytes()
    assert board.transfers == 2 and board.live_buffers == 0 and board.violations == []


def test_a_video_network_s_overlay_gives_the_same_file(folder, run, monkeypatch, weight_files):
    model, weights = random_model("abpn8m2", 2), weight_files["abpn8m2", 2]
    assert run("img.bmp", "-o", "golden.png", "--backend", "golden", weights=weights)[0] == 0
    board = board_with_overlay(monkeypatch, folder / "bitstreams", model)
    code, out, err = run("img.bmp", "-o", "board.png", "--tile", "16x16", "--network", "abpn8m2", weights=weights)
    assert (code, err) == (0, "") and "on pynq (overlay in" in out and "abpn8m2_x2)" in out
    assert pathlib.Path("board.png").read_bytes() == pathlib.Path("golden.png").read_bytes()
    assert board.transfers == 2 and board.live_buffers == 0 and board.violations == []


def test_a_board_that_fails_leaves_nothing(folder, run, monkeypatch, models):
    board = board_with_overlay(monkeypatch, folder / "bitstreams", models["srcnn915"])
    board.fault, board.fault_until_download = "short answer", False
    code, out, err = run("img.bmp")
    assert code == 2 and err.startswith("error: ") and err.count("\n") == 1
    assert not pathlib.Path("img_x3.png").exists() and board.live_buffers == 0


def test_quiet(folder, run):
    assert run("img.bmp", "-q") == (0, "", "")
    assert pathlib.Path("img_x3.png").exists()


def test_committed_weights_are_the_default(folder, run, monkeypatch, weight_files):
    def weight_path(network, upscale, degradation, quantised):
        assert (degradation, quantised) == ("standard", True)
        return weight_files[network, upscale]

    monkeypatch.setattr(pipeline, "weight_path", weight_path)
    assert "srcnn915 x3" in run("img.bmp", weights=None)[1]
    assert "srcnn915 x4" in run("img.bmp", "--upscale", 4, weights=None)[1]
    assert "srcnn955 x3" in run("img.bmp", "--network", "srcnn955", "--overwrite", weights=None)[1]


def test_weights_for_photographs_are_taken_by_name(folder, run, monkeypatch):
    where = {"standard": folder / "standard_int8.npz", "photo": folder / "photo_int8.npz"}
    for seed, path in enumerate(where.values()):
        save_quant(random_model("srcnn915", 3, seed), path)
    monkeypatch.setattr(pipeline, "weight_path", lambda network, upscale, which, quantised: where[which])
    results = {}
    for name, path in where.items():
        assert run("img.bmp", "-o", "named.png", "--weights", name, weights=None)[0] == 0
        results[name] = pathlib.Path("named.png").read_bytes()
        assert run("img.bmp", "-o", "file.png", "--weights", path, weights=None)[0] == 0
        assert pathlib.Path("file.png").read_bytes() == results[name]
    assert results["standard"] != results["photo"]
    where["photo"].unlink()
    code, out, err = run("img.bmp", "--weights", "photo", weights=None)
    assert code == 2 and "there are no photo weights of srcnn915 for x3" in err and "--weights standard" in err


def test_progress_bar_shows_mpixel_per_second(folder, weight_files):
    reader, writer = pty.openpty()
    fcntl.ioctl(
        writer, termios.TIOCSWINSZ, struct.pack("HHHH", 25, 100, 0, 0)
    )  # rows and columns; a new terminal has none
    options = ["--weights", weight_files["srcnn915", 3], "--tile", "2", "--backend", "golden"]
    subprocess.run(
        [sys.executable, SCRIPT, "img.bmp", *options],
        stderr=writer,
        check=True,
        timeout=60,
    )
    os.set_blocking(reader, False)
    assert re.search(r"%.*[0-9][kM]?pixel/s", os.read(reader, 1 << 16).decode(errors="replace"))


# --- bad input -------------------------------------------------------------------------------------------


def nan_weights(folder, kind):
    """A weight file of `kind` whose arrays are float and hold a NaN."""
    model = random_model()
    arrays = {
        "header": np.array(
            json.dumps({"kind": kind, "network": "srcnn915", "upscale": 3, "weight_bits": 8, "act_bits": 8, "meta": {}})
        )
    }
    for layer, q in zip(model.network.layers, model.layers):
        arrays[f"{layer.name}_weight"] = np.full(q.weight.shape, np.nan, np.float32)
        arrays[f"{layer.name}_bias"], arrays[f"{layer.name}_shift"] = q.bias, q.shift
    np.savez(folder / f"nan_{kind}.npz", **arrays)
    return folder / f"nan_{kind}.npz"


def damaged(folder, length):
    data = (folder / "img.bmp").read_bytes()
    (folder / "cut.bmp").write_bytes(data[:length])
    return "cut.bmp"


def copied(folder, name):
    (folder / name).write_bytes((folder / "img.bmp").read_bytes())
    return name


def hard_link(folder, name, link):
    os.link(folder / copied(folder, name), folder / link)
    return link


# what, arguments (a function of the folder and the weight files), what the sentence says
BAD = {
    "missing": (lambda f, w: ["none.bmp"], "there is no file none.bmp"),
    "folder": (lambda f, w: ["."], "is a folder"),
    "empty": (lambda f, w: [damaged(f, 0)], "is empty"),
    "truncated": (lambda f, w: [damaged(f, 400)], "cut.bmp is damaged or cut short"),
    "truncated header": (lambda f, w: [damaged(f, 20)], "not a readable"),
    "no picture": (lambda f, w: [w["srcnn915", 3]], "not a readable"),
    "no arguments": (lambda f, w: [], "Missing argument 'IMAGE'"),
    "two pictures": (lambda f, w: ["img.bmp", "img.bmp"], "unexpected extra argument"),
    "unknown option": (lambda f, w: ["img.bmp", "--fast"], "No such option"),
    "upscale 5": (lambda f, w: ["img.bmp", "--upscale", "5"], "'5' is not one of '2', '3', '4'"),
    "tile 0": (lambda f, w: ["img.bmp", "--tile", "0"], "'0' is no tile size"),
    "tile 0 wide": (lambda f, w: ["img.bmp", "--tile", "0x8"], "'0x8' is no tile size"),
    "tile negative": (lambda f, w: ["img.bmp", "--tile", "-4"], "'-4' is no tile size"),
    "tile of words": (lambda f, w: ["img.bmp", "--tile", "big"], "'big' is no tile size"),
    "tile of three": (lambda f, w: ["img.bmp", "--tile", "1x2x3"], "'1x2x3' is no tile size"),
    "unknown backend": (lambda f, w: ["img.bmp", "--backend", "gpu"], "'gpu' is not one of"),
    "no board": (lambda f, w: ["img.bmp", "--backend", "pynq"], "no PYNQ board"),
    "output extension": (lambda f, w: ["img.bmp", "-o", "out.gif"], "extension is .gif; choose"),
    "output is input": (lambda f, w: ["img.bmp", "-o", f / "img.bmp"], "is the input"),
    "figure is the input": (lambda f, w: [copied(f, "q_compare.png"), "-o", "q.png", "--compare"], "is the input"),
    "figure is the truth": (
        lambda f, w: ["img.bmp", "-o", "q.png", "--compare", "--truth", copied(f, "q_compare.png")],
        "output q_compare.png is the input",
    ),
    "output is the truth by another name": (
        lambda f, w: ["img.bmp", "-o", hard_link(f, "t.bmp", "o.bmp"), "--compare", "--truth", "t.bmp"],
        "the output o.bmp is the input t.bmp",
    ),
    "name too long": (
        lambda f, w: [copied(f, "x" * 250 + ".bmp")],
        "its name has 257 bytes, the limit there is 255; choose a shorter name with -o",
    ),
    "figure's name too long": (
        lambda f, w: ["img.bmp", "-o", "x" * 250 + ".bmp", "--compare"],
        "its name has 262 bytes, the limit there is 255",
    ),
    "output is a folder": (
        lambda f, w: ["img.bmp", "-o", "out.png"] if (f / "out.png").mkdir() is None else [],
        "is a folder",
    ),
    "output folder missing": (lambda f, w: ["img.bmp", "-o", "none/out.png"], "none does not exist"),
    "output folder a file": (lambda f, w: ["img.bmp", "-o", "img.bmp/out.png"], "cannot write img.bmp/out.png"),
    "output unwritable": (lambda f, w: ["img.bmp", "-o", "/proc/out.png"], "cannot write /proc/out.png"),
    "too large": (
        lambda f, w: ["img.bmp", "--max-mpixel", "0.002"],
        r"19x14 pixels x3 make 57x42 = 0.0 Mpixel, the limit is 0.002",
    ),
    "limit of nothing": (lambda f, w: ["img.bmp", "--max-mpixel", "0"], "0.0 is not in the range"),
    "limit not a number": (lambda f, w: ["img.bmp", "--max-mpixel", "nan"], "the limit is nan"),
    "other network": (lambda f, w: ["img.bmp", "--network", "srcnn955"], "holds weights of srcnn915, not of srcnn955"),
    "unknown network": (lambda f, w: ["img.bmp", "--network", "vdsr"], "'vdsr' is not one of"),
    "other upscale": (lambda f, w: ["img.bmp", "--upscale", "2"], "weights for x3, not x2; choose --upscale 3"),
    "weights missing": (lambda f, w: ["img.bmp", "--weights", "none.npz"], "there is no weight file none.npz"),
    "weights a picture": (lambda f, w: ["img.bmp", "--weights", "img.bmp"], "not a readable weight file"),
    "NaN in float weights": (
        lambda f, w: ["img.bmp", "--weights", nan_weights(f, "float")],
        "float weights where int8 weights are needed",
    ),
    "NaN in int8 weights": (lambda f, w: ["img.bmp", "--weights", nan_weights(f, "int8")], "has to be int8 weights"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_input_is_one_sentence_and_changes_nothing(folder, run, weight_files, what):
    arguments, says = BAD[what]
    arguments = arguments(folder, weight_files)
    before = snapshot(folder)
    code, out, err = run(*arguments, weights=None if "--weights" in arguments else weight_files["srcnn915", 3])
    assert code == 2
    assert re.search(says, err) and err.startswith("error: ") and err.count("\n") == 1
    assert snapshot(folder) == before


@pytest.mark.parametrize("length", [240, 251, 255])
def test_long_names(folder, run, length):
    name = "ä" * 100 + "y" * (length - 204) + ".png"
    assert len(name.encode()) == length
    assert run("img.bmp", "-o", name)[0] == 0 and sorted(os.listdir(folder)) == ["img.bmp", name]


def test_space_is_asked_first(folder, run, monkeypatch):
    usage = shutil.disk_usage(".")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=9000))
    monkeypatch.setattr(golden, "infer_valid", None)
    code, out, err = run("img.bmp")
    assert code == 2 and re.search(
        "cannot write img_x3.png: it may take 0.0 MB and 0.0 MB are free there; free some", err
    )
    assert os.listdir(folder) == ["img.bmp"]


def test_default_limit_is_64_mpixel(folder, run):
    cv2.imwrite("large.png", np.zeros((2700, 2700), np.uint8))
    code, out, err = run("large.png")
    assert (
        code == 2
        and "8100x8100 = 65.6 Mpixel, the limit is 64; cut the picture into parts or raise --max-mpixel" in err
    )


def test_memory_is_asked_first(folder, run, monkeypatch):
    monkeypatch.setattr(pipeline, "_available_memory", lambda: 1000)
    code, out, err = run("img.bmp")
    assert code == 2 and "57x42 pixels need about 120 MB of memory, 0 MB are available" in err


def test_tile_larger_than_the_backend_takes(folder, run, monkeypatch, models):
    board = board_with_overlay(monkeypatch, folder / "bitstreams", models["srcnn915"])
    cv2.imwrite("wide.png", np.zeros((1, 800), np.uint8))
    before = snapshot(folder)
    code, out, err = run("wide.png", "--tile", "2000x8")
    assert code == 2 and re.search(
        "a tile of 2000x3 is larger than pynq takes, 1920x[0-9]+; choose a smaller --tile", err
    )
    assert snapshot(folder) == before and board.live_buffers == 0


def test_ctrl_c_keeps_the_old_result(folder, run, monkeypatch):
    pathlib.Path("img_x3.png").write_text("old")

    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("host.picture.backends._fastest_here", GoldenBackend)
    monkeypatch.setattr(golden, "infer_valid", interrupt)
    code, out, err = run("img.bmp", "--overwrite")
    assert code == 130 and "interrupted" in err
    assert pathlib.Path("img_x3.png").read_text() == "old" and len(os.listdir(folder)) == 2


# --- as a process: any folder, no PYTHONPATH, no TensorFlow ------------------------------------------------


def test_from_any_folder_with_the_host_s_packages_only(folder, weight_files):
    spy = (
        "import runpy, sys; sys.argv = sys.argv[1:]; sys.modules.update(dict.fromkeys(['tensorflow', 'keras', "
        "'skimage', 'matplotlib', 'scipy', 'pynq']))\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", spy, SCRIPT, "img.bmp", "--weights", weight_files["srcnn915", 3]],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(cv2.imread("img_x3.png")[:, :, ::-1], expected_colour(COLOUR, random_model()))


@pytest.mark.parametrize("arguments", [["none.bmp"], ["img.bmp", "--upscale", "5"], ["img.bmp", "-o", "/proc/out.png"]])
def test_exit_code_of_the_process(folder, weight_files, arguments):
    done = subprocess.run(
        [sys.executable, SCRIPT, *arguments, "--weights", weight_files["srcnn915", 3]],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2 and done.stdout == "" and re.fullmatch("error: [^\n]+\n", done.stderr)
    assert os.listdir(folder) == ["img.bmp"]


def test_help_has_examples():
    done = subprocess.run([sys.executable, SCRIPT, "--help"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "Examples:\n    python host/run_pynq.py img.bmp  " in done.stdout


def test_saved_models_come_back(tmp_path):
    save_quant(random_model(), tmp_path / "m.npz")
    loaded = pipeline.load_model(None, None, tmp_path / "m.npz")
    assert all(np.array_equal(a.weight, b.weight) for a, b in zip(loaded.layers, random_model().layers))
