"""All C++ that is generated for a configuration: `python -m hls.generate.cpp --network srcnn915 --board pynq_z2`."""

from __future__ import annotations

import pathlib
from typing import TYPE_CHECKING

import click

from hls.design.load import load_config
from hls.design.options import hardware_options
from hls.generate.header import header_text
from hls.generate.top import top_header, top_source
from model.base.errors import report_user_errors
from model.base.paths import BUILD, atomic_write

if TYPE_CHECKING:
    from hls.design.config import Config


def sources(config: Config) -> dict[str, str]:
    """Return {file name: text} of all that is generated for a configuration."""
    return {
        "srcnn_config.hpp": header_text(config),
        "srcnn_top.hpp": top_header(config),
        "srcnn_top.cpp": top_source(config),
    }


def write_sources(config: Config, folder: pathlib.Path | None = None) -> pathlib.Path:
    """Write the generated C++ of a configuration, each file only if it changed; return its folder."""
    folder = folder or BUILD / "gen" / config.name
    for name, text in sources(config).items():
        path = folder / name
        if not path.is_file() or path.read_text() != text:
            with atomic_write(path) as temporary:
                temporary.write_text(text)
    return folder


@click.command()
@hardware_options
@report_user_errors
def main(network: str, upscale: int | None, board: str) -> None:
    """Write the C++ header and top of a network on a board and print where they are."""
    print(write_sources(load_config(network, board, upscale)))


if __name__ == "__main__":
    main()
