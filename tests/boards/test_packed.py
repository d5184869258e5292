"""The overlays that come with the checkout: whole, for this description of the network, and never said to have run."""

import json
import zipfile

import pytest

from bitstreams.open import pack
from host.board import overlay, packed
from model.base.errors import UserError
from model.base.paths import ROOT

OPEN = ROOT / "bitstreams" / "open"
ARCHIVES = sorted(OPEN.glob("*/*.zip"))


@pytest.mark.parametrize("path", ARCHIVES, ids=lambda path: path.stem)
def test_a_packed_overlay(path, tmp_path):
    folder = packed.unpack(path, tmp_path / path.stem)
    manifest = overlay.read_design(folder)
    assert manifest["board"] == path.parent.name and manifest["run_on_a_board"] is False
    assert manifest["fclk0_mhz"] <= 0.7 * manifest["routed"]["fmax_mhz"] and manifest["routed"]["read_back"] is True
    if path.stem in overlay.DESK:
        assert manifest["design"] == path.stem
    else:
        assert overlay.read_manifest(folder)["config"].network.label == path.stem  # its config id is this checkout's
    size = manifest["bit"].stat().st_size
    assert size > 4_000_000 and path.stat().st_size < 2_000_000
    dividers = (folder / manifest["bit"].with_suffix(".hwh").name).read_text()
    assert "PCW_FCLK0_PERIPHERAL_DIVISOR0" in dividers


def test_first_things_to_try_are_there():
    assert {path.stem for path in ARCHIVES} >= {"blink", "register", "loop", "srcnn915", "abpn8m3_x2"}


def test_archives_hold_nothing_else():
    for path in ARCHIVES:
        with zipfile.ZipFile(path) as file:
            named = set(json.loads(file.read(packed.MANIFEST))["files"])
            assert set(file.namelist()) == named | {packed.MANIFEST}


@pytest.mark.parametrize(
    "changes, says",
    [
        ({"git_revision": "0123-dirty"}, "from a checkout with changes"),
        ({"git_revision": None}, "from a checkout with changes .no commit."),
        ({"design": None}, "was not made by the open tools"),
        ({}, None),
    ],
)
def test_what_is_packed_can_be_built_again(tmp_path, monkeypatch, changes, says):
    monkeypatch.setattr(pack, "OVERLAYS", tmp_path)
    monkeypatch.setattr(overlay, "OVERLAYS", tmp_path)
    folder = packed.unpack(OPEN / "pynq_z2" / "blink.zip", tmp_path / "pynq_z2" / "blink")
    manifest = json.loads((folder / packed.MANIFEST).read_text()) | changes
    kept = {key: value for key, value in manifest.items() if value is not None}
    (folder / packed.MANIFEST).write_text(json.dumps(kept))
    if says:
        with pytest.raises(UserError, match=says):
            pack.pack_all("pynq_z2", ["blink"])
        assert not packed.archive("pynq_z2", "blink").exists()
    else:
        (row,) = pack.pack_all("pynq_z2", ["blink"])
        assert row["overlay"] == "blink" and packed.archive("pynq_z2", "blink").is_file()
