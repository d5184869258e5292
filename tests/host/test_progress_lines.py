"""Progress as lines of JSON: every line is an object with an event, and not too many of them."""

import io
import json
import pathlib

import pytest

from host.jobs.progress_lines import ProgressLines


def lines(stream):
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_every_line_is_an_object_with_an_event():
    stream = io.StringIO()
    printer = ProgressLines(stream)
    printer.emit("file", source=pathlib.Path("ä\n.png"), size=[3, 4])
    printer.emit("note", source="a.png", text='a "note"\nof two lines')
    assert lines(stream) == [
        {"event": "file", "source": "ä\n.png", "size": [3, 4]},
        {"event": "note", "source": "a.png", "text": 'a "note"\nof two lines'},
    ]
    assert stream.getvalue().isascii()


def test_a_name_that_is_no_text():
    stream = io.StringIO()
    ProgressLines(stream).emit("done", source=pathlib.Path("a\udcff.png"))
    assert lines(stream)[0]["source"] == "a\udcff.png"


def test_progress_is_printed_now_and_then_and_at_the_end():
    stream, now = io.StringIO(), [0.0]
    printer = ProgressLines(stream, every_s=1, clock=lambda: now[0])
    for done in range(1, 101):
        now[0] += 0.1
        printer.progress("a.png", done, 100)
    assert [line["done"] for line in lines(stream)][-1] == 100
    assert 9 <= len(lines(stream)) <= 12
    assert all(line["total"] == 100 and line["source"] == "a.png" for line in lines(stream))


def test_unknown_events_are_a_mistake():
    with pytest.raises(ValueError, match="no event"):
        ProgressLines(io.StringIO()).emit("begin")
