"""Whether a video was read to the end that its file speaks of: a recording or download may have been cut short."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fractions import Fraction

    from av.container.input import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

_STATED = ("mov", "matroska", "avi", "flv", "asf", "nut")  # whose header has the duration; elsewhere FFmpeg guesses it
_FRAMES = ("NUMBER_OF_FRAMES", "NUMBER_OF_FRAMES-eng")  # mkvmerge's tags of a stream
_SLACK = 2  # frames: a duration is rounded, and the last frame's may not be counted


class Completeness:
    """Watches a file's packets go by.

    Parameters
    ----------
    container : av.container.InputContainer
    stream : av.VideoStream
        The one whose frames are wanted.

    Attributes
    ----------
    streams : list of av.Stream
        Whose packets `saw` has to be told: the wanted one, and what else decides the file's duration.
    counted : int
        Frames in the file by its index; 0 if it has none.
    """

    def __init__(self, container: InputContainer, stream: VideoStream) -> None:
        name = container.format.name
        self._stream, self._stated = stream, any(known in name for known in _STATED)
        # Other formats' headers count frames that were left out as well. An edit list may leave out some here: those
        # that the demuxer will give are in its index.
        indexed = len(getattr(stream, "index_entries", ())) or stream.frames  # older PyAVs show no index
        self.counted = min(stream.frames, indexed) if "mp4" in name else 0
        self._total = (container.duration or 0) / 1e6 if self._stated else 0.0
        self._origin = (container.start_time or 0) / 1e6
        self._own = _seconds(stream.metadata.get("DURATION", ""))  # when the stream ends, from the file's zero
        self._tagged = next((int(tags) for name in _FRAMES if (tags := stream.metadata.get(name, "")).isdigit()), 0)
        others = self._total and not self.counted and not self._own
        self.streams = [
            each for each in container.streams if each is stream or (others and each.type in ("video", "audio"))
        ]
        self._packets, self._hidden, self._ends = 0, 0, {}

    def saw(self, packet: Packet) -> None:
        """Count a packet, of any of `streams`."""
        if not packet.size:
            return
        if packet.stream.index == self._stream.index:
            self._packets += 1
            self._hidden += packet.is_discard
        if packet.pts is not None:
            end = float((packet.pts + (packet.duration or 0)) * packet.time_base)
            self._ends[packet.stream.index] = max(end, self._ends.get(packet.stream.index, end))

    def missing(self, decoded: int, rate: Fraction) -> list[str]:
        """Say what is missing, now that all packets have gone by; empty if nothing is.

        Parameters
        ----------
        decoded : int
            Frames that could be read.
        rate : fractions.Fraction
            Frames per second.
        """
        if self.counted:
            shown = self.counted - self._hidden
            if decoded >= shown:
                return []
            why = "the file is cut short" if self._packets < self.counted else "the others are damaged"
            return [f"{decoded} of {shown} frames could be read: {why}"]
        slack = _SLACK / float(rate)
        # a tag that was copied from a longer file is no reason for alarm
        if self._tagged and (not self._total or abs(self._tagged / rate - self._total) <= slack + 0.01 * self._total):
            if decoded < self._tagged:
                return [f"{decoded} of {self._tagged} frames could be read: the file is cut short"]
            return []
        ends = [self._ends.get(self._stream.index, 0.0)] if self._own else list(self._ends.values())
        end, stated = max(ends, default=0.0), self._own or (self._total and self._total + self._origin)
        if not stated or end >= stated - slack:
            return []
        return [
            f"{decoded} of about {decoded + round((stated - end) * rate)} frames could be read, up to {end:.2f} s of "
            f"the {stated:.2f} s that the file says: it is cut short"
        ]


def _seconds(text):
    """Read 00:00:10.000000000; 0 for anything else."""
    match = re.fullmatch(r"(\d+):(\d+):(\d+(?:\.\d+)?)", text)
    return int(match[1]) * 3600 + int(match[2]) * 60 + float(match[3]) if match else 0.0
