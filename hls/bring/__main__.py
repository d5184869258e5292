"""Read a network that was trained elsewhere: `make import MODEL=net.onnx`.

The file becomes a description and float weights, which are compared with ONNX Runtime on the file itself; then
integers, whose every convolution is compared with ONNX Runtime's ConvInteger, and the C++ kernels with the golden
model; then every board answers how fast it would be. All is written to build/import/<name>/, or, with --add, where
the project's own networks lie, so that NETWORK=<name> means it in every command.
"""

from __future__ import annotations

import pathlib
from typing import TYPE_CHECKING

import click
import numpy as np

from hls.bring.boards import answer, board_text, chosen_boards
from hls.csim.accelerator import CsimTop
from hls.design.config import make_config
from hls.report.choose import Size
from hls.report.folding import proposal_toml
from model.base.errors import UserError, report_user_errors
from model.base.paths import BUILD, NETWORKS, atomic_write
from model.base.report import table, write_report
from model.base.toml import check_name
from model.convert.compare import ALIKE, check_integers, check_same, likeness
from model.convert.imported import import_network, network_name
from model.graph.description import description_text, list_networks
from model.graph.kinds import Add, Conv, DepthToSpace
from model.graph.network import UPSCALES
from model.graph.weights import FloatModel, QuantModel, save_float, save_quant, weight_path
from model.integer import floating, golden
from model.quantise.search import calibration_pictures, provenance, quantise

if TYPE_CHECKING:
    from hls.bring.boards import Answer
    from model.convert.imported import Imported

WORDS = {Conv: "convolution", Add: "addition", DepthToSpace: "depth-to-space"}
TILES = ((17, 23), (9, 40))  # input pixels of what the C++ kernels are compared on


def describe(imported: Imported) -> str:
    """Return the description of an imported network, with the nodes that its layers stand for as comments."""
    network = imported.model.network
    comments = {name: ", ".join(nodes) for name, nodes in imported.nodes.items() if nodes}
    comments[network.name] = f"From {imported.opened.path.name} by `make import`."
    return description_text(network, comments)


def integers(model: FloatModel, data: str, seed: int) -> tuple[QuantModel, list[np.ndarray], list[pathlib.Path]]:
    """Quantise with the training part of T91, or of `data`; return also the pictures, and their files."""
    try:
        pictures, files = calibration_pictures(model.upscale, "standard", data, model.network.input)
    except UserError as error:
        if data:
            raise
        raise UserError(f"{error}; or name a folder of your own pictures to quantise with (DATA=folder)") from error
    if not pictures:
        raise UserError(f"no picture of {data} has {model.upscale} pixels a side; name a folder of larger ones")
    return quantise(model, pictures, seed)[0], pictures, files


def fidelity(model: FloatModel, quantised: QuantModel, pictures: list[np.ndarray]) -> float:
    """Return the PSNR in dB of the integers' pictures against the float network's, over some pictures."""
    errors = []
    for picture in pictures[:: max(1, len(pictures) // 4)][:4]:
        padded = golden.pad(picture, model.network.halo)
        exact = np.clip(floating.infer(model, padded), 0, 255)
        errors.append(((golden.infer_valid(quantised, padded) - exact) ** 2).mean())
    return float(10 * np.log10(255**2 / max(float(np.mean(errors)), 1e-9)))


def check_kernels(answers: list[Answer], model: QuantModel, picture: np.ndarray) -> str:
    """Compare the C++ kernels with the golden model, on a board's folding if one fits; return on which."""
    folded = [answer.config for answer in answers if answer.config is not None]
    network = model.network
    if folded:
        config = folded[-1]
    else:
        smallest = answers[0].board | {"tile_width": 64}
        config = make_config(network, smallest, {layer.name: (1, 1) for layer in network.convs})
    top = CsimTop(config)
    for height, width in TILES:
        rows, columns = (min(side, most) for side, most in zip((height, width), picture.shape[:2]))
        tile = golden.pad(picture[:rows, : min(columns, config.tile_width)], network.halo)
        if not np.array_equal(top.infer_valid(model, tile), golden.infer_valid(model, tile)):
            raise UserError("the C++ kernels give other bits than the golden model; please report it with the file")
    return f"the folding for {config.board}" if folded else "one product at a time"


def write_apart(imported: Imported, answers: list[Answer], folder: pathlib.Path) -> list[pathlib.Path]:
    """Write the description, and a file per board that the network fits, into a folder; return the files."""
    network = imported.model.network
    files = {folder / f"{network.name}.toml": describe(imported)}
    for found in answers:
        if found.config is not None:
            files[folder / f"{found.board['name']}.toml"] = board_text(found.config, found.board["path"])
    return _write(files)


def write_among(imported: Imported, answers: list[Answer]) -> list[pathlib.Path]:
    """Write the description and the foldings where the project's networks have theirs; return the files."""
    network = imported.model.network
    files = {NETWORKS / f"{network.name}.toml": describe(imported)}
    for found in answers:
        if found.config is not None:
            path = pathlib.Path(found.board["path"])
            files[path] = f"{path.read_text().rstrip()}\n\n{proposal_toml(found.config, found.board['tile_width'])}\n"
    return _write(files)


def _write(texts):
    for path, text in texts.items():
        with atomic_write(path) as temporary:
            temporary.write_text(text)
    return list(texts)


def check_free(name: str, boards: list[dict], label: str) -> None:
    """Raise `UserError` if the project has a network of that name, or a board folds one."""
    check_name(name, "a network")
    taken = [board["path"] for board in boards if label in board["folding"]]
    if name in list_networks() or taken:
        raise UserError(
            f"there is a network {name} already ({(taken or [f'model/networks/{name}.toml'])[0]}); choose another name "
            f"(--name), or remove it and its weights first"
        )


def unlike(imported: Imported) -> list[str]:
    """Return a note if what the network gives is not like the picture that it is given."""
    alike = likeness(imported)
    if alike >= ALIKE:
        return []
    return [
        f"what it gives is {alike:.0f} dB from the picture that it is given, so hardly the same one, larger; if it "
        f"calls white something else than {imported.white:g}, name that (WHITE=255), and train it if it was not"
    ]


def summary(imported: Imported) -> str:
    """Return one line about a network."""
    network = imported.model.network
    takes = {"y": "Y", "rgb": "RGB", "upscaled": "Y, upscaled already"}[network.input]
    kinds = [type(layer) for layer in network.layers]
    counted = ", ".join(
        f"{kinds.count(kind)} {word}{'s' if kinds.count(kind) > 1 else ''}"
        for kind, word in WORDS.items()
        if kind in kinds
    )
    return (
        f"{imported.opened.path.name}: takes {takes}, x{imported.model.upscale}; {counted}; "
        f"{network.macs_per_pixel:,.0f} products per pixel, halo {network.halo}"
    )


@click.command()
@click.argument("model", type=click.Path(path_type=pathlib.Path))
@click.option("--name", help="Of the network.  [default: the file's]")
@click.option(
    "--upscale",
    type=click.Choice([str(u) for u in UPSCALES]),
    callback=lambda _, __, value: value and int(value),
    help="Of a network that takes a picture upscaled already; the others say it themselves.",
)
@click.option("--black", default=0.0, show_default=True, help="What the network calls black, at both ends.")
@click.option("--white", default=1.0, show_default=True, help="What it calls white: 255 if it takes bytes.")
@click.option("--data", default="", help="A folder of pictures to quantise with.  [default: T91]")
@click.option("--board", help="Name or .toml file.  [default: every board]")
@click.option("--size", type=Size(), help="Of the result: 720p, 1080p, 4k or WIDTHxHEIGHT.  [default: the board's]")
@click.option("--fps", type=click.FloatRange(min=0, min_open=True), default=60.0, show_default=True)
@click.option("--seed", default=0, show_default=True, help="Of the choice of calibration crops.")
@click.option("--add", is_flag=True, help="Add it to the project's networks, for NETWORK=name in every command.")
@report_user_errors
def main(
    model: pathlib.Path,
    name: str | None,
    upscale: int | None,
    black: float,
    white: float,
    data: str,
    board: str | None,
    size: tuple | None,
    fps: float,
    seed: int,
    add: bool,
) -> None:
    """Read MODEL, an .onnx or .keras file, into a description and weights; quantise it, compare every step, and say
    what boards make of it; write build/reports/import.json.
    """
    check_name(name or network_name(model), "a network")
    named = "+".join(pathlib.Path(part).name for part in data.split("+"))  # as records have it: machines differ
    command = f"python -m hls.bring {model.name}" + f" --data {named}" * bool(data) + f" --seed {seed}" * bool(seed)
    boards = chosen_boards(board)
    imported = import_network(model, name, upscale, black, white)
    network = imported.model.network
    if add:
        check_free(network.name, boards, network.label)
    print(summary(imported))
    difference = check_same(imported)
    print(f"float: as in ONNX Runtime where no padding reaches, largest difference {difference:.1e} of white")
    for note in (*imported.notes, *unlike(imported)):
        print(f"note: {note}")
    quantised, pictures, files = integers(imported.model, data, seed)
    answers = [answer(network, described, size, fps) for described in boards]
    sums = check_integers(quantised, golden.pad(pictures[0][:40, :48], network.halo))
    where = check_kernels(answers, quantised, pictures[0])
    print(
        f"integers: quantised with {len(files)} pictures, {fidelity(imported.model, quantised, pictures):.1f} dB from "
        f"the float network\n"
        f"  {sums:,} sums of products as in ONNX Runtime's ConvInteger; golden = C++ kernels, by {where}"
    )
    print(f"\n{table([found.row for found in answers])}\n")
    for found in answers:
        print(found.sentence)
    print(
        "resources and rates are modelled. The picture is extended by its last pixels once, where a network that pads "
        "every layer with zeros gives other pixels within the halo"
    )
    write_report("import", [{"network": network.name, "upscale": imported.model.upscale} | a.row for a in answers])
    folder = BUILD / "import" / network.name
    weights = [weight_path(network.name, imported.model.upscale, quantised=which) for which in (False, True)]
    if not add:
        weights = [folder / path.name for path in weights]
    save_float(imported.model, weights[0])
    about = {"network": network.name, "upscale": imported.model.upscale, "degradation": "standard", "data": named}
    meta = provenance(about, weights[0], files, seed) | {"command": command}
    save_quant(QuantModel(network, quantised.upscale, quantised.layers, meta), weights[1])
    made = weights + (write_among(imported, answers) if add else write_apart(imported, answers, folder))
    print("\nwritten: " + "\n         ".join(map(_shown, made)))
    print("next:    " + "\n         ".join(_next_commands(imported, answers, made, add)))


def _shown(path):
    try:
        return str(path.resolve().relative_to(pathlib.Path.cwd()))
    except ValueError:
        return str(path)


def _next_commands(imported, answers, made, add):
    network, upscale = imported.model.network, imported.model.upscale
    fitting = [found.board["name"] for found in answers if found.config is not None]
    factor = f" UPSCALE={upscale}" if network.upscale is not None else ""
    commands = [f"build/venv/bin/python host/run_pynq.py photo.png --weights {_shown(made[1])} --backend golden"]
    if fitting and add:
        commands.append(f"make bitstream NETWORK={network.name}{factor} BOARD={fitting[-1]} RTL=open")
    elif fitting:
        board = next(path for path in made if path.stem == fitting[-1])
        commands.append(f"make rtl NETWORK={_shown(made[2])} BOARD={_shown(board)}")
    return commands


if __name__ == "__main__":
    main()
