"""`make choose`: what keeps up is what the cycle model says, quality is on record or unknown, refusals have numbers."""

import json

import pytest
from click.testing import CliRunner

from hls.design.boards import read_board
from hls.report import choose
from model.base.errors import UserError
from model.graph.family import family_network


def test_the_networks_of_the_boards_are_among_those_that_keep_up():
    for board, upscale, size, name in (
        ("pynq_z2", 2, "1080p", "abpn8m2"),
        ("pynq_z2", 3, "1080p", "abpn8m5"),
        ("pynq_z2", 4, "1080p", "abpn12m4"),
        ("kv260", 2, "4k", "abpn12m3"),
        ("kv260", 3, "4k", "abpn16m4"),
        ("kv260", 4, "4k", "abpn18m6"),
    ):
        network = family_network(choose.family_member(name), upscale)
        (row,) = choose.choose(read_board(board), upscale, *choose.SIZES[size], 60, [network])
        assert row["fits"] and row["fps"] >= 60 and row["dsp"] <= (212 if board == "pynq_z2" else 1200), row


def test_no_member_that_keeps_up_costs_more_than_the_dsps_can_give():
    board = read_board("pynq_z2")
    rows = choose.choose(board, 2, 1920, 1080, 60, choose.family(2)[::6])
    assert rows and all(row["products_per_pixel"] <= choose.products_limit(board, 1920, 1080, 60) for row in rows)
    assert all(row["lut"] <= board["budget"]["lut"] - board["reserve"]["lut"] for row in rows)


def test_quality_comes_from_trainings_alone(monkeypatch, tmp_path):
    choose.quality.cache_clear()
    monkeypatch.setattr(choose, "FOLDER", tmp_path)
    assert set(choose.quality("abpn6m7", 2).values()) == {None}, "no training of it is on record"
    known = {"abpn6m1": 37.1, "abpn6m2": 37.3}
    monkeypatch.setattr(choose, "quality", lambda name, _: {"validation_psnr": known.get(name)})
    networks = [family_network(choose.Member(6, middle), 2) for middle in (0, 1, 2)]
    rows = choose.choose(read_board("pynq_z2"), 2, 1920, 1080, 60, networks)
    assert [row["network"] for row in rows if row["chosen"]] == ["abpn6m2"]


def test_what_does_not_keep_up_is_refused_with_the_nearest_that_does():
    with pytest.raises(
        UserError,
        match=r"abpn18m6 takes 4,648 products per pixel, DSPs and LUTs give at most 1,\d\d\d; "
        r"the nearest that does is abpn8m3",
    ):
        choose.choose(read_board("pynq_z2"), 2, 1920, 1080, 60, [family_network(choose.Member(18, 6), 2)])
    with pytest.raises(
        UserError, match="none of the family does: choose a smaller size, fewer frames or a larger board"
    ):
        choose.choose(read_board("pynq_z2"), 2, 3840, 2160, 500, choose.family(2)[:2])


def test_the_command_writes_its_report(monkeypatch, tmp_path):
    monkeypatch.setattr("model.base.report.BUILD", tmp_path)
    done = CliRunner().invoke(choose.main, ["--board", "pynq_z2", "--upscale", "2", "--network", "abpn8m2"])
    assert done.exit_code == 0, done.output
    (row,) = json.loads((tmp_path / "reports" / "choose.json").read_text())
    assert (row["network"], row["size"], row["fits"]) == ("abpn8m2", "1920x1080", True)


@pytest.mark.parametrize(
    "arguments, says",
    [
        (["--size", "big"], "is no size of video"),
        (["--network", "srcnn915"], "is no member of the family"),
        (["--board", "nexys"], "there is no board 'nexys'"),
    ],
)
def test_bad_input_is_one_sentence(arguments, says):
    done = CliRunner().invoke(choose.main, arguments)
    assert done.exit_code == 2 and says in done.output
