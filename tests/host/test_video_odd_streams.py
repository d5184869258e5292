"""What lies beside the pictures may be odd or damaged: pictures are written all the same, and what is lost is said."""

import fractions
import pathlib
import re

import numpy as np
import pytest

from tests.host.test_run_pynq import folder, run  # noqa: F401 (folder and run are fixtures)
from tests.host.test_video import make

av = pytest.importorskip("av")


def seen(name):
    """Frames, their times in seconds, and audio packets as (bytes, time)."""
    with av.open(name) as container:
        frames = [round(float(frame.pts * frame.time_base), 3) for frame in container.decode(video=0)]
    with av.open(name) as container:
        sound = container.streams.audio
        packets = [each for each in container.demux(sound[0]) if each.size] if sound else []
        return frames, [(bytes(each), float(each.pts * each.time_base)) for each in packets]


@pytest.mark.parametrize("result", ["b.mp4", "b.mkv", "b.webm"])
def test_audio_of_a_codec_that_nobody_knows(folder, run, result):  # noqa: F811
    make("a.mkv", frames=4)
    data = pathlib.Path("a.mkv").read_bytes()
    assert data.count(b"A_AAC") == 1
    pathlib.Path("a.mkv").write_bytes(data.replace(b"A_AAC", b"A_XYZ"))
    code, out, err = run("a.mkv", "-o", result)
    assert (code, err) == (0, "")
    assert f"note: the audio (unknown) is dropped: {result[1:]} holds no such audio" in out
    assert len(seen(result)[0]) == 4


def test_pictures_of_a_codec_that_nobody_knows(folder, run):  # noqa: F811
    make("a.mkv", frames=4)
    data = pathlib.Path("a.mkv").read_bytes()
    pathlib.Path("a.mkv").write_bytes(data.replace(b"V_MPEG4/ISO/AVC", b"V_MPEG9/ISO/XYZ"))
    code, out, err = run("a.mkv")
    assert (code, out) == (2, "")
    assert err == (
        "error: a.mkv holds moving pictures of a codec that FFmpeg does not know here; convert it to mp4 or copy it "
        "again from its source\n"
    )


@pytest.mark.parametrize("result", ["b.mp4", "b.mov", "b.mkv"])
def test_a_part_in_which_there_is_no_audio(folder, run, result):  # noqa: F811
    """The audio ends before, and a second one is there."""
    with av.open("a.mkv", "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 24, "yuv420p"
        short, long = (container.add_stream("aac", rate=48000, layout="mono") for _ in range(2))
        short.metadata["language"], long.metadata["language"] = "fra", "spa"
        for i in range(50):
            for packet in stream.encode(av.VideoFrame.from_ndarray(np.full((24, 32, 3), 5 * i, np.uint8))):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)
        for sound, count in ((short, 10), (long, 90)):
            for i in range(count):
                frame = av.AudioFrame.from_ndarray(np.full((1, 1024), 0.1, np.float32), format="fltp", layout="mono")
                frame.sample_rate, frame.pts, frame.time_base = 48000, 1024 * i, fractions.Fraction(1, 48000)
                container.mux(sound.encode(frame))
            container.mux(sound.encode(None))
    code, out, err = run("a.mkv", "-o", result, "--start", "1")
    assert (code, err) == (0, "") and "language" not in out
    assert len(seen(result)[0]) == 25
    with av.open(result) as container:
        languages = [each.metadata.get("language") for each in container.streams.audio]
        assert languages == (["fra", "spa"] if result == "b.mkv" else ["spa"])


@pytest.mark.parametrize("result", ["b.mp4", "b.mkv"])
def test_tags_of_an_old_program(folder, run, result):  # noqa: F811
    """Not UTF-8: what was usual in the West."""
    make("a.avi", frames=4, audio="mp3", codec="mpeg4")
    with av.open("a.avi") as container, av.open("t.avi", "w") as tagged:
        streams = {each: tagged.add_stream_from_template(each) for each in container.streams}
        tagged.metadata.update(title="M--xchen", artist="J--rg")
        for packet in container.demux():
            if packet.size:
                packet.stream = streams[packet.stream]
                tagged.mux(packet)
    data = pathlib.Path("t.avi").read_bytes()
    assert data.count(b"M--xchen") == 1 and data.count(b"J--rg") == 1
    pathlib.Path("t.avi").write_bytes(data.replace(b"M--xchen", b"M\xe4\x85xchen").replace(b"J--rg", b"J\xf6\x81rg"))
    code, out, err = run("t.avi", "-o", result)
    assert (code, err) == (0, "")
    with av.open(result) as container:
        tags = {key.lower(): value for key, value in container.metadata.items()}
        assert (tags["title"], tags["artist"]) == ("M\xe4\u2026xchen", "J\xf6\ufffdrg")


@pytest.mark.parametrize("result", ["b.mp4", "b.mkv"])
@pytest.mark.parametrize("later", [0, 1000], ids=["anew", "later"])
def test_two_recordings_one_behind_the_other(folder, run, result, later):  # noqa: F811
    """`cat a.ts b.ts`: the clock begins anew in the middle, or goes on some time later."""
    make("a.ts", frames=20, codec="mpeg2video", audio="mp2")
    with av.open("a.ts") as container, av.open("b.ts", "w") as moved:
        streams = {each: moved.add_stream_from_template(each) for each in container.streams}
        for packet in container.demux():
            if packet.size:
                ticks = round(later / packet.time_base)
                packet.pts, packet.dts, packet.stream = packet.pts + ticks, packet.dts + ticks, streams[packet.stream]
                moved.mux(packet)
    pathlib.Path("two.ts").write_bytes(pathlib.Path("a.ts").read_bytes() + pathlib.Path("b.ts").read_bytes())
    with av.open("two.ts") as container:
        times = [float(frame.pts * frame.time_base) for frame in container.decode(video=0)]
    steps = np.diff(times)
    assert (max(steps) > 900 if later else min(steps) < -0.5) and len(times) >= 39
    code, out, err = run("two.ts", "-o", result)
    assert code == 0 and f"the clock of the pictures jumps {'forward by 999.' if later else 'back by 0.'}" in out
    assert "they go on without a gap" in out
    frames, sound = seen(result)
    assert len(frames) == len(times) and np.allclose(np.diff(frames), 0.04, atol=0.002)
    once = seen("a.ts")[1]
    assert [data for data, _ in sound] == [data for data, _ in once] * 2
    lengths = np.diff([time for _, time in sound])
    assert np.allclose(lengths, lengths[0], atol=0.002)


def test_a_long_gap_is_kept_where_files_may_have_one(folder, run):  # noqa: F811
    """A slide show: pictures that stay for a minute, in a file whose times are to be trusted; and a silence."""
    with av.open("a.mkv", "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 24, "yuv420p"
        stream.codec_context.time_base = fractions.Fraction(1, 1000)
        for i in range(3):
            frame = av.VideoFrame.from_ndarray(np.full((24, 32, 3), 50 * i, np.uint8))
            frame.pts, frame.time_base = 60_000 * i, fractions.Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    code, out, err = run("a.mkv", "-o", "b.mp4")
    assert (code, err) == (0, "") and "jumps" not in out and seen("b.mp4")[0] == [0, 60, 120]


@pytest.mark.parametrize("result", ["b.mp4", "b.mov", "b.mkv"])
def test_a_damaged_packet_of_audio(folder, run, result):  # noqa: F811
    """mp4 cannot hold AAC whose frame begins with something else."""
    make("a.ts", frames=30, audio="aac")
    before = seen("a.ts")[1]
    data = bytearray(pathlib.Path("a.ts").read_bytes())
    begins = [i for i in range(len(data) - 1) if data[i] == 0xFF and data[i + 1] == 0xF1]
    data[begins[5]] = 0
    pathlib.Path("a.ts").write_bytes(data)
    code, out, err = run("a.ts", "-o", result)
    frames, sound = seen(result)
    whole = [data[7:] for data, _ in before]  # without ADTS' header
    kept = [data if data in whole else data[7:] for data, _ in sound]
    assert len(frames) == 30 and len(before) - 20 <= len(kept) < len(before)  # a damaged packet has many frames
    assert all(data in whole for data in kept)
    assert code == 1 and re.fullmatch(
        r"note: a\.ts: (1 packet|\d packets) of what lies beside the pictures (is|are) damaged and left out\n", err
    )


@pytest.mark.parametrize("result", ["b.mp4", "b.mkv"])
def test_a_cover_that_is_no_picture(folder, run, result):  # noqa: F811
    with av.open("a.mkv", "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 24, "yuv420p"
        container.add_attachment("cover.jpg", "image/jpeg", b"\xff\xd8\xff\xe0 not a picture")
        for i in range(4):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((24, 32, 3), 5 * i, np.uint8))))
        container.mux(stream.encode(None))
    code, out, err = run("a.mkv", "-o", result)
    assert (code, err) == (0, "") and len(seen(result)[0]) == 4
    assert ("note: the cover picture (mjpeg) is damaged and dropped" in out) == (result == "b.mp4")


def test_what_an_encoder_does_not_take_is_said_as_such(folder, run):  # noqa: F811
    """SVT-AV1 knows up to 240 frames a second."""
    with av.open("a.mkv", "w") as container:
        stream = container.add_stream("ffv1", rate=1000)
        stream.width, stream.height, stream.pix_fmt = 32, 24, "bgr0"
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((24, 32, 3), np.uint8))))
        container.mux(stream.encode(None))
    code, out, err = run("a.mkv", "-o", "b.webm")
    assert code == 2 and err == (
        "error: av1 is not written here in frames of 96x72, 1000 a second (Invalid argument); choose another --codec\n"
    )
    assert run("a.mkv", "-o", "b.mp4")[0] == 0
