"""Network descriptions: what is refused, and how."""

import numpy as np
import pytest

from host.picture.backends import open_backend
from model.base.errors import UserError
from model.graph.description import list_networks, load_network
from model.graph.kinds import Conv
from model.graph.network import Network
from model.integer.examples import random_model

GOOD = (
    'name = "n"\n[[layers]]\nname = "a"\nk = 3\nout_ch = 4\nrelu = true\n[[layers]]\nname = "b"\nk = 1\nout_ch = '
    "1\nrelu = false\n"
)


def write(tmp_path, text):
    path = tmp_path / "n.toml"
    path.write_text(text)
    return str(path)


def test_a_description_of_ones_own(tmp_path):
    network = load_network(write(tmp_path, GOOD))
    assert [layer.in_ch for layer in network.layers] == [1, 4]
    assert network.halo == 1
    assert network.macs_per_pixel == 9 * 4 + 4


def test_layers_are_a_graph_over_named_tensors(tmp_path):
    network = load_network(write(tmp_path, GOOD.replace("k = 1", 'k = 1\ninput = "a"')))
    assert network == load_network(write(tmp_path, GOOD)), "a layer reads the one before it if nothing is said"
    assert [layer.inputs for layer in network.layers] == [("input",), ("a",)]
    assert {name: (tensor.channels, tensor.shrink, tensor.scale) for name, tensor in network.tensors.items()} == {
        "input": (1, 0, 1),
        "a": (4, 2, 1),
        "b": (1, 2, 1),
    }


def test_channels_have_to_meet():
    with pytest.raises(UserError, match="n: layer b takes 3 channels, a has 4; make them equal"):
        Network("n", (Conv("a", 1, 1, 4, "relu"), Conv("b", 1, 3, 1, "none")))


def test_who_needs_a_picture_refuses_other_outputs(tmp_path):
    network = load_network(write(tmp_path, GOOD.replace("out_ch = 1", "out_ch = 3")))
    assert network.out_ch == 3
    with pytest.raises(UserError, match="n gives 3 channels per pixel, this needs one that gives Y alone"):
        open_backend("golden", random_model(network, np.random.default_rng(0)))


def test_the_three_networks_of_the_paper_are_described():
    assert list_networks("upscaled") == ["srcnn915", "srcnn935", "srcnn955"]
    assert [load_network(n).halo for n in list_networks("upscaled")] == [6, 7, 8]


@pytest.mark.parametrize(
    "old, new, message",
    [
        ("k = 3", "k = 4", "k has to be odd"),
        ("k = 3", "k = -1", "k has to be odd"),
        ("out_ch = 4", "out_ch = 0", "both positive"),
        ("k = 1", 'k = 1\ninput = "c"', "reads 'c'; it reads one tensor that stands before it: input, a"),
        ("k = 1", 'k = 1\ninput = "b"', "reads 'b'"),
        ("k = 1", 'k = 1\ninput = ["a"]', "it is the name of one tensor"),
        ("k = 1", 'k = 1\ninput = "input"', "nothing reads a of n"),
        ('name = "b"', 'name = "input"', "have the same name 'input'"),
        ("k = 3", "", "lacks the key 'k'"),
        ("[[layers]]", "[[layer]]", "lacks the key 'layers'"),
        ("k = 3", "k = ", "not valid TOML"),
        ("k = 3", 'k = "3"', "whole number"),
        ("out_ch = 4", "out_ch = 4.5", "whole number"),
    ],
)
def test_broken_descriptions_are_refused(tmp_path, old, new, message):
    with pytest.raises(UserError, match=message):
        load_network(write(tmp_path, GOOD.replace(old, new, 1 if old != "[[layers]]" else 2)))


@pytest.mark.parametrize(
    "old, new",
    [
        ('name = "n"', 'name = "../n"'),
        ('name = "a"', 'name = "a b"'),
        ('name = "b"', 'name = "a"'),
        ("k = 3", "k = true"),
    ],
)
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
