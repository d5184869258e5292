"""What a file does not hold of its source's labels, found by reading the file: only what is dropped is said."""

from __future__ import annotations

import pathlib
import types
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fractions import Fraction

    from av.container.input import InputContainer

_OWN = "major_brand minor_version compatible_brands encoder handler_name vendor_id duration number_of_frames"
_OWN += " number_of_bytes bps rotate timecode alpha_mode filename mimetype stereo_mode source_id"
_OWN_TAGS = frozenset(_OWN.split())
_NAMED = frozenset(["language", "title", "name"])  # labels of a stream that are looked after by themselves
# QuickTime knows languages by older names (ISO 639-2/B)
_NEWER = "deu nld ell isl zho sqi hye kat mkd bod mya msa fra"
OLDER = dict(zip(_NEWER.split(), "ger dut gre ice chi alb arm geo mac tib bur may fra".split()))


def tags(metadata: dict[str, str], of_stream: bool = False) -> dict[str, str]:
    """Return the tags that travel: not what is written anew, nor what is true of the old file only.

    Parameters
    ----------
    metadata : dict of {str: str}
        Of a file or a stream.
    of_stream : bool
        Without its language and title.
    """
    passed = _OWN_TAGS | _NAMED if of_stream else _OWN_TAGS
    found = {key.lower(): value for key, value in metadata.items()}
    place = found.pop("com.apple.quicktime.location.iso6709", None)  # phones write the place under a name of their own
    if place:
        found.setdefault("location", place)
    return {
        key: value
        for key, value in found.items()
        if key not in passed and not key.startswith(("_statistics", "bps-", "duration-", "number_of_", "location-"))
    }


def find_losses(
    av: types.ModuleType, source: InputContainer, path: pathlib.Path, pairs: dict[int, int], aspect: Fraction | None
) -> list[str]:
    """Compare a file with its source.

    Parameters
    ----------
    av : module
    source : av.container.InputContainer
    path : pathlib.Path
        The file.
    pairs : dict of {int: int}
        Streams of the source and of the file that are the same.
    aspect : fractions.Fraction or None
        Width of a pixel divided by its height, as it should be.

    Returns
    -------
    list of str
        What is missing, in words; empty if nothing is.
    """
    missing = {}
    with av.open(str(path)) as result:
        written = tags(result.metadata)
        gone = [key for key in tags(source.metadata) if key not in written]
        for old, new in ((source.streams[i], result.streams[j]) for i, j in pairs.items()):
            language = old.metadata.get("language", "und")
            if language != "und" and result_language(new) not in (language, OLDER.get(language, language)):
                missing.setdefault(f"the language {language}", []).append(old.type)
            title = old.metadata.get("title") or old.metadata.get("name")
            if title and title not in (new.metadata.get("title"), new.metadata.get("name")):
                missing.setdefault(f"the title {title!r}", []).append(old.type)
            roles = old.disposition & ~new.disposition & ~old.disposition.default
            if roles:
                missing.setdefault(f"the role {roles.name.replace('|', ', ')}", []).append(old.type)
        shown = result.streams.video[0].sample_aspect_ratio
        if (aspect or 1) != (shown or 1):
            missing.setdefault(f"the pixels' aspect ratio {aspect.numerator}:{aspect.denominator}", []).append("video")
        lost_chapters = bool(source.chapters()) and not result.chapters()
    words = [f"{what} ({' and '.join(sorted(set(where)))})" for what, where in missing.items()]
    if gone:
        words.insert(0, f"the tags {', '.join(sorted(gone))}" if len(gone) > 1 else f"the tag {gone[0]}")
    if lost_chapters:
        words.append("chapters")
    return words


def result_language(stream: object) -> str:
    """Return a stream's language, und if it says none."""
    return stream.metadata.get("language", "und")
