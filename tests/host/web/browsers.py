"""A real browser without a screen, Debian's chromium driven by Playwright; tests are skipped without."""

import pytest

from host.measure.screenshot import find_browser, open_browser


@pytest.fixture(scope="module")
def chromium():
    """A running browser."""
    pytest.importorskip("playwright.sync_api", reason="the pages' tests need playwright: make setup")
    path = find_browser()
    if path is None:
        pytest.skip("the pages' tests need a browser: apt-get install chromium-headless-shell")
    with open_browser(path) as browser:
        yield browser


@pytest.fixture
def open_page(chromium):
    """Return a function that opens an address in a browser of its own; whatever it complains about fails the test."""
    contexts, complaints = [], []

    def open_it(address, allowed=(), **options):
        context = chromium.new_context(**{"viewport": {"width": 1000, "height": 800}, **options})
        contexts.append(context)
        context.set_default_timeout(30_000)
        page = context.new_page()
        page.requested = []

        def complain(text):
            if not any(word in text for word in allowed):
                complaints.append(text)

        page.on("request", lambda request: page.requested.append(request.url))
        page.on("console", lambda message: complain(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complain(str(error)))
        page.on("dialog", lambda dialog: (complain(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.goto(address)
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert complaints == []
