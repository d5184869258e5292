"""A run over many pictures and videos: what fails is left out and reported, what is finished stays, the next run goes
on.
"""

from __future__ import annotations

import dataclasses
import itertools
import pathlib
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from tqdm import tqdm

from host.jobs.record import Record, is_full, output_folder, remove_leftovers, settings_digest, stamp
from host.picture import pipeline
from host.picture.backends import Backend, ComputeError, insist
from host.show import before_after
from host.video import video
from model.base.errors import UserError
from model.imaging import files as picture_files

if TYPE_CHECKING:
    from host.jobs.collect import Work

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
    crf : int
        Quality of videos, see `host.video.video.upscale_video`.
    compare : bool
        Draw a figure beside each picture's result.
    again : bool
        Compute what is finished as well.
    """

    tile: tuple = None
    max_mpixel: float = pipeline.MAX_MPIXEL
    crf: int = video.CRF
    compare: bool = False
    again: bool = False


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
        Exit code: 0, `EXIT_SOME_FAILED`, or `EXIT_INTERRUPTED` after Ctrl-C.

    Raises
    ------
    UserError
        What would make every further job fail: another run has the folder, the disk is full, the backend fails twice.
    """
    with Record(folder) as record:
        return _Run(work, record, backend, options, say, quiet).run()


class _Stop(Exception):
    """Nothing more can be done in this run."""


class _Seen(Exception):
    """Ends the reading of a picture behind its header."""


def _picture_size(path):
    """Return width and height of a picture file without decoding it."""

    def stop(width, height):
        raise _Seen(width, height)

    try:
        picture_files.read_picture(path, stop)
    except _Seen as seen:
        return seen.args
    raise AssertionError("read_picture asks for the size before it decodes")


class _Run:
    def __init__(self, work, record, backend, options, say, quiet):
        self.work, self.record, self.backend, self.options = work, record, backend, options
        self.say, self.quiet, self.bar = say, quiet, None
        self.settings = {
            False: settings_digest(backend.model),
            True: settings_digest(backend.model, crf=options.crf),
        }  # by is_video
        self.clock = pipeline.Clock()
        self.failed = list(work.refused)
        self.done = self.before = self.pixels = 0
        self.method = before_after.method_name(backend.model.network)

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
        return EXIT_SOME_FAILED if self.failed else 0

    def _todo(self):
        """Return what is left to do: jobs, each with the pixels of its result."""
        remove_leftovers(self.work.jobs)
        todo = []
        for job in self.work.jobs:
            if not self.options.again and self.record.finished(job, self.settings[job.video]) and self._has_figure(job):
                self.before += 1
                continue
            try:
                todo.append((job, self._measure(job)))
            except UserError as error:
                self.failed.append(str(error))
        return todo

    def _has_figure(self, job):
        return job.video or not self.options.compare or before_after.figure_path(job.output).exists()

    def _measure(self, job):
        """Return the pixels of a job's result, from the file's header."""
        if job.video:
            info = video.probe(job.source)
            self._check_size(*info.size)
            return info.size[0] * info.size[1] * info.frames * self.backend.model.upscale**2
        size = _picture_size(job.source)
        self._check_size(*size)
        return size[0] * size[1] * self.backend.model.upscale**2

    def _check_size(self, width, height):
        pipeline.check_size(width, height, self.backend.model.upscale, self.options.max_mpixel)

    def _pictures(self, todo):
        results = self.backend.upscale_many(self._read(todo), self.options.tile, self.clock, self.bar.update)
        for (job, size, before, picture), compute in results:
            try:
                result = insist(compute)
                with self.clock("write"):
                    notes = picture_files.write_picture(job.output, result)
                    files = [job.output]
                    if self.options.compare:
                        figure, name = before_after.figure_path(job.output), self.method
                        files.append(before_after.draw(picture, result, figure, name=name))
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
                self._announce(job)
                before = stamp(job.source)
                with self.clock("read"):
                    picture = picture_files.read_picture(job.source, self._check_size)
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
            self._announce(job)
            try:
                before = stamp(job.source)
                self._check_output(job)
                result = video.upscale_video(
                    job.source,
                    job.output,
                    self.backend,
                    self.options.tile,
                    self.options.crf,
                    self.clock,
                    self._check_size,
                    self.bar.update,
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
                    f", {result.frames} frames, {result.fps:.2f} fps, {result.sound}",
                )

    def _check_output(self, job, size=None):
        output_folder(job.output.parent)
        if job.video:
            video.check_output(job.output, job.source)
        else:
            picture_files.check_output(job.output, job.source, size)

    def _announce(self, job):
        self.bar.set_description(f"{self.place[job]} {job.source.name}", refresh=False)

    def _finish(self, job, before, files, notes, pixels, more=""):
        try:
            self.record.add(job, self.settings[job.video], before, files)
        except OSError as error:
            raise _Stop(f"cannot write the record of what is finished ({error.strerror}); free some space") from error
        self.done += 1
        self.pixels += pixels
        self._line(f"{job.source} -> {job.output}{more}")
        for note in notes:
            self._line(f"note: {job.source}: {note}")

    def _fail(self, job, size, error):
        if is_full(error):
            raise _Stop(f"the disk is full, {job.output} could not be written; free some space") from error
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
        self.say(f"{', '.join(words)}{times}")
        for sentence in self.failed:
            print(f"error: {sentence}", file=sys.stderr)
