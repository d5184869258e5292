"""Options about files: formats and their quality, names, what is there already, dry runs, lines for programs."""

import json
import os
import pathlib
import re

import cv2
import numpy as np
import pytest
from PIL import Image

from host.picture.backends import GoldenBackend
from model.imaging.files import read_picture
from tests.host.test_run_pynq import COLOUR, expected_colour, folder, run, snapshot  # noqa: F401
from tests.random_models import random_model

GREY = COLOUR[:, :, 0].copy()


def expected():
    return expected_colour(COLOUR, random_model())


# --- formats ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["png", "bmp", "dib", "tif", "tiff", "webp", "jp2", "tga", "ppm", "pnm"])
def test_lossless_results(folder, run, suffix):  # noqa: F811
    code, out, err = run("img.bmp", "-o", f"out.{suffix}")
    assert (code, err) == (0, "")
    np.testing.assert_array_equal(np.asarray(Image.open(f"out.{suffix}").convert("RGB")), expected())


@pytest.mark.parametrize("suffix", ["jpg", "jpeg", "jpe", "jfif", "webp", "avif"])
def test_quality(folder, run, suffix):  # noqa: F811
    sizes, errors = [], []
    for quality in (30, 90):
        assert run("img.bmp", "-o", f"out{quality}.{suffix}", "--quality", quality)[0] == 0
        found = np.asarray(Image.open(f"out{quality}.{suffix}").convert("RGB")).astype(int)
        sizes.append(os.path.getsize(f"out{quality}.{suffix}"))
        errors.append(np.abs(found - expected()).mean())
    assert sizes[0] < sizes[1] and errors[0] > errors[1] > 0


def as_pillow(kind, **options):
    return lambda path: Image.fromarray(COLOUR).save(path, kind, **options)


READ = {
    "a.webp": as_pillow("WEBP", lossless=True),
    "b.gif": lambda path: Image.fromarray(COLOUR).quantize(200).save(path, "GIF"),
    "c.jfif": as_pillow("JPEG", quality=95),
    "d.jpe": as_pillow("JPEG", quality=95),
    "e.dib": as_pillow("BMP"),
    "f.jp2": as_pillow("JPEG2000"),
    "g.ppm": as_pillow("PPM"),
    "h.tga": as_pillow("TGA"),
    "i.avif": as_pillow("AVIF", quality=100, subsampling="4:4:4"),
    "j.pgm": lambda path: Image.fromarray(GREY).save(path, "PPM"),
    "k.apng": lambda path: Image.fromarray(COLOUR).save(
        path, "PNG", save_all=True, append_images=[Image.fromarray(COLOUR[::-1])]
    ),
}


def test_formats_that_people_have_in_a_folder(folder, run):  # noqa: F811
    pathlib.Path("in").mkdir()
    for name, write in READ.items():
        write(f"in/{name}")
    code, out, err = run("in", "-o", "out")
    assert (code, err) == (0, "") and f"{len(READ)} of {len(READ)} upscaled" in out
    assert "note: in/k.apng: 2 pages or frames: the first one is taken" in out
    for name in READ:
        source = np.asarray(Image.open(f"in/{name}").convert("L" if name.endswith("pgm") else "RGB"))
        result = np.asarray(Image.open(f"out/{pathlib.Path(name).stem}_x3.png"))
        if source.ndim == 3:
            np.testing.assert_array_equal(result, expected_colour(source, random_model()))
        else:
            assert result.ndim == 2


def test_heic(folder, run):  # noqa: F811
    pillow_heif = pytest.importorskip("pillow_heif")
    heif = pillow_heif.from_pillow(Image.fromarray(COLOUR))
    heif.save("a.heic", quality=-1, chroma=444)
    code, out, err = run("a.heic")
    assert (code, err) == (0, "")
    source = np.asarray(pillow_heif.open_heif("a.heic").to_pillow().convert("RGB"))
    np.testing.assert_array_equal(np.asarray(Image.open("a_x3.png")), expected_colour(source, random_model()))


def test_heic_without_its_package(folder, run, monkeypatch):  # noqa: F811
    pathlib.Path("a.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(100))
    monkeypatch.setitem(__import__("sys").modules, "pillow_heif", None)
    code, out, err = run("a.heic")
    assert code == 2 and "a.heic is a heic, which pillow-heif reads; install it" in err


@pytest.mark.parametrize("bits", [1, 4, 8, 10, 12, 16])
def test_jpeg_2000_of_any_depth(tmp_path, bits):
    imagecodecs = pytest.importorskip("imagecodecs")
    values = np.random.default_rng(bits).integers(0, 1 << bits, (20, 30, 3))
    data = values.astype(np.uint8 if bits <= 8 else np.uint16)
    (tmp_path / "p.jp2").write_bytes(
        imagecodecs.jpeg2k_encode(data, bitspersample=bits, codecformat="jp2", reversible=True, level=0)
    )
    np.testing.assert_array_equal(imagecodecs.jpeg2k_decode((tmp_path / "p.jp2").read_bytes()), data)
    picture = read_picture(tmp_path / "p.jp2")
    full = 255 if bits <= 8 else 65535
    np.testing.assert_array_equal(picture.pixels, np.floor(values * full / ((1 << bits) - 1) + 0.5))


# --- names, and what is there already ----------------------------------------------------------------------------


def test_suffix(folder, run):  # noqa: F811
    assert run("img.bmp", "--suffix", "-large")[0] == 0 and pathlib.Path("img-large.png").exists()
    assert run("img.bmp", "-o", "out/", "--suffix", "-large", "--format", "webp")[0] == 0
    assert pathlib.Path("out/img-large.webp").exists()
    assert run("img.bmp", "--format", "tif")[0] == 0 and pathlib.Path("img_x3.tif").exists()
    code, out, err = run("img.bmp", "--suffix", "../x")
    assert code == 2 and "cannot stand behind a name" in err


def test_a_file_of_the_usual_name_is_not_replaced(folder, run):  # noqa: F811
    pathlib.Path("img_x3.png").write_text("mine")
    before = snapshot(folder)
    code, out, err = run("img.bmp")
    assert (
        code == 2
        and "img_x3.png is there already; give --overwrite to replace it" in err
        and snapshot(folder) == before
    )
    assert run("img.bmp", "--overwrite")[0] == 0
    np.testing.assert_array_equal(np.asarray(Image.open("img_x3.png")), expected())


def test_files_in_the_output_folder_that_no_run_made(folder, run):  # noqa: F811
    pathlib.Path("out").mkdir()
    pathlib.Path("out/img_x3.png").write_text("mine")
    code, out, err = run("img.bmp", "-o", "out")
    assert code == 1 and "out/img_x3.png is there already, and not as a run has left it; give --overwrite" in err
    assert pathlib.Path("out/img_x3.png").read_text() == "mine"
    assert run("img.bmp", "-o", "out", "--overwrite")[0] == 0
    cv2.imwrite("img.bmp", COLOUR[::-1])
    assert run("img.bmp", "-o", "out")[0] == 0  # ours may be replaced
    pathlib.Path("out/img_x3.png").write_text("retouched")
    code, out, err = run("img.bmp", "-o", "out")
    assert code == 1 and pathlib.Path("out/img_x3.png").read_text() == "retouched"


def test_strip(folder, run):  # noqa: F811
    exif = Image.Exif()
    exif[0x010F] = "A Maker"
    Image.fromarray(COLOUR).save("photo.jpg", exif=exif)
    assert run("photo.jpg", "-o", "kept.png")[0] == 0 and Image.open("kept.png").getexif()[0x010F] == "A Maker"
    assert run("photo.jpg", "-o", "gone.png", "--strip")[0] == 0 and not Image.open("gone.png").getexif()
    assert run("photo.jpg", "-o", "out/")[0] == 0
    assert "1 of 1 upscaled;" in run("photo.jpg", "-o", "out/", "--strip")[1]  # other bytes: made anew
    assert not Image.open("out/photo_x3.png").getexif()


def test_a_note_is_said_once_per_run(folder, run):  # noqa: F811
    pathlib.Path("in").mkdir()
    for name in "abc":
        Image.fromarray(np.dstack([COLOUR, GREY])).save(f"in/{name}.png")
    code, out, err = run("in", "-o", "out", "--format", "jpg")
    assert code == 0 and len(re.findall("note: in/.: .jpg holds no transparency", out.replace(".png", ""))) == 1
    assert "note: so for 3 files: .jpg holds no transparency" in out


def test_small_tiles_are_warned_of(folder, run):  # noqa: F811
    code, out, err = run("img.bmp", "-o", "a.png", "--tile", "1")
    assert code == 0 and "note: tiles of 1x1 pixels compute 169 times what the picture needs" in out
    code, out, err = run("img.bmp", "-o", "a.png", "--tile", "1", "--json")
    assert events(out)[0]["event"] == "note" and "tiles of 1x1 pixels" in events(out)[0]["text"]
    assert "note: tiles" not in run("img.bmp", "-o", "b.png", "--tile", "64")[1]


def test_one_file_and_more(folder, run):  # noqa: F811
    assert "1 file -> out:" in run("img.bmp", "-o", "out/")[1]
    cv2.imwrite("b.png", COLOUR)
    assert "2 files -> out:" in run("img.bmp", "b.png", "-o", "out")[1]


# --- dry runs ------------------------------------------------------------------------------------------------------


def test_dry_run_says_what_would_be_done(folder, run):  # noqa: F811
    pathlib.Path("in/sub").mkdir(parents=True)
    cv2.imwrite("in/a.png", COLOUR)
    cv2.imwrite("in/sub/b.jpg", COLOUR)
    pathlib.Path("in/broken.png").write_text("no picture")
    before = snapshot(folder)
    code, out, err = run("in", "-o", "out", "--dry-run")
    assert code == 1 and "broken.png is not a readable" in err and snapshot(folder) == before
    assert re.search(r"in/sub/b.jpg 19x14 -> out/sub/b_x3.png 57x42: about [0-9.]+ s, 120 MB\n", out)
    assert re.search(r"\n2 files would be upscaled in about [0-9.]+ s by .* \([0-9.]+ Mpixel/s measured", out)
    code, out, err = run("img.bmp", "--dry-run")
    assert (code, err) == (0, "") and "1 file would be upscaled" in out and snapshot(folder) == before


def test_dry_run_knows_what_would_be_replaced_or_refused(folder, run):  # noqa: F811
    pathlib.Path("o.png").write_text("old")
    assert "replaces what is there" in run("img.bmp", "-o", "o.png", "--dry-run")[1]
    code, out, err = run("img.bmp", "-o", "img.bmp", "--dry-run")
    assert code == 1 and "is the input" in err
    assert pathlib.Path("o.png").read_text() == "old"


# --- lines for programs --------------------------------------------------------------------------------------------


def events(out):
    return [json.loads(line) for line in out.splitlines()]


def test_events_of_one_picture(folder, run):  # noqa: F811
    cv2.imwrite("alpha.png", np.dstack([COLOUR, GREY]))
    code, out, err = run("alpha.png", "-o", "out.jpg", "--json", "--tile", "16")
    found = events(out)
    assert (code, err) == (0, "")
    names = [event["event"] for event in found]
    assert [name for name in names if name != "progress"] == ["start", "file", "note", "done", "end"]
    assert found[0] | {"files": 1, "network": "srcnn915", "upscale": 3} == found[0]
    assert found[1] == {
        "event": "file",
        "source": "alpha.png",
        "output": "out.jpg",
        "size": [19, 14],
        "result": [57, 42],
    }
    last = [event for event in found if event["event"] == "progress"][-1]
    assert last == {"event": "progress", "source": "alpha.png", "done": 57 * 42, "total": 57 * 42}
    assert found[-1]["done"] == 1 and found[-1]["failed"] == 0


def test_events_of_a_folder(folder, run, monkeypatch):  # noqa: F811
    monkeypatch.setattr("host.picture.backends._fastest_here", GoldenBackend)
    pathlib.Path("in").mkdir()
    for name in "abc":
        cv2.imwrite(f"in/{name}.png", COLOUR)
    pathlib.Path("in/broken.png").write_text("no picture")
    code, out, err = run("in", "-o", "out", "--json")
    found = events(out)
    assert code == 1 and found[0]["event"] == "start" and found[-1]["event"] == "end"
    assert [event["source"] for event in found if event["event"] == "file"] == ["in/a.png", "in/b.png", "in/c.png"]
    assert [event["source"] for event in found if event["event"] == "done"] == ["in/a.png", "in/b.png", "in/c.png"]
    for name in "abc":
        progress = [e for e in found if e["event"] == "progress" and e["source"] == f"in/{name}.png"]
        assert progress[-1]["done"] == progress[-1]["total"] == 57 * 42
    assert [e["text"] for e in found if e["event"] == "error"][0].startswith("in/broken.png is not a readable")
    assert found[-1] | {"done": 3, "failed": 1, "before": 0} == found[-1]


def test_an_error_is_an_event_as_well(folder, run):  # noqa: F811
    code, out, err = run("none.png", "--json")
    assert code == 2 and err.startswith("error: there is no file none.png")
    assert events(out) == [{"event": "error", "source": None, "text": err.removeprefix("error: ").rstrip("\n")}]
