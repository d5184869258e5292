"""What a video has beside its pictures, copied into the result: audio, subtitles, chapters, covers, tags, timecode."""

from __future__ import annotations

import io
import pathlib
import types
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from host.video.carry.losses import OLDER, tags
from host.video.carry.subtitles import Converter, text_codec
from host.video.carry.timecode import later
from host.video.read.info import GAP, JUMP, Info
from host.video.read.library import open_to_read

if TYPE_CHECKING:
    from av.container.input import InputContainer
    from av.container.output import OutputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

FORMATS = {".mp4": "mp4", ".m4v": "ipod", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
_PAUSE = b"\0\0"  # a text of no length, between two others
_PICTURES = {"mjpeg": ("cover.jpg", "image/jpeg"), "png": ("cover.png", "image/png")}


def _codec(stream):
    """Return the name of a stream's codec."""
    return stream.codec_context.name if stream.codec_context else "unknown"


class Copies:
    """What goes from one source into one file.

    Parameters
    ----------
    av : module
    source : av.container.InputContainer
    stream : av.VideoStream
        Of `source`: the one that is upscaled.
    container : av.container.OutputContainer
        Whose header is not written yet.
    path : pathlib.Path
        Of `container`.
    info : Info
    jumps : sequence of fractions.Fraction
        Of the clock of the pictures, see `host.video.read.source.Source`.

    Attributes
    ----------
    audio : list of str
        Codecs of what is copied.
    notes : list of str
        What is dropped.
    """

    def __init__(
        self,
        av: types.ModuleType,
        source: InputContainer,
        stream: VideoStream,
        container: OutputContainer,
        path: pathlib.Path,
        info: Info,
        jumps: Sequence[Fraction] = (),
    ) -> None:
        self._av, self._source, self._stream, self._container, self._info = av, source, stream, container, info
        self._suffix = path.suffix.lower()
        self._streams, self._converters, self.audio, self.notes = {}, {}, [], []
        self._result, self._covers = None, []
        self._jumps = jumps
        self._clocks = {}  # of streams: shift, and begin and end of the last packet
        for each in source.streams:
            if each.type == "audio":
                self._add_audio(each)
            elif each.type == "subtitle":
                self._add_subtitle(each)

    def describe(self, target: VideoStream) -> None:
        """Give the result's picture stream, and the file, what the source's have: language, title, tags, chapters.

        Parameters
        ----------
        target : av.VideoStream
            Of the result.
        """
        self._result = self._label(self._stream, target)
        timecode = self._timecode()
        if timecode:
            if self._suffix == ".webm":
                self.notes.append(f"the timecode ({timecode}) is dropped: .webm holds none")
            else:
                frames = round(self._info.zero * self._info.time_base * self._info.rate) if self._info.begin else 0
                target.metadata["timecode"] = later(timecode, frames, self._info.rate)
        self._container.metadata.update(tags(self._source.metadata))
        chapters = self._chapters()
        if chapters:
            self._container.set_chapters(chapters)
        self._add_pictures()
        data = [each for each in self._source.streams if each.type == "data" and "timecode" not in each.metadata]
        if self._source.chapters() and data:
            data.pop()  # chapters are a track of text in mp4 and mov
        if data:
            self.notes.append(f"data streams are dropped: {len(data)}, of sensors or programs")

    @property
    def pairs(self) -> dict[int, int]:
        """Streams of the source and of the file that are the same, by index."""
        pairs = {old.index: new.index for old, new in self._streams.items()}
        pairs |= {old.index: converter.stream.index for old, converter in self._converters.items()}
        return pairs | {self._stream.index: self._result.index}

    def packets(self) -> Iterator[Packet]:
        """Yield the packets of what is copied, each with its stream of the result, as they come in the source."""
        yield from self._covers
        streams = [*self._streams, *self._converters]
        if not streams:
            return
        try:
            for packet in self._source.demux(streams):
                if packet.dts is None or not packet.size or not self._cut(packet):  # no time: the end of a stream
                    continue
                self._set_forward(packet)
                if packet.size == len(_PAUSE) and packet.stream.type == "subtitle" and bytes(packet) == _PAUSE:
                    continue  # mp4 and mov get them anyway
                if packet.stream in self._converters:
                    yield from self._converters[packet.stream].convert(packet)
                else:
                    packet.stream = self._streams[packet.stream]
                    yield packet
        except self._av.FFmpegError:  # a damaged file: reading the frames has said so
            return

    def _set_forward(self, packet):
        """Let a stream's times grow, as files want it, also where its clock begins anew."""
        shift, last, end = self._clocks.get(packet.stream, (0, None, None))
        time = packet.dts + shift
        step = 0 if last is None else (time - last) * packet.time_base
        # forward only with the pictures: an audio may pause
        if step < -JUMP or any(jump > 0 and abs(step - jump) < GAP / 2 for jump in self._jumps):
            shift, time = shift + end - time, end
        elif last is not None:
            time = max(time, last + 1)
        packet.pts = None if packet.pts is None else max(packet.pts + shift, time)
        packet.dts = time
        self._clocks[packet.stream] = shift, time, time + max(1, packet.duration or 0)

    def _add_audio(self, sound):
        name = _codec(sound)
        if self._holds(sound):
            self.audio.append(name)
            self._streams[sound] = self._label(sound, self._container.add_stream_from_template(sound))
        else:
            self.notes.append(f"the audio ({name}) is dropped: {self._suffix} holds no such audio")

    def _add_subtitle(self, text):
        name = _codec(text)
        if self._holds(text):
            self._streams[text] = self._label(text, self._container.add_stream_from_template(text))
            return
        codec = text_codec(name, self._suffix)
        if codec is None:
            self.notes.append(f"the subtitles ({name}) are dropped: {self._suffix} holds no pictures as subtitles")
            return
        converter = Converter(self._av, text, self._container, codec)
        self._converters[text] = converter
        self._label(text, converter.stream)
        self.notes.append(f"the subtitles ({name}) became {codec}: {self._suffix} holds no {name}")

    def _holds(self, stream):
        """Tell whether the file can hold a stream as it is: by writing one that has no other."""
        if stream.codec_context is None:
            return False
        try:
            with (
                open_to_read(self._av, self._source.name) as again,
                self._av.open(io.BytesIO(), "w", FORMATS[self._suffix]) as trial,
            ):
                old = again.streams[stream.index]
                new = trial.add_stream_from_template(old)
                trial.start_encoding()
                # of some codecs mp4 knows only when it is finished what it cannot describe
                first = next((packet for packet in again.demux(old) if packet.size), None) if old.type == "audio" else 0
                if first:
                    first.stream = new
                    trial.mux(first)
        except (ValueError, self._av.FFmpegError):
            return False
        return True

    def _label(self, old, new):
        title = old.metadata.get("title") or old.metadata.get("name")
        if title:
            new.metadata["title"] = title
        language = old.metadata.get("language")
        if language and language != "und":
            new.metadata["language"] = OLDER.get(language, language) if self._suffix == ".mov" else language
        new.metadata.update(tags(old.metadata, of_stream=True))
        new.disposition = old.disposition
        return new

    def _timecode(self):
        places = [self._stream.metadata, *(each.metadata for each in self._source.streams), self._source.metadata]
        return next((value for tags in places for key, value in tags.items() if key.lower() == "timecode"), None)

    def _chapters(self):
        chapters = []
        for chapter in self._source.chapters():
            base = chapter["time_base"] or Fraction(1, 1000)
            begin, end = chapter["start"] * base, chapter["end"] * base
            low = self._info.begin if self._info.begin is not None else min(begin, Fraction(0))
            high = self._info.until if self._info.until is not None else end
            if max(begin, low) < min(end, high) or (begin == end and low <= begin <= high):
                shift = 0 if self._info.begin is None else low
                begin, end = (round((min(max(time, low), high) - shift) * 1_000_000_000) for time in (begin, end))
                chapters.append(chapter | {"start": begin, "end": end, "time_base": Fraction(1, 1_000_000_000)})
        return chapters

    def _add_pictures(self):
        """Cover art, and fonts and other attachments of Matroska files."""
        for each in self._source.streams:
            if each.type == "attachment":
                if self._suffix == ".mkv":
                    self._container.add_attachment(each.name or "attachment", each.mimetype or "", each.data)
                else:
                    self.notes.append(f"the attachment {each.name} is dropped: {self._suffix} holds none")
            elif each.type == "video" and each.disposition & each.disposition.attached_pic:
                self._add_cover(each)

    def _add_cover(self, cover):
        name = _codec(cover)
        if self._suffix in (".webm", ".mov") or name not in _PICTURES:
            self.notes.append(f"the cover picture ({name}) is dropped: {self._suffix} holds no such picture")
            return
        with open_to_read(self._av, self._source.name) as again:  # ahead of everything else
            data = next((bytes(each) for each in again.demux(again.streams[cover.index]) if each.size), b"")
        if self._suffix == ".mkv":
            usual = _PICTURES[name]
            self._container.add_attachment(
                cover.metadata.get("filename", usual[0]), cover.metadata.get("mimetype", usual[1]), data
            )
            return
        if not data or not cover.codec_context.width:
            self.notes.append(f"the cover picture ({name}) is damaged and dropped")
            return
        packet = self._av.Packet(data)
        packet.stream = self._container.add_stream_from_template(cover)
        packet.stream.disposition = cover.disposition
        packet.pts, packet.dts, packet.time_base, packet.is_keyframe = 0, 0, Fraction(1, 1000), True
        self._covers.append(packet)

    def _cut(self, packet):
        """Tell whether a packet belongs to the wanted part, and count its time from where that begins."""
        info = self._info
        if info.begin is None and info.until is None:
            return True
        time = (packet.pts if packet.pts is not None else packet.dts) * packet.time_base
        if info.begin is not None:
            if time < info.begin:
                return False
            zero = round(info.zero * info.time_base / packet.time_base)  # as much as the frames, or they would not fit
            packet.pts, packet.dts = packet.pts if packet.pts is None else packet.pts - zero, packet.dts - zero
        return info.until is None or time < info.until
