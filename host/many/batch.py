"""A run over many pictures and videos: what fails is left out and reported, what is finished stays, the next run goes
on.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import itertools
import os
import pathlib
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from tqdm import tqdm

from host.jobs.record import Record, is_full, output_folder, settings_digest, stamp
from host.many.choices import Choices
from host.picture import pipeline
from host.picture.backends import Backend, ComputeError, insist
from host.show import before_after
from host.video import codecs, video
from host.video.read.clip import Clip
from model.base.errors import UserError
from model.base.outputs import Inputs
from model.imaging import files as picture_files

if TYPE_CHECKING:
    from host.jobs.collect import Job, Work

EXIT_SOME_FAILED = 1
EXIT_INTERRUPTED = 130  # the shells' convention for Ctrl-C
KEPT = "what is finished is kept, and the same command goes on from there"


@dataclasses.dataclass(frozen=True)
class Options:
    """How the pictures of a run are computed and written.

    Attributes
    ----------
    tile : (int, int) or None
        Rows and columns of a tile.
    max_mpixel : float
        Largest result.
    encoding : host.video.codecs.Encoding
        Of videos.
    clip : host.video.read.clip.Clip
        Which part of videos.
    compare : bool
        Draw a figure beside each picture's result.
    again : bool
        Compute what is finished as well.
    choices : host.many.choices.Choices
        About files and what is said of them.
    """

    tile: tuple = None
    max_mpixel: float = pipeline.MAX_MPIXEL
    encoding: codecs.Encoding = codecs.encoding()
    clip: Clip = Clip()
    compare: bool = False
    again: bool = False
    choices: Choices = Choices()


def run(
    work: Work, folder: pathlib.Path, backend: Backend, options: Options, say: Callable = print, quiet: bool = False
) -> int:
    """Do the jobs of a run.

    Parameters
    ----------
    work : host.jobs.collect.Work
    folder : pathlib.Path
        The output folder, with the record of what is finished.
    backend : host.picture.backends.Backend
    options : Options
    say : callable
        Takes a line for the user.
    quiet : bool
        No bar; errors are shown all the same.

    Returns
    -------
    int
        Exit code: 0, `EXIT_SOME_FAILED` (also where a video could be read in part only), or `EXIT_INTERRUPTED` after
        Ctrl-C.

    Raises
    ------
    UserError
        What would make every further job fail: another run has the folder, the disk is full, the backend fails twice.
    """
    with Record(folder, Inputs(job.source for job in work.jobs)) as record:
        return _Run(work, record, backend, options, say, quiet).run()


def finished_pictures(work: Work, folder: pathlib.Path, backend: Backend, options: Options) -> list[Job]:
    """Return the jobs of a run whose pictures are finished, in this run or an earlier one; parameters as for `run`."""
    with Record(folder) as record:
        settings = _Run(work, record, backend, options, print, True).settings
        return [job for job in work.jobs if not job.video and record.finished(job, settings[job.video])]


class _Stop(Exception):
    """Nothing more can be done in this run."""


class _Run:
    def __init__(self, work, record, backend, options, say, quiet):
        self.work, self.record, self.backend, self.options = work, record, backend, options
        self.say, self.quiet, self.bar = say, quiet, None
        self.settings = {
            False: settings_digest(backend.model, **options.choices.settings()),
            True: settings_digest(
                backend.model, encoding=dataclasses.asdict(options.encoding), clip=repr(options.clip)
            ),
        }  # by is_video
        self.clock = pipeline.Clock()
        self.failed = list(work.refused)
        self.damaged = []  # what is upscaled as far as it could be read
        self.done = self.before = self.pixels = 0
        self.method = before_after.method_name(backend.model.network)
        self.lines, self.sizes = options.choices.lines, {}
        self.begun = collections.deque()  # [job, pixels of its result, how many of them are there, when it began]
        self.noted = collections.Counter()

    def run(self):
        """Return the exit code."""
        begin, stopped, interrupted = time.perf_counter(), None, False
        try:
            todo = self._todo()
            with tqdm(
                total=sum(size for _, size in todo),
                unit="pixel",
                unit_scale=True,
                leave=False,
                dynamic_ncols=True,
                disable=True if self.quiet else None,
            ) as self.bar:  # on a terminal only
                self.place = {job: f"{i}/{len(todo)}" for i, (job, _) in enumerate(todo, 1)}
                for is_video, group in itertools.groupby(todo, lambda item: item[0].video):
                    (self._videos if is_video else self._pictures)(group)
        except KeyboardInterrupt:
            interrupted = True
        except _Stop as stop:
            stopped = stop
        self._summary(time.perf_counter() - begin)
        if stopped is not None:
            raise UserError(f"{stopped}; {KEPT}") from stopped
        if interrupted:
            print(f"interrupted; {KEPT}", file=sys.stderr)
            return EXIT_INTERRUPTED
        return EXIT_SOME_FAILED if self.failed or self.damaged else 0

    def _todo(self):
        """Return what is left to do: jobs, each with the pixels of its result."""
        self.record.remove_leftovers()
        todo = []
        for job in self.work.jobs:
            if not self.options.again and self.record.finished(job, self.settings[job.video]) and self._has_figure(job):
                self.before += 1
                continue
            try:
                self._check_owned(job)
                todo.append((job, self._measure(job)))
            except UserError as error:
                self.failed.append(str(error))
        return todo

    def _check_owned(self, job):
        """Raise `UserError` if a file that no run has left like this would be replaced."""
        files = [job.output]
        if self.options.compare and not job.video:
            files.append(before_after.figure_path(job.output))
        for path in files:
            if os.path.isfile(path) and not self.options.choices.overwrite and not self.record.owns(path):
                raise UserError(
                    f"{path} is there already, and not as a run has left it; give --overwrite to replace it, or "
                    f"another output"
                )

    def _has_figure(self, job):
        return job.video or not self.options.compare or before_after.figure_path(job.output).exists()

    def _measure(self, job):
        """Return the pixels of a job's result, from the file's header."""
        if job.video:
            info = video.probe(job.source, self.options.clip)
            self.sizes[job] = info.size
            self._check_size(*info.size, name=f"{job.source}: ")
            return info.size[0] * info.size[1] * max(1, info.frames) * self.backend.model.upscale**2
        header = picture_files.picture_header(job.source)
        size, kind = header.size, picture_files.WRITABLE[job.output.suffix.lower()]
        self.sizes[job] = size
        self._check_size(*size, pipeline.bytes_per_pixel(*header[1:], kind.memory), f"{job.source}: ")
        return size[0] * size[1] * self.backend.model.upscale**2

    def _check_size(self, width, height, per_pixel=pipeline.BYTES_PER_PIXEL, name=""):
        try:
            pipeline.check_size(width, height, self.backend.model.upscale, self.options.max_mpixel, per_pixel)
        except UserError as error:
            raise UserError(f"{name}{error}") from error

    def _pictures(self, todo):
        results = self.backend.upscale_many(self._read(todo), self.options.tile, self.clock, self._progress)
        for (job, size, before, picture), compute in results:
            try:
                result = insist(compute)
                with self.clock("write"):
                    announce = functools.partial(self.record.writing, output=job.output)
                    notes = picture_files.write_picture(job.output, result, announce, self.options.choices.encoding)
                    files = [job.output]
                    if self.options.compare:
                        figure, name = before_after.figure_path(job.output), self.method
                        announce = functools.partial(self.record.writing, output=figure)
                        files.append(before_after.draw(picture, result, figure, None, name, announce))
            except ComputeError as error:
                raise _Stop(str(error)) from error
            except UserError as error:
                self._fail(job, size, error)
            else:
                self._finish(job, before, files, (*picture.notes, *notes), size)

    def _read(self, todo):
        """Yield what `Backend.upscale_many` takes; what cannot be read is left out."""
        for job, size in todo:
            try:
                self._announce(job, size)
                before = stamp(job.source)
                with self.clock("read"):
                    picture = picture_files.read_picture(
                        job.source, lambda *size, name=f"{job.source}: ": self._check_size(*size, 0, name)
                    )
                    picture = picture.shallow() if self.options.choices.depth == 8 else picture
                self._check_output(job, tuple(side * self.backend.model.upscale for side in picture.size))
            except OSError as error:
                self._fail(
                    job, size, UserError(f"cannot read {job.source}: {error.strerror}; check the name and the folder")
                )
            except UserError as error:
                self._fail(job, size, error)
            else:
                yield (job, size, before, picture), picture

    def _videos(self, todo):
        for job, size in todo:
            self._announce(job, size)
            try:
                before = stamp(job.source)
                self._check_output(job)
                with video.open_source(job.source, self.options.clip) as source:
                    result = video.upscale_video(
                        source,
                        job.output,
                        self.backend,
                        self.options.tile,
                        self.options.encoding,
                        self.clock,
                        self._check_size,
                        self._progress,
                    )
            except ComputeError as error:
                raise _Stop(str(error)) from error
            except OSError as error:
                self._fail(
                    job, size, UserError(f"cannot read {job.source}: {error.strerror}; check the name and the folder")
                )
            except UserError as error:
                self._fail(job, size, error)
            else:
                self._finish(
                    job,
                    before,
                    [job.output],
                    result.notes,
                    result.pixels,
                    f", {result.frames} frame{'s' * (result.frames != 1)}, {result.fps:.2f} fps, {result.sound}",
                )
                if result.damage:
                    self.damaged.append(f"{job.source}: {'; '.join(result.damage)}")
                    if self.lines:
                        self.lines.emit("note", source=job.source, text="; ".join(result.damage))

    def _check_output(self, job, size=None):
        output_folder(job.output.parent)
        if job.video:
            video.check_output(job.output, job.source, self.options.encoding)
        else:
            picture_files.check_output(job.output, job.source, size)
            if self.options.compare:
                picture_files.check_output(before_after.figure_path(job.output), job.source)

    def _announce(self, job, size):
        self.bar.set_description(f"{self.place[job]} {job.source.name}", refresh=False)
        self.begun.append([job, size, 0, time.perf_counter()])
        if self.lines:
            width, height = self.sizes[job]
            upscale = self.backend.model.upscale
            result = [width * upscale, height * upscale]
            self.lines.emit("file", source=job.source, output=job.output, size=[width, height], result=result)

    def _progress(self, pixels):
        """Note pixels of the first picture that is not finished: results come in order."""
        self.bar.update(pixels)
        if self.lines and self.begun:
            first = self.begun[0]
            first[2] = min(first[1], first[2] + pixels)
            self.lines.progress(first[0].source, first[2], first[1])

    def _end(self, job):
        """Forget a picture that was begun; return its seconds."""
        for item in self.begun:
            if item[0] is job:
                self.begun.remove(item)
                return time.perf_counter() - item[3]
        return 0.0

    def _note(self, job, note):
        """Say what was lost or converted; what is the same for many files once."""
        self.noted[note] += 1
        if self.lines:
            self.lines.emit("note", source=job.source, text=note)
        elif self.noted[note] == 1:
            self._line(f"note: {job.source}: {note}")

    def _finish(self, job, before, files, notes, pixels, more=""):
        try:
            self.record.add(job, self.settings[job.video], before, files)
        except OSError as error:
            raise _Stop(f"cannot write the record of what is finished ({error.strerror}); free some space") from error
        self.done += 1
        self.pixels += pixels
        self._line(f"{job.source} -> {job.output}{more}")
        seconds = self._end(job)
        for note in notes:
            self._note(job, note)
        if self.lines:
            self.lines.emit("done", source=job.source, output=job.output, seconds=round(seconds, 3))

    def _fail(self, job, size, error):
        if is_full(error):
            raise _Stop(f"the disk is full, {job.output} could not be written; free some space") from error
        self._end(job)
        self.failed.append(str(error))
        self.bar.total -= size
        self.bar.refresh()

    def _line(self, text):
        with tqdm.external_write_mode():  # or the bar would be in the middle of it
            self.say(text)

    def _summary(self, seconds):
        count = len(self.work.jobs) + len(self.work.refused)
        words = [f"{self.done} of {count} upscaled"]
        if self.before:
            words.append(f"{self.before} finished before")
        if self.damaged:
            words.append(f"{len(self.damaged)} of them damaged, as far as they could be read")
        if self.failed:
            words.append(f"{len(self.failed)} failed")
        if self.work.others:
            names = [path.name for path in self.work.others[:3]] + ["..."] * (len(self.work.others) > 3)
            words.append(f"{len(self.work.others)} of other kinds left alone ({', '.join(names)})")
        times = (
            f"; {self.clock.line()}; {seconds:.2f} s in all, {self.pixels / 1e6 / seconds:.2f} Mpixel/s"
            if self.done
            else ""
        )
        for note, files in self.noted.items():
            if files > 1:
                self.say(f"note: so for {files} files: {note}")
        self.say(f"{', '.join(words)}{times}")
        if self.lines:
            for sentence in self.failed:
                self.lines.emit("error", source=None, text=sentence)
            counts = {"done": self.done, "before": self.before, "failed": len(self.failed)}
            self.lines.emit("end", **counts, seconds=round(seconds, 3))
        for sentence in self.damaged:
            print(f"note: {sentence}", file=sys.stderr)
        for sentence in self.failed:
            print(f"error: {sentence}", file=sys.stderr)
