"""Subtitles that are text, from one codec to another, with their times and what both know of styles."""

from __future__ import annotations

import types
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av.container.output import OutputContainer
    from av.packet import Packet
    from av.subtitles.stream import SubtitleStream

_TEXTS = ("subrip", "srt", "ass", "ssa", "mov_text", "webvtt", "text")
_TARGETS = {".mp4": "mov_text", ".m4v": "mov_text", ".mov": "mov_text", ".mkv": "srt", ".webm": "webvtt"}
_MILLISECOND = Fraction(1, 1000)
# What the encoders ask for if the source has no styles of its own (ASS, which all text is decoded to).
_STYLES = b"""[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, \
StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding
Style: Default,Arial,16,&Hffffff,&Hffffff,&H0,&H0,0,0,0,0,100,100,0,0,1,1,0,2,10,10,10,1

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""


def text_codec(name: str, suffix: str) -> str | None:
    """Return the codec in which a file can hold subtitles of another one; None if these are pictures.

    Parameters
    ----------
    name : str
        FFmpeg's name of the source's codec.
    suffix : str
        Of the file.
    """
    return _TARGETS[suffix] if name in _TEXTS else None


class Converter:
    """Converts the packets of one stream.

    Parameters
    ----------
    av : module
    source : av.SubtitleStream
    container : av.container.OutputContainer
        Gets a stream.
    codec : str
        From `text_codec`.

    Attributes
    ----------
    stream : av.SubtitleStream
        The new one.
    """

    def __init__(self, av: types.ModuleType, source: SubtitleStream, container: OutputContainer, codec: str) -> None:
        self._av, self._source = av, source
        self.stream = container.add_stream(codec)
        self.stream.time_base = _MILLISECOND
        self.stream.codec_context.subtitle_header = source.codec_context.subtitle_header or _STYLES

    def convert(self, packet: Packet) -> Iterator[Packet]:
        """Yield the packets that one becomes: none if it holds no text."""
        from av.subtitles.subtitle import SubtitleSet

        begin = round(packet.pts * packet.time_base / _MILLISECOND)
        length = round((packet.duration or 0) * packet.time_base / _MILLISECOND)
        decoded = self._source.decode2(packet)
        texts = [text.ass for text in decoded.rects if text.ass] if decoded else []
        for text in texts:
            shown = SubtitleSet.create(text=text, start=0, end=length or decoded.end_display_time, pts=begin * 1000)
            encoded = self.stream.codec_context.encode_subtitle(shown)
            encoded.stream, encoded.time_base = self.stream, _MILLISECOND
            encoded.pts = encoded.dts = begin
            encoded.duration = length or decoded.end_display_time
            yield encoded
