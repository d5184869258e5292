"""Network descriptions: what is refused, and how."""

import pytest

from model.base.errors import UserError
from model.graph.network import list_networks, load_network

GOOD = 'name = "n"\n[[layers]]\nname = "a"\nk = 3\nout_ch = 4\nrelu = true\n[[layers]]\nname = "b"\nk = 1\nout_ch = 1\nrelu = false\n'


def write(tmp_path, text):
    path = tmp_path / "n.toml"
    path.write_text(text)
    return str(path)


def test_a_description_of_ones_own(tmp_path):
    network = load_network(write(tmp_path, GOOD))
    assert [layer.in_ch for layer in network.layers] == [1, 4]
    assert network.halo == 1
    assert network.macs_per_pixel == 9 * 4 + 4


def test_the_three_networks_are_described():
    assert list_networks() == ["srcnn915", "srcnn935", "srcnn955"]
    assert [load_network(n).halo for n in list_networks()] == [6, 7, 8]


@pytest.mark.parametrize("old, new, message", [
    ("k = 3", "k = 4", "k has to be odd"),
    ("k = 3", "k = -1", "k has to be odd"),
    ("out_ch = 4", "out_ch = 0", "both positive"),
    ("out_ch = 1", "out_ch = 3", "out_ch = 1"),
    ("k = 3", "", "lacks the key 'k'"),
    ("[[layers]]", "[[layer]]", "lacks the key 'layers'"),
    ("k = 3", "k = ", "not valid TOML"),
    ("k = 3", 'k = "3"', "whole number"),
    ("out_ch = 4", "out_ch = 4.5", "whole number"),
])
def test_broken_descriptions_are_refused(tmp_path, old, new, message):
    with pytest.raises(UserError, match=message):
        load_network(write(tmp_path, GOOD.replace(old, new, 1 if old != "[[layers]]" else 2)))


@pytest.mark.parametrize("old, new", [('name = "n"', 'name = "../n"'), ('name = "a"', 'name = "a b"'), ('name = "b"', 'name = "a"'), ("k = 3", "k = true")])
def test_names_and_numbers_that_would_break_files_or_cpp_are_refused(tmp_path, old, new):
    with pytest.raises(UserError):
        load_network(write(tmp_path, GOOD.replace(old, new, 1)))


def test_unreadable_descriptions_are_refused(tmp_path):
    (tmp_path / "n.toml").write_bytes(b"\xff\xfe\x00")
    for name in (str(tmp_path / "n.toml"), str(tmp_path / "none.toml"), "x" * 300, "../srcnn915"):
        with pytest.raises(UserError):
            load_network(name)
    with pytest.raises(UserError, match="no list"):
        load_network(write(tmp_path, "layers = 5"))
