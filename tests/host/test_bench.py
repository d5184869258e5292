"""What `make bench` keeps for the page."""

import json

from host.measure.bench import keep


def test_a_network_measured_anew_replaces_its_rows_alone(tmp_path):
    def rows(network, rate):
        return [{"network": network, "upscale": 2, "what": "golden", "mpixel_per_s": rate}]

    path = tmp_path / "bench.json"
    keep(rows("first", 1), path)
    keep(rows("second", 2), path)
    keep(rows("first", 3), path)
    assert json.loads(path.read_text()) == rows("second", 2) + rows("first", 3)
