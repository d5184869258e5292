"""What long runs found: mistakes, proofs, random kernels, the compiler's examples, software's speed."""

from __future__ import annotations

import json

from model.base.paths import ROOT
from model.quality.pages import markdown, title

MUTATIONS = ROOT / "docs" / "results" / "mutation.json"  # `make mutation ARGS=--update-docs`
PROOFS = ROOT / "docs" / "results" / "prove.json"  # `make prove REPORT=docs/results/prove.json`
SOFTWARE = ROOT / "docs" / "results" / "bench.json"  # `make bench ARGS=--update-docs`
EXAMPLES = ROOT / "docs" / "results" / "open_examples.json"  # `make examples ARGS=--update-docs`
FUZZ = ROOT / "docs" / "results" / "fuzz.json"  # `make fuzz ARGS=--update-docs`


def mutations() -> str:
    """Return who noticed which mistake in the kernels, and how fast."""
    found = json.loads(MUTATIONS.read_text())
    rows = []
    for row in found:
        how = row["how"].replace("|", "\\|")
        rows.append(
            [row["what"], row["caught_by"] + (" and rtl" if row["rtl"] else ""), how[:90], f"{row['seconds']:.0f}"]
        )
    header = [
        f"{len(found)} mistakes in the kernels (measured: `make mutation`)",
        "noticed by",
        "the first words of the message",
        "seconds",
    ]
    return markdown(header, rows)


def proofs() -> str:
    """Return what is proved of which module, and which planted faults a proof found."""
    found, groups = json.loads(PROOFS.read_text()), {}
    for row in found["proofs"]:
        groups.setdefault((row["proof"], row["module"]), []).append(row)
    rows = []
    for (name, module), group in groups.items():
        bare = next((row["without_invariants"] for row in group if "without_invariants" in row), None)
        rows.append(
            [
                name,
                module,
                "; ".join(row["parameters"] for row in group),
                f"{len(group[0]['properties'])} + {len(group[0]['invariants'])}",
                "; ".join(sorted({f"{row['verdict']}, k = {row['induction']}" for row in group})),
                f"{sum(row['seconds'] for row in group):.1f}",
                f"{bare[0]}, k = {bare[1]}" if bare else None,
            ]
        )
    rules = found["rules"]
    rows.append(
        [
            "rewriting rules",
            "hls/open/dataflow",
            f"{len(rules)} rules",
            f"{sum(row['proved'] for row in rules):,} shapes of 1 to 8 bits",
            "proved, without induction",
            f"{sum(row['seconds'] for row in rules):.1f}",
            None,
        ]
    )
    header = [
        "proof (measured: `make prove`)",
        "module",
        "sizes",
        "properties + invariants",
        "by induction of length k",
        "seconds, all sizes",
        "without invariants, of one size",
    ]
    faults = [[row["says"], row["broken"], row["cycles"], f"{row['seconds']:.1f}"] for row in found["faults"]]
    return (
        markdown(header, rows)
        + "\n\n"
        + markdown(["planted fault", "property that a counterexample breaks", "after cycles", "seconds"], faults)
    )


def examples() -> str:
    """Return what the compiler's examples take of an FPGA."""
    rows = [
        [
            f"[{row['example']}](examples/{row['example']}.hpp)",
            row["processes"],
            row["pipeline_stages"],
            f"{row['clock_mhz']:.0f}",
            f"{row['state_bits']:,}",
            *[f"{row[what]:,g}" for what in ("lut", "ff", "dsp", "bram36")],
        ]
        for row in json.loads(EXAMPLES.read_text())
    ]
    header = ["xc7z020, 150 MHz asked for", "processes", "pipeline stages", "MHz (modelled)", "state bits"]
    return markdown([*header, "LUTs (by Yosys)", "flip-flops", "DSPs", "BRAM36"], rows)


def software() -> str:
    """Return what computes how many Mpixel/s of output on a computer, a column per network."""
    measured = json.loads(SOFTWARE.read_text())
    networks = list(dict.fromkeys((row["network"], row["upscale"]) for row in measured))
    rates = {(row["what"], row["network"], row["upscale"]): f"{row['mpixel_per_s']:.3g}" for row in measured}
    rows = [
        [what, *[rates.get((what, *network)) for network in networks]]
        for what in dict.fromkeys(row["what"] for row in measured)
    ]
    names = [f"{title(name)} x{upscale}" for name, upscale in networks]
    return markdown(["Mpixel/s of output (measured: `make bench`)", *names], rows)


def fuzz() -> str:
    """Return how many random kernels of which kind were compared, and with which versions."""
    found = json.loads(FUZZ.read_text())
    counts = ("tried", "interpreted", "simulated", "refused", "failed")
    rows = [
        [row["kind"], row["sort"], row["seeds"], *[f"{row[count]:,}" if row[count] else None for count in counts]]
        for row in found["kernels"]
    ]
    totals = [sum(row[count] for row in found["kernels"]) for count in counts]
    rows.append(["all", None, None, *[f"{total:,}" for total in totals]])
    header = ["kind (measured: `make fuzz`)", "of these", "seeds", "kernels"]
    header += ["equal step by step in XLS's interpreter", "equal in Verilog", "refused", "failed"]
    tools = {
        f"{name} {version[name]}"
        for version in found["versions"]
        for name in ("clang", "llvmlite", "verilator", "xls", "g++")
    }
    compilers = "; ".join(f"{version['compiler']}: {version['tried']:,}" for version in found["versions"])
    return markdown(header, rows) + f"\n\nBy digest of `hls/open`: {compilers}. Tools: {', '.join(sorted(tools))}."
