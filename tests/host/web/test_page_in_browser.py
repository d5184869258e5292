"""The page of --page in a real browser: slider, zoom, pan, loupe, several pictures, by mouse, finger and keyboard."""

import io
import re

import numpy as np
import pytest
from PIL import Image

from host.show import page as show_page
from host.show.before_after import Panel
from model.imaging.files import Picture
from tests.host.web.browsers import chromium, open_page  # noqa: F401 (fixtures)

WIDTH, HEIGHT = 120, 80
RNG = np.random.default_rng(2)
RED, BLUE = (220, 30, 20), (20, 40, 210)
EVIL = "</script><img src=x onerror=alert(1)>"


def panels(pictures, psnr=None):
    names = ("bicubic", "SRCNN", "original")
    return [Panel(name, Picture(pixels), pixels[:, :, 0], psnr) for name, pixels in zip(names, pictures)]


def plain(colour):
    return np.full((HEIGHT, WIDTH, 3), colour, np.uint8)


NOISE = RNG.integers(0, 256, (3, HEIGHT, WIDTH, 3)).astype(np.uint8)


@pytest.fixture
def address(tmp_path):
    """A page with a plain picture, one of noise, and one with an evil name."""
    items = [
        show_page.Item("plain.png", panels([plain(RED), plain(BLUE)])),
        show_page.Item("noise.png", panels(NOISE, 12.345), "some words"),
        show_page.Item(EVIL, panels([plain(RED), plain(BLUE)]), EVIL),
    ]
    show_page.write_page(tmp_path / "look.html", items, EVIL)
    return (tmp_path / "look.html").as_uri()


def colours(page):
    """The stage as it is seen, uint8 (H, W, 3)."""
    return np.asarray(Image.open(io.BytesIO(page.locator(".stage").screenshot())).convert("RGB")).astype(int)


def split(page):
    """Where red becomes blue, as a share of the stage's width, in a row without the slider's handle."""
    shown = colours(page)
    row = shown[shown.shape[0] * 2 // 5]
    red, blue = (np.flatnonzero(np.abs(row - colour).sum(axis=1) < 12) for colour in (RED, BLUE))
    assert len(red) == 0 or len(blue) == 0 or red.max() < blue.min()
    return (red.max() if len(red) else 0) / len(row)


def state(page):
    """(zoom in screen pixels per picture pixel, left, top)."""
    text = page.locator(".layer.left img").evaluate("image => image.style.transform")
    x, y, zoom = re.fullmatch(r"translate\((.+)px, (.+)px\) scale\((.+)\)", text).groups()
    return float(zoom), float(x), float(y)


def test_nothing_but_the_file_is_asked_for(address, open_page):  # noqa: F811
    page = open_page(address, offline=True)
    assert page.locator("h1").text_content() == EVIL
    assert page.requested[0] == address and all(url.startswith("data:image/png") for url in page.requested[1:])
    assert [button.text_content() for button in page.locator("#pictures button").all()] == [
        "plain.png",
        "noise.png",
        EVIL,
    ]


def test_the_slider(address, open_page):  # noqa: F811
    page = open_page(address)
    assert split(page) == pytest.approx(0.5, abs=0.01)
    page.locator(".slider").focus()  # as any slider, by its own keys
    for _ in range(100):
        page.keyboard.press("ArrowRight")
    assert split(page) == pytest.approx(0.6, abs=0.01)
    page.locator(".stage").focus()
    for key in (",", ",", ".", "<"):
        page.keyboard.press(key)
    assert split(page) == pytest.approx(0.49, abs=0.01)
    box = page.locator(".stage").bounding_box()
    page.mouse.move(box["x"] + 0.49 * box["width"], box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 100)
    page.mouse.up()
    assert split(page) == pytest.approx(0.3, abs=0.01)
    assert state(page)[0] == pytest.approx(min(box["width"] / WIDTH, box["height"] / HEIGHT), rel=0.01)  # not moved
    page.keyboard.press("x")
    shown = colours(page)
    assert np.abs(shown[shown.shape[0] // 4, shown.shape[1] // 4] - BLUE).sum() < 12
    page.locator("select").first.select_option("SRCNN")
    page.locator("select").last.select_option("SRCNN")
    assert split(page) == 0  # blue on both sides


def test_zoom_and_pan(address, open_page):  # noqa: F811
    page = open_page(address)
    fit, x, y = state(page)
    box = page.locator(".stage").bounding_box()
    point = 300, 200
    under = [(at - from_) / fit for at, from_ in zip(point, (x, y))]
    page.mouse.move(box["x"] + 1 + point[0], box["y"] + 1 + point[1])
    page.mouse.wheel(0, -400)
    page.wait_for_function(
        "before => document.querySelector('.scale').textContent !== before", arg=f"{round(fit * 100)} %"
    )
    zoom, x, y = state(page)
    assert zoom > 1.5 * fit
    np.testing.assert_allclose([(at - from_) / zoom for at, from_ in zip(point, (x, y))], under, atol=0.5)
    page.mouse.down()
    page.mouse.move(box["x"] + 1 + point[0] + 50, box["y"] + 1 + point[1] - 30)
    page.mouse.up()
    np.testing.assert_allclose(state(page), (zoom, x + 50, y - 30), atol=0.01)
    page.locator(".stage").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowUp")
    np.testing.assert_allclose(state(page), (zoom, x + 30, y + 170), atol=0.01)
    page.keyboard.press("1")
    assert state(page)[0] == 1 and page.locator(".scale").text_content() == "100 %"
    page.keyboard.press("+")
    assert state(page)[0] == 1.5
    page.get_by_role("button", name="smaller").click()
    assert state(page)[0] == pytest.approx(1)
    for _ in range(40):
        page.keyboard.press("ArrowLeft")  # some of the picture always stays in view
    assert state(page)[1] <= box["width"] - 40
    page.keyboard.press("0")
    assert state(page)[0] == fit
    page.set_viewport_size({"width": 500, "height": 700})  # what is fitted stays fitted
    page.wait_for_function("() => parseInt(document.querySelector('.scale').textContent) < 420")
    assert state(page)[0] == pytest.approx(page.locator(".stage").evaluate("stage => stage.clientWidth") / WIDTH)


def test_the_loupe_shows_pixels(address, open_page):  # noqa: F811
    page = open_page(address)
    page.locator("#pictures button").nth(1).click()
    page.locator(".stage").focus()
    page.keyboard.press("l")
    column, row = map(int, re.findall(r"\d+", page.locator(".where").text_content()))
    assert (column, row) == (WIDTH // 2, HEIGHT // 2)
    for key in ("ArrowRight", "ArrowRight", "Shift+ArrowDown", "ArrowUp"):
        page.keyboard.press(key)
    column, row = column + 2, row + 9
    assert page.locator(".where").text_content() == f"pixel {column}, {row}"
    page.wait_for_function("() => !document.querySelector('.loupe').textContent.includes('…')")
    values = [
        [int(value) for value in figure.text_content().split()] for figure in page.locator(".loupe .values").all()
    ]
    np.testing.assert_array_equal(values, NOISE[:, row, column])
    # and around it: 17 x 17 pixels, 8 times as large, those of the three pictures
    for index in range(3):
        pixels = (
            page.locator(".loupe canvas")
            .nth(index)
            .evaluate("canvas => [...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data]")
        )
        enlarged = np.array(pixels, np.uint8).reshape(136, 136, 4)[4::8, 4::8, :3]
        np.testing.assert_array_equal(enlarged, NOISE[index, row - 8 : row + 9, column - 8 : column + 9])
    box = page.locator(".stage").bounding_box()
    zoom, x, y = state(page)
    page.mouse.move(box["x"] + 1 + x + 10.5 * zoom, box["y"] + 1 + y + 20.5 * zoom)
    assert page.locator(".where").text_content() == "pixel 10, 20"
    for _ in range(3):
        page.keyboard.press("Shift+ArrowLeft")
    assert page.locator(".where").text_content() == "pixel 0, 20"


def test_several_pictures(address, open_page):  # noqa: F811
    page = open_page(address)
    current = page.locator("#pictures [aria-current=true]")
    assert current.text_content() == "plain.png" and page.locator(".caption.left").text_content() == "bicubic"
    page.keyboard.press("n")
    assert current.text_content() == "noise.png"
    assert page.locator(".caption.right").text_content() == "SRCNN  12.35 dB"
    assert page.locator("#about").text_content() == "some words"
    assert page.locator("select").first.locator("option").all_text_contents() == ["bicubic", "SRCNN", "original"]
    page.keyboard.press("p")
    page.keyboard.press("PageUp")
    assert current.text_content() == page.locator("#about").text_content() == EVIL
    assert page.locator(".layer.left img").get_attribute("alt") == f"{EVIL}: bicubic"


def test_on_a_phone_with_fingers(address, open_page):  # noqa: F811
    page = open_page(address, viewport={"width": 360, "height": 640}, has_touch=True, device_scale_factor=2)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    for button in page.locator("button, select").all():
        assert button.bounding_box()["height"] >= 30
    fit = state(page)[0]
    box = page.locator(".stage").bounding_box()
    fingers = page.context.new_cdp_session(page)

    def touch(kind, *points):
        places = [{"x": box["x"] + x, "y": box["y"] + y, "id": i} for i, (x, y) in enumerate(points)]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": places})

    touch("touchStart", (100, 100))
    touch("touchStart", (100, 100), (140, 100))
    touch("touchMove", (80, 100), (160, 100))
    touch("touchEnd")
    assert state(page)[0] == pytest.approx(2 * fit, rel=0.05)
    page.get_by_role("button", name="whole picture").click()
    touch("touchStart", (box["width"] / 2, 50))
    touch("touchMove", (box["width"] * 0.8, 50))
    touch("touchEnd")
    assert split(page) == pytest.approx(0.8, abs=0.02)
    page.get_by_role("button", name="loupe").click()
    touch("touchStart", (20, box["height"] / 2))
    touch("touchEnd")
    assert page.locator(".where").text_content() != f"pixel {WIDTH // 2}, {HEIGHT // 2}"
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
