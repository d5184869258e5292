"""The page of --page: what is on it, pixel by pixel, that it fetches nothing, and that it replaces no input."""

import base64
import hashlib
import html.parser
import io
import json
import pathlib
import re
import shutil

import cv2
import numpy as np
import pytest
from PIL import Image

from host.show import before_after, page
from model.imaging.files import Picture, read_picture
from tests.host.test_run_pynq import COLOUR, folder, run, snapshot  # noqa: F401 (fixtures)
from tests.random_models import random_model


class Reader(html.parser.HTMLParser):
    """Collects a page's blocks of JSON by the name they are listed under, its scripts and styles, and its tags."""

    def __init__(self, text):
        super().__init__()
        self.items, self.scripts, self.styles, self.tags, self._open = {}, [], [], [], None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self._open = tag, dict(attributes)
        self.tags.append(self._open)

    def handle_data(self, data):
        tag, attributes = self._open or ("", {})
        if tag == "script" and attributes.get("type") == "application/json":
            self.items[attributes["data-picture"]] = json.loads(data)
        elif tag in ("script", "style"):
            (self.scripts if tag == "script" else self.styles).append(data)

    def handle_endtag(self, tag):
        self._open = None


def read(path):
    return Reader(pathlib.Path(path).read_text(encoding="utf-8"))


def pixels(panel):
    """Decode a panel's picture, by Pillow alone."""
    kind, data = panel["src"].split(",", 1)
    assert kind == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data, validate=True))))


def test_a_picture_and_its_original(folder, run):  # noqa: F811
    truth = np.ascontiguousarray(cv2.resize(COLOUR, (59, 42)))
    Image.fromarray(truth).save("truth.png")
    code, out, err = run("img.bmp", "--page", "look.html", "--truth", "truth.png")
    size = pathlib.Path("look.html").stat().st_size
    assert (code, err) == (0, "") and f"wrote look.html, 1 picture, {size / 1e6:.1f} MB\n" in out
    (item,) = read("look.html").items.values()
    assert (item["name"], item["width"], item["height"]) == ("img.bmp", 57, 42)
    assert [panel["name"] for panel in item["panels"]] == ["bicubic", "SRCNN", "original"]
    known = before_after.compare(Picture(COLOUR), read_picture("img_x3.png"), Picture(truth))
    for panel, expected in zip(item["panels"], known, strict=True):
        np.testing.assert_array_equal(pixels(panel), expected.picture.pixels)
        assert panel["caption"] == expected.caption
    assert re.fullmatch(r"bicubic  \d+\.\d\d dB", item["panels"][0]["caption"])
    np.testing.assert_array_equal(pixels(item["panels"][1]), np.asarray(Image.open("img_x3.png")))
    assert "19x14 -> 57x42 on " in item["about"] and "compute" in item["about"]


def test_without_an_original_there_is_no_psnr(folder, run):  # noqa: F811
    assert run("img.bmp", "--page", "look.htm", "--quiet")[:2] == (0, "")
    (item,) = read("look.htm").items.values()
    assert [panel["caption"] for panel in item["panels"]] == ["bicubic", "SRCNN"]


def test_transparency_and_profile_are_shown(tmp_path):
    rng = np.random.default_rng(5)
    grey, alpha = rng.integers(0, 256, (2, 6, 9)).astype(np.uint8)
    image = Image.open(io.BytesIO(page.encode_png(Picture(grey, alpha, b"a profile"))))
    np.testing.assert_array_equal(np.asarray(image), np.dstack([grey, alpha]))
    assert image.info["icc_profile"] == b"a profile"


def test_several_pictures_and_their_originals(folder, run):  # noqa: F811
    for path in ("in/a.bmp", "in/sub/c.bmp", "in/b.png"):
        pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy("img.bmp", path)
    Image.fromarray(COLOUR).save("in/b.png")
    pathlib.Path("true").mkdir()
    Image.fromarray(cv2.resize(COLOUR, (57, 42))).save("true/b.tif")
    Image.fromarray(COLOUR).save("true/a.png")  # of another size
    code, out, err = run("in", "-o", "out", "--page", "look.html", "--truth", "true")
    assert (code, err) == (0, "") and "wrote look.html, 3 pictures" in out
    assert out.count("give the picture that the input was shrunk from") == 1
    assert "there is no original of c.bmp in true; put one there that is called c.*" in out
    items = read("look.html").items
    assert list(items) == ["a.bmp", "b.png", "sub/c.bmp"]
    assert [len(item["panels"]) for item in items.values()] == [2, 3, 2]
    np.testing.assert_array_equal(pixels(items["b.png"]["panels"][1]), np.asarray(Image.open("out/b_x3.png")))
    # what an earlier run has finished is on the page, too; what failed in this one is not
    pathlib.Path("in/d.png").write_bytes(b"no picture")
    code, out, err = run("in", "-o", "out", "--page", "look.html")
    assert code == 1 and "3 finished before, 1 failed" in out and list(read("look.html").items) == list(items)


def test_nothing_is_fetched_and_nothing_else_runs(folder, run):  # noqa: F811
    run("img.bmp", "--page", "look.html")
    text, reader = pathlib.Path("look.html").read_text(), read("look.html")
    policy = next(attributes["content"] for tag, attributes in reader.tags if attributes.get("http-equiv"))
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'" and rules["img-src"] == "data:"
    for kind, texts in (("script-src", reader.scripts), ("style-src", reader.styles)):
        (content,) = texts
        assert rules[kind] == f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
    assert not re.search(r"https?://|@import|url\(", text)
    assert not [tag for tag, attributes in reader.tags if tag == "link" or {"src", "href"} & set(attributes)]


@pytest.mark.parametrize("name", ["</script><script>alert(1)</script>", "a&b \"c\" 'd' <!--", "ü 猫 \u2028"])
def test_names_are_only_text(tmp_path, name):
    panels = before_after.compare(Picture(COLOUR), Picture(cv2.resize(COLOUR, (38, 28))))
    page.write_page(tmp_path / "look.html", [page.Item(name, panels, name)], name)
    reader = read(tmp_path / "look.html")
    assert len(reader.scripts) == 1 and list(reader.items) == [name]
    assert (reader.items[name]["name"], reader.items[name]["about"]) == (name, name)


def test_the_notebook_s_text_is_the_file(tmp_path):
    panels = before_after.compare(Picture(COLOUR), Picture(cv2.resize(COLOUR, (38, 28))))
    items = [page.Item("a", panels), page.Item("b", panels)]
    assert page.write_page(tmp_path / "look.html", items, "title")[0] == 2
    assert (tmp_path / "look.html").read_text() == page.page_text(items, "title")


BAD = {
    "another kind of file": (["img.bmp", "--page", "look.png"], "the page's extension is .png; choose .html or .htm"),
    "an input": (["img.html", "--page", "img.html"], "the output img.html is the input"),
    "an input by another name": (["img.html", "--page", "link.html"], "the output link.html is the input"),
    "an input in a folder": (["in", "-o", "out/", "--page", "in/img.html"], "no pictures and no videos in in"),
    "the original": (
        ["img.bmp", "--page", "truth.html", "--truth", "truth.html"],
        "the output truth.html is the input",
    ),
    "no folder": (["img.bmp", "--page", "none/look.html"], "the folder none does not exist"),
    "a video": (["clip.mp4", "--page", "look.html"], "show pictures, not videos"),
    "originals without a page": (["img.bmp", "--compare", "--truth", "in"], "in is a folder"),
    "one original for many": (
        ["img.bmp", "in", "-o", "out/", "--page", "look.html", "--truth", "truth.html"],
        "folder",
    ),
    "originals without this one": (
        ["img.bmp", "--page", "look.html", "--truth", "none/"],
        "there is no original of img.bmp in none",
    ),
    "another size": (["img.bmp", "--page", "look.html", "--truth", "img.html"], "the original has 19x14 pixels"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_input_is_one_sentence_and_changes_nothing(folder, run, what):  # noqa: F811
    for name in ("img.html", "truth.html", "in/img.html", "clip.mp4"):
        pathlib.Path(name).parent.mkdir(exist_ok=True)
        shutil.copy("img.bmp", name)
    pathlib.Path("link.html").symlink_to("img.html")
    if what == "originals without this one":
        pathlib.Path("none").mkdir()
    before, (arguments, says) = snapshot(folder), BAD[what]
    code, out, err = run(*arguments)
    assert code == 2 and says in err and err.count("\n") == 1 and snapshot(folder) == before


def test_a_full_disk_leaves_nothing(folder, run, monkeypatch):  # noqa: F811
    monkeypatch.setattr(page, "_block", lambda item: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    code, out, err = run("img.bmp", "--page", "look.html")
    assert code == 2 and err == "error: cannot write look.html: No space left on device; choose another output\n"
    assert sorted(path.name for path in folder.iterdir()) == ["img.bmp", "img_x3.png"]


def test_the_best_possible_result(tmp_path):
    """As good as the original: no finite PSNR, and still valid JSON."""
    model = random_model()
    picture = Picture(np.full((4, 4), 7, np.uint8))
    result = Picture(np.full((4 * model.upscale,) * 2, 7, np.uint8))
    page.write_page(tmp_path / "p.html", [page.Item("a", before_after.compare(picture, result, result))], "t")
    assert read(tmp_path / "p.html").items["a"]["panels"][1]["caption"] == "SRCNN  inf dB"


def test_a_frame_in_a_notebook(tmp_path):
    """Its text is the page, and what is in it cannot end it."""
    panels = before_after.compare(Picture(COLOUR), Picture(cv2.resize(COLOUR, (38, 28))))
    items = [page.Item('"></iframe><script>alert(1)</script>', panels)]
    reader = Reader(page.notebook_frame(items, "t"))
    ((tag, attributes),) = reader.tags
    assert (
        tag == "iframe"
        and attributes["srcdoc"] == page.page_text(items, "t")
        and attributes["sandbox"] == "allow-scripts"
    )
