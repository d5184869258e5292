"""A video file from its encoded frames and what its source has beside them."""

from __future__ import annotations

import errno
import heapq
import math
import operator
import pathlib
import types
from collections.abc import Iterable
from fractions import Fraction
from typing import TYPE_CHECKING

from host.video.carry.copies import Copies
from host.video.carry.losses import find_losses
from host.video.carry.matroska import set_aspect
from host.video.parts import Parts
from host.video.read.library import open_to_read
from host.video.read.source import Source
from host.video.target import Target

if TYPE_CHECKING:
    from av.container.output import OutputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

_FINEST = 10_000_000  # parts of a second


def write_file(source: Source, target: Target, path: pathlib.Path, parts: Parts) -> str:
    """Write the file from its parts and what the source has beside its pictures.

    Parameters
    ----------
    source : Source or FrameSource
        Read to its end; opened once more for what is copied.
    target : Target
        Gets notes of what is dropped.
    path : pathlib.Path
    parts : Parts

    Returns
    -------
    str
        What became of the audio, in words.
    """
    if not source.copies:
        return _write_file(source.av, target, path, None, None, parts)
    with open_to_read(source.av, str(source.path)) as again:
        return _write_file(source.av, target, path, again, again.streams[source.stream.index], parts, source)


def _write_file(av, target, path, source, stream, parts, read=None):
    bases = [target.info.time_base, *(each.time_base for each in source.streams.audio)] if source else []
    # mp4 and mov count the beginning of each stream in units of the whole file's: milliseconds if nobody says so
    unit = math.lcm(*(base.denominator for base in bases or [target.info.time_base]))
    counts = path.suffix.lower() in (".mp4", ".m4v", ".mov")
    options = {"movie_timescale": str(unit)} if counts and unit <= _FINEST else {}
    with av.open(str(path), "w", options=options) as container:
        # no random numbers in it: the same frames are the same file (Matroska)
        container.flags |= av.container.Flags.bitexact.value
        result = container.add_stream(target.encoding.encoder, rate=target.info.rate, options=target.encoding.options)
        target.configure(result.codec_context)
        if target.encoding.codec == "hevc" and path.suffix.lower() != ".mkv":
            result.codec_context.codec_tag = "hvc1"  # Apple's programs open no other
        copies = Copies(av, source, stream, container, path, target.info, read.jumps) if source else None
        if copies:
            copies.describe(result)
            target.notes += copies.notes
        container.start_encoding()
        others = copies.packets() if copies else ()
        written, left_out = interleave(av, container, result, parts.packets(), target.info.time_base, others)
        pairs = copies.pairs if copies else {}
    if left_out:
        many = f"{left_out} packets" if left_out > 1 else "1 packet"
        verb = "are" if left_out > 1 else "is"
        read.damage.append(f"{many} of what lies beside the pictures {verb} damaged and left out")
    if counts:  # these files have no streams without packets
        place = {index: i for i, index in enumerate(sorted(written))}
        pairs = {old: place[new] for old, new in pairs.items() if new in place}
    if target.info.aspect and path.suffix.lower() in (".mkv", ".webm"):
        set_aspect(path, target.info.aspect)
    lost = find_losses(av, source, path, pairs, target.info.aspect) if copies else []
    if lost:
        target.notes.append(f"{path.suffix} does not hold, and so are dropped: {'; '.join(lost)}")
    return f"audio ({', '.join(copies.audio)}) copied untouched" if copies and copies.audio else "no audio"


def interleave(
    av: types.ModuleType,
    container: OutputContainer,
    stream: VideoStream,
    packets: Iterable[tuple],
    time_base: Fraction,
    sound: Iterable[Packet],
) -> tuple[set[int], int]:
    """Write video and audio packets in the order of time.

    Parameters
    ----------
    av : module
    container : av.container.OutputContainer
    stream : av.VideoStream
        Of `container`.
    packets : iterable
        As of `Parts.packets`.
    time_base : fractions.Fraction
        Seconds per unit of their times.
    sound : iterable of av.Packet
        Each with its stream of `container`.

    Returns
    -------
    (set of int, int)
        Which streams got packets, by index, and how many packets of `sound` the file does not hold: damaged ones.
    """
    written, left_out = set(), 0

    def pictures():
        for pts, dts, duration, key, data in packets:
            packet = av.Packet(data)
            packet.pts, packet.dts, packet.duration, packet.time_base, packet.is_keyframe = (
                pts,
                dts,
                duration,
                time_base,
                key,
            )
            packet.stream = stream
            yield dts * time_base, packet

    audio = ((packet.dts * packet.time_base, packet) for packet in sound)
    for _, packet in heapq.merge(pictures(), audio, key=operator.itemgetter(0)):
        index = packet.stream_index
        try:
            container.mux(packet)
            written.add(index)
        except av.FFmpegError as error:
            about_system = error.errno in errno.errorcode and error.errno != errno.EINVAL  # a full disk, say
            if index == stream.index or about_system:
                raise
            left_out += 1
    return written, left_out
