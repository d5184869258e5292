"""Quantise a trained network: `python -m model.quantise --network srcnn915 --upscale 3`."""

from __future__ import annotations

import time

import click

from model.base import report
from model.base.errors import UserError, report_user_errors
from model.graph.description import DEFAULT_NETWORK
from model.graph.network import UPSCALES
from model.graph.weights import DEGRADATIONS, T91, USUAL_DATA, QuantModel, load_float, save_quant, weight_path
from model.quantise.search import calibration_pictures, provenance, quantise


@click.command()
@click.option("--network", default=DEFAULT_NETWORK, show_default=True)
@click.option("--upscale", default=3, show_default=True, type=click.IntRange(min(UPSCALES), max(UPSCALES)))
@click.option("--degradation", default="standard", show_default=True, type=click.Choice(DEGRADATIONS))
@click.option("--weights", "source", help="Float weights; the committed ones by default.")
@click.option("-o", "--output", help="Where to write the integer weights; beside the committed ones by default.")
@click.option("--seed", default=0, show_default=True, help="Of the choice of calibration crops.")
@click.option(
    "--data",
    default="",
    help="Pictures that trained the weights, and calibrate, as `make train` has it  [default: T91].",
)
@report_user_errors
def main(network: str, upscale: int, degradation: str, source: str, output: str, seed: int, data: str) -> None:
    """Quantise trained weights to int8 and report each layer's formats."""
    source = source or weight_path(network, upscale, degradation, data=data)
    float_model = load_float(source, network)
    if float_model.upscale != upscale:
        raise UserError(
            f"{source} was trained for x{float_model.upscale}, not for x{upscale}; name the matching --upscale"
        )
    started = time.perf_counter()
    seen = data or ("" if USUAL_DATA[degradation] == T91 else USUAL_DATA[degradation])  # what trained the weights
    pictures, files = calibration_pictures(upscale, degradation, seen, float_model.network.input)
    model, rows = quantise(float_model, pictures, seed)
    config = {"network": network, "upscale": upscale, "degradation": degradation, "data": data}
    meta = provenance(config, source, files, seed) | ({"calibration_set": seen} if seen else {})
    model = QuantModel(model.network, model.upscale, model.layers, meta)
    output = output or weight_path(network, upscale, degradation, quantised=True, data=data)
    save_quant(model, output)
    name = f"quantise_{network}_x{upscale}" + f"_{degradation}" * (degradation != "standard")
    path = report.write_report(
        name, [{"network": network, "upscale": upscale, "degradation": degradation, **row} for row in rows]
    )
    columns = [key for key in rows[0] if key != "layer"]
    print(report.table([{"": key, **{row["layer"]: row[key] for row in rows}} for key in columns]))
    print(f"\n{len(files)} calibration pictures, {time.perf_counter() - started:.0f} s; wrote {output} and {path}")


if __name__ == "__main__":
    main()
