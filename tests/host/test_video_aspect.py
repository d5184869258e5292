"""The pixel's aspect ratio in Matroska and WebM, which players that don't know the codec's read from the track."""

import fractions
import pathlib
import subprocess
import sys
import zlib

import numpy as np
import pytest

from host.video.carry.matroska import set_aspect, shown_size
from model.base.paths import ROOT
from tests.host.test_run_pynq import folder, run  # noqa: F401 (folder and run are fixtures)
from tests.host.test_video import make
from tests.host.test_video_copies import find, make_all

av = pytest.importorskip("av")
MASTERS = {0x18538067, 0x114D9B74, 0x4DBB, 0x1654AE6B, 0xAE, 0xE0, 0x1C53BB6B, 0xBB, 0xB7}


def number(data, at, keep):
    length = next(n for n in range(1, 9) if data[at] & (256 >> n))
    value = int.from_bytes(data[at : at + length], "big")
    return (value if keep else value & ((1 << 7 * length) - 1)), at + length


def elements(data, at=0, end=None, above=()):
    """Yield (names from the top, place, content) of all elements; names that come more than once as well."""
    end = len(data) if end is None else end
    while at < end:
        name, inside = number(data, at, True)
        length, inside = number(data, inside, False)
        assert inside + length <= end
        yield (*above, name), at, data[inside : inside + length]
        if name in MASTERS:
            yield from elements(data, inside, inside + length, (*above, name))
        at = inside + length


def check_structure(data):
    """Check sums are right, and the index leads to what it names."""
    found = list(elements(data))
    places = {at: names[-1] for names, at, _ in found}
    segment = next(at for names, at, _ in found if names == (0x18538067,)) + 12
    named = None
    seen = 0
    for names, _, content in found:
        if names[-2:] == (0x4DBB, 0x53AB):
            named = int.from_bytes(content, "big")
        if names[-2:] == (0x4DBB, 0x53AC):
            assert places[segment + int.from_bytes(content, "big")] == named
            seen += 1
        if names[-1] == 0xF1:  # of a cue: where its cluster is
            assert places[segment + int.from_bytes(content, "big")] == 0x1F43B675
            seen += 1
        if len(names) == 2 and content[:2] == b"\xbf\x84":
            assert zlib.crc32(content[6:]) == int.from_bytes(content[2:6], "little")
    assert seen >= 4
    return {names[-1]: int.from_bytes(content, "big") for names, _, content in found if names[-2:-1] == (0xE0,)}


@pytest.mark.parametrize("aspect", ["4:3", "8:9", "64:45"])
@pytest.mark.parametrize(
    "codec, suffix", [("ffv1", "mkv"), ("av1", "mkv"), ("av1", "webm"), ("prores", "mkv"), ("h264", "mkv")]
)
def test_kept(folder, run, codec, suffix, aspect):  # noqa: F811
    aspect = fractions.Fraction(*map(int, aspect.split(":")))
    size = (64, 48)

    def setup(stream):
        stream.codec_context.sample_aspect_ratio = aspect

    audio = None if suffix == "webm" else "aac"
    make("a.mp4", frames=3, size=size, audio=audio, setup=setup)
    make("b.mp4", frames=3, size=size, audio=audio)
    code, out, err = run("a.mp4", "-o", f"a.{suffix}", "--codec", codec)
    assert (code, err) == (0, "") and "aspect" not in out
    run("b.mp4", "-o", f"b.{suffix}", "--codec", codec)
    with av.open(f"a.{suffix}") as container, av.open(f"b.{suffix}") as other:
        stream, usual = container.streams.video[0], other.streams.video[0]
        assert stream.sample_aspect_ratio == aspect and (usual.sample_aspect_ratio or 1) == 1
        packets, others = ([bytes(packet) for packet in each.demux() if packet.size] for each in (container, other))
    if codec != "h264":  # which says it in its own bits
        assert packets == others
    shown = check_structure(pathlib.Path(f"a.{suffix}").read_bytes())
    width, height = 3 * size[0], 3 * size[1]
    assert (shown[0xB0], shown[0xBA]) == (width, height)
    assert fractions.Fraction(shown[0x54B0] * height, shown[0x54BA] * width) == aspect and 0x54B2 not in shown
    assert height / 1.5 < shown[0x54BA] < height * 1.5
    assert 0x54B0 not in check_structure(pathlib.Path(f"b.{suffix}").read_bytes())


def test_through_a_pipe_and_as_pictures(folder):  # noqa: F811
    def setup(stream):
        stream.codec_context.sample_aspect_ratio = fractions.Fraction(4, 3)

    make("a.mp4", frames=2, audio=None, setup=setup)
    make("b.mp4", frames=2, audio=None)
    command = [sys.executable, ROOT / "host" / "run_pynq.py", "--backend", "golden"]

    def out_of(*more, given=None):
        done = subprocess.run([*command, *more], capture_output=True, input=given, timeout=120)
        assert done.returncode == 0, done.stderr
        return done

    done, other = out_of("a.mp4", "-o", "-"), out_of("b.mp4", "-o", "-")
    assert b" A4:3 " in done.stdout.partition(b"\n")[0] and b"aspect" not in done.stderr
    assert b" A4:3 " not in other.stdout and len(done.stdout) == len(other.stdout)
    pathlib.Path("a.y4m").write_bytes(done.stdout)
    with av.open("a.y4m") as container:
        assert container.streams.video[0].sample_aspect_ratio == fractions.Fraction(4, 3)
        assert len(list(container.decode(video=0))) == 2
    out_of("a.y4m", "-o", "back.mkv", "--codec", "ffv1")
    with av.open("back.mkv") as container:
        assert container.streams.video[0].sample_aspect_ratio == fractions.Fraction(4, 3)
    said = b"note: the pixels' aspect ratio 4:3 is dropped: a picture does not hold it"
    assert said in out_of("a.mp4", "-o", "f/%d.png").stdout and said not in out_of("b.mp4", "-o", "g/%d.png").stdout


def test_seeking_still_finds_its_place(folder, run):  # noqa: F811
    def setup(stream):
        stream.codec_context.sample_aspect_ratio = fractions.Fraction(4, 3)

    make("a.mp4", frames=30, setup=setup)
    assert run("a.mp4", "-o", "a.mkv", "--codec", "ffv1")[0] == 0
    with av.open("a.mkv") as container:
        stream = container.streams.video[0]
        every = [bytes(frame.planes[0]) for frame in container.decode(video=0)]
        container.seek(int(1 / stream.time_base), stream=stream)
        frame = next(container.decode(video=0))
        index = round(float(frame.pts * frame.time_base - (stream.start_time or 0) * stream.time_base) * 25)
        assert index > 10 and bytes(frame.planes[0]) == every[index]


@pytest.mark.parametrize("codec", ["ffv1", "h264"])
def test_beside_all_that_a_file_can_have(folder, run, codec):  # noqa: F811
    make_all("all.mkv", ("srt", "hdmv_pgs_subtitle"))
    code, out, err = run("all.mkv", "-o", "out.mkv", "--codec", codec)
    assert (code, err) == (0, "") and "aspect" not in out
    check_structure(pathlib.Path("out.mkv").read_bytes())
    before, after = find("all.mkv"), find("out.mkv")
    lost = {"full range", "matrix, primaries, transfer"} if codec == "ffv1" else set()  # it is RGB
    assert {name for name in before if before[name] != after.get(name)} <= lost


def test_the_size_to_show():
    for width, height, aspect in [(720, 576, "64/45"), (1440, 1080, "4/3"), (1919, 1079, "10/11"), (1, 1, "2/1")]:
        shown = shown_size(width, height, fractions.Fraction(aspect))
        assert fractions.Fraction(*shown) == fractions.Fraction(width, height) * fractions.Fraction(aspect)
    assert shown_size(720, 576, fractions.Fraction(64, 45)) == (1024, 576)


def test_what_is_odd_is_left_alone(tmp_path):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 24, "bgr0"
        for _ in range(2):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((24, 32, 3), np.uint8))))
        container.mux(stream.encode(None))
    good = path.read_bytes()
    assert set_aspect(path, fractions.Fraction(4, 3)) and len(path.read_bytes()) == len(good)
    void, tracks = good.index(b"\xec\x01"), good.index(b"\x16\x54\xae\x6b")
    for bad in (
        b"",
        good[:30],
        good[:tracks],
        good[: tracks + 40],
        good[:void] + b"\xed" + good[void + 1 :],
        good.replace(b"\x18\x53\x80\x67", b"\x18\x53\x80\x68"),
        good[: tracks + 4] + b"\xff" + good[tracks + 5 :],
        b"\xff" * 200,
        bytes(200),
    ):
        path.write_bytes(bad)
        assert not set_aspect(path, fractions.Fraction(4, 3)) and path.read_bytes() == bad
