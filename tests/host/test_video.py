"""Videos: each frame equals the picture pipeline's, audio and times stay, and whatever breaks is said in one
sentence.
"""

import fractions
import os
import pathlib
import re
import shutil

import cv2
import numpy as np
import pytest

from host.picture import pipeline
from host.picture.backends import GoldenBackend
from host.video import parts
from host.video.read import source as video_in
from host.video.read.library import scaling
from model.imaging.files import Picture, read_picture, write_picture
from tests.host.test_batch import terminal
from tests.host.test_run_pynq import COLOUR, SCRIPT, folder, run, snapshot  # noqa: F401 (folder and run are fixtures)
from tests.random_models import FASTEST, random_model

av = pytest.importorskip("av")
FRAMES, WIDTH, HEIGHT = 20, 32, 24
SCENE = cv2.resize(
    np.random.default_rng(5).integers(0, 256, (6, 20, 3)).astype(np.uint8), (150, HEIGHT), interpolation=cv2.INTER_CUBIC
)


def make(
    path,
    frames=FRAMES,
    size=(WIDTH, HEIGHT),
    pts=None,
    audio="aac",
    codec="libx264",
    pix="yuv420p",
    options=(),
    fast_start=False,
    setup=None,
):
    """Write a video of a moving scene, and a tone."""
    width, height = size
    # avi counts frames, not time, and so do the codecs of mpg
    tick = 1 if str(path).endswith((".avi", ".mpg", ".ts", ".vob", ".mxf")) else 512
    scene = cv2.resize(SCENE, (width + 3 * frames, height))
    with av.open(str(path), "w", options={"movflags": "faststart"} if fast_start else {}) as container:
        stream = container.add_stream(codec, rate=25, options=dict(options))
        stream.width, stream.height, stream.pix_fmt = width, height, pix
        stream.codec_context.time_base = fractions.Fraction(1, 25 * tick)
        if setup:
            setup(stream)
        tone = container.add_stream(audio, rate=48000, layout="stereo") if audio else None
        for i in range(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(scene[:, 3 * i : 3 * i + width]), format="rgb24")
            frame = frame.reformat(
                format=pix,
                dst_colorspace="ITU709" if stream.codec_context.colorspace == 1 else "ITU601",
                dst_color_range=1,
            )
            frame.pts, frame.time_base = pts[i] if pts else tick * i, fractions.Fraction(1, 25 * tick)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if tone:
            for i in range(frames * 1920 // 1024 + 1):
                samples = (8000 * np.sin(0.05 * np.arange(1024 * i, 1024 * (i + 1)))).astype(np.float32) / 32768
                sound = av.AudioFrame.from_ndarray(np.stack([samples, samples]), format="fltp", layout="stereo")
                sound.sample_rate, sound.pts, sound.time_base = 48000, 1024 * i, fractions.Fraction(1, 48000)
                container.mux(tone.encode(sound))
            container.mux(tone.encode(None))


def write_hdr(path, planes, transfer, codec="ffv1", options=()):
    """Write a video of two equal frames of 10 bits, 4:2:0, in the colours of BT.2020 with a transfer of its own."""
    height, width = planes.shape[0] * 2 // 3, planes.shape[1]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=dict(options))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p10le"
        context = stream.codec_context
        context.colorspace, context.color_primaries, context.color_trc, context.color_range = 9, 9, transfer, 1
        for i in range(2):
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p10le")
            frame.pts, frame.time_base = i, fractions.Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="session")
def clips(tmp_path_factory):
    """Made once: clip.mp4, and one whose header comes first."""
    path = tmp_path_factory.mktemp("clips")
    make(path / "clip.mp4")
    make(path / "fast.mp4", fast_start=True)
    return path


@pytest.fixture
def clip(folder, clips):  # noqa: F811
    """clip.mp4 in the current folder."""
    shutil.copy(clips / "clip.mp4", "clip.mp4")
    return folder


@pytest.fixture
def short_parts(monkeypatch):
    """Parts of 8 frames: 20 frames are two parts and a rest."""
    monkeypatch.setattr(parts, "PART_FRAMES", 8)


def packets(path, kind):
    with av.open(str(path)) as container:
        stream = getattr(container.streams, kind)[0]
        return [(packet.pts * packet.time_base, bytes(packet)) for packet in container.demux(stream) if packet.size]


def times(path):
    with av.open(str(path)) as container:
        return [frame.pts * frame.time_base for frame in container.decode(video=0)]


def rgb(path):
    with video_in.Source(path) as source:
        return [picture.pixels for _, picture in source.read()]


# --- what it writes ------------------------------------------------------------------------------------------


def test_every_frame_equals_the_picture_s(clip, run):  # noqa: F811
    """Through the command line and files: the frame as a png, upscaled as a picture, and the frame of a lossless
    video.
    """
    code, out, err = run("clip.mp4", "--crf", "0", "-o", "out.mp4")
    assert (code, err) == (0, "")
    assert f"clip.mp4 32x24 -> out.mp4 96x72, {FRAMES} frames: srcnn915 x3 on {FASTEST}" in out
    assert re.search(
        r"read .* compute .* write .*; 20 frames, audio \(aac\) copied untouched; [0-9.]+ fps, [0-9.]+ Mpixel/s\n$", out
    )
    frames, results = rgb("clip.mp4"), rgb("out.mp4")
    assert len(frames) == len(results) == FRAMES and not np.array_equal(frames[0], frames[1])
    for i in (0, 7, FRAMES - 1):
        write_picture("frame.png", Picture(frames[i]))
        assert run("frame.png", "--overwrite")[0] == 0
        np.testing.assert_array_equal(results[i], read_picture("frame_x3.png").pixels)
    backend = GoldenBackend(random_model())
    for frame, result in zip(frames, results):
        np.testing.assert_array_equal(result, pipeline.upscale_picture(Picture(frame), backend).pixels)


def test_frames_of_a_network_for_video(clip, run, weight_files):  # noqa: F811
    code, out, err = run("clip.mp4", "--crf", "0", "-o", "out.mp4", weights=weight_files["abpn8m2", 2])
    assert (code, err) == (0, "")
    assert f"clip.mp4 32x24 -> out.mp4 64x48, {FRAMES} frames: abpn8m2 x2 on {FASTEST}" in out
    backend = GoldenBackend(random_model("abpn8m2", 2))
    for frame, result in zip(rgb("clip.mp4"), rgb("out.mp4"), strict=True):
        np.testing.assert_array_equal(result, pipeline.upscale_picture(Picture(frame), backend).pixels)


def test_what_players_get_is_close(clip, run):  # noqa: F811
    assert run("clip.mp4")[0] == 0
    with av.open("clip_x3.mp4") as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.format.name, stream.width, stream.height, stream.average_rate) == (
            "h264",
            "yuv420p",
            96,
            72,
            25,
        )
    backend = GoldenBackend(random_model())
    for frame, result in zip(rgb("clip.mp4"), rgb("clip_x3.mp4"), strict=True):
        y = pipeline.upscale_picture(Picture(frame), backend).pixels.astype(int)
        assert np.abs(y.mean(2) - result.mean(2)).mean() < 6  # a random network's noise, encoded


def test_audio_and_times_stay(clip, run):  # noqa: F811
    assert run("clip.mp4")[0] == 0
    assert packets("clip_x3.mp4", "audio") == packets("clip.mp4", "audio") and len(packets("clip.mp4", "audio")) > 30
    assert times("clip_x3.mp4") == times("clip.mp4")


STEPS = {
    "random": np.random.default_rng(2).choice([1, 40, 512, 5000], FRAMES),
    "slower": [40] * 8 + [5000] * 12,
}  # a part's first decoding times, as its encoder guesses them, lie before the last part's end


@pytest.mark.parametrize("steps", STEPS)
def test_variable_frame_rate(folder, run, short_parts, steps):  # noqa: F811
    make("clip.mp4", pts=(np.cumsum(STEPS[steps]) + 777).tolist())
    assert len(set(np.diff([float(t) for t in times("clip.mp4")]).round(6))) > 1
    for crf in ("17", "0"):
        assert run("clip.mp4", "--crf", crf, "--overwrite")[0] == 0
        assert times("clip_x3.mp4") == times("clip.mp4")
    backend = GoldenBackend(random_model())
    for frame, result in zip(rgb("clip.mp4"), rgb("clip_x3.mp4"), strict=True):
        np.testing.assert_array_equal(result, pipeline.upscale_picture(Picture(frame), backend).pixels)


@pytest.mark.parametrize("matrix, size", [(1, (32, 24)), (6, (32, 24)), (2, (32, 24)), (2, (1280, 24)), (9, (32, 24))])
def test_colours_are_read_as_they_were_meant(folder, matrix, size):  # noqa: F811
    """A saturated colour survives only if Y, Cb, Cr are turned into RGB by the matrix they were made with."""
    colour = np.broadcast_to(np.array([30, 200, 60], np.uint8), (size[1], size[0], 3))
    meant = {1: "ITU709", 6: "ITU601", 9: "BT2020", 2: "ITU601" if size[0] < 1280 else "ITU709"}[matrix]  # 2: not said
    with av.open("c.mp4", "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "1"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.colorspace = matrix
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(colour), format="rgb24").reformat(
            format="yuv420p", dst_colorspace=meant, dst_color_range=1
        )
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert np.abs(rgb("c.mp4")[0].astype(int) - colour).max() <= 4


@pytest.mark.parametrize("matrix", [1, 6])
def test_colours_stay(folder, run, matrix):  # noqa: F811
    def setup(stream):
        stream.codec_context.colorspace = stream.codec_context.color_primaries = stream.codec_context.color_trc = matrix

    make("clip.mp4", frames=2, setup=setup)
    assert run("clip.mp4")[0] == 0
    with av.open("clip_x3.mp4") as container:
        context = container.streams.video[0].codec_context
        assert (context.colorspace, context.color_primaries, context.color_trc, context.color_range) == (
            matrix,
            matrix,
            matrix,
            1,
        )


def shown(pixels, a, b, c, d):
    """A picture as its display matrix wants it, pixel by pixel: (x, y) comes to (a x + c y, b x + d y)."""
    height, width = pixels.shape[:2]
    places = [(a * x + c * y, b * x + d * y) for y in range(height) for x in range(width)]
    left, top = min(x for x, _ in places), min(y for _, y in places)
    result = np.zeros((width, height, 3) if a == 0 else (height, width, 3), np.uint8)
    for (x, y), value in zip(places, pixels.reshape(-1, 3)):
        result[y - top, x - left] = value
    return result


ORIENTATIONS = {f"{degrees}{' mirrored' * flip}": (degrees, flip) for degrees in (0, 90, 180, 270) for flip in (0, 1)}


@pytest.mark.parametrize("how", ORIENTATIONS)
def test_all_eight_orientations_become_upright(folder, run, how):  # noqa: F811
    degrees, flip = ORIENTATIONS[how]
    turn = round(np.cos(np.radians(degrees))), round(np.sin(np.radians(degrees)))
    a, b, c, d = turn[0] * (-1) ** flip, -turn[1] * (-1) ** flip, turn[1], turn[0]  # mirrored, then turned to the left
    matrix = [value << 16 for value in (a, b, 0, c, d, 0, 0, 0)] + [1 << 30]
    make("turned.mp4", frames=2, setup=lambda stream: stream.set_display_matrix(matrix))
    assert run("turned.mp4", "--crf", "0")[0] == 0
    backend = GoldenBackend(random_model())
    with av.open("turned.mp4") as source, av.open("turned_x3.mp4") as result:
        for stored, frame in zip(source.decode(video=0), result.decode(video=0), strict=True):
            stored.colorspace = 5
            meant = shown(stored.reformat(format="rgb24", interpolation=scaling(av)).to_ndarray(), a, b, c, d)
            np.testing.assert_array_equal(
                frame.to_ndarray(format="rgb24"), pipeline.upscale_picture(Picture(meant), backend).pixels
            )
            assert not [kind for kind in frame.side_data if kind.type.name == "DISPLAYMATRIX"]


def test_odd_sides(folder, run):  # noqa: F811
    make("odd.mp4", frames=2, size=(33, 25), pix="yuv444p")
    code, out, err = run("odd.mp4")
    assert code == 0 and "note: 99x75 pixels became 100x76: the last row or column is doubled" in out
    assert [pixels.shape for pixels in rgb("odd_x3.mp4")] == [(76, 100, 3)] * 2
    assert run("odd.mp4", "--crf", "0", "--overwrite")[0] == 0 and rgb("odd_x3.mp4")[0].shape == (75, 99, 3)


def test_other_containers(folder, run):  # noqa: F811
    make("clip.mkv", frames=3)
    assert run("clip.mkv", "-o", "out.mov")[0] == 0 and len(rgb("out.mov")) == 3
    make("silent.avi", frames=3, audio=None, codec="mpeg4")
    code, out, err = run("silent.avi")
    assert code == 0 and "3 frames, no audio; " in out


def test_audio_that_mp4_cannot_hold(folder, run):  # noqa: F811
    for audio in ("pcm_s16le", "pcm_u8"):  # FFmpeg says it at different times
        make("clip.avi", frames=3, codec="mpeg4", audio=audio)
        code, out, err = run("clip.avi", "--overwrite")
        assert (
            code == 0
            and f"note: the audio ({audio}) is dropped: .mp4 holds no such audio" in out
            and "3 frames, no audio" in out
        )
        assert len(rgb("clip_x3.mp4")) == 3
        assert run("clip.avi", "-o", "out.mkv")[0] == 0 and [data for _, data in packets("out.mkv", "audio")] == [
            data for _, data in packets("clip.avi", "audio")
        ]


def test_deep_colour_is_said(folder, run):  # noqa: F811
    make("deep.mp4", frames=2, pix="yuv420p10le", audio=None)
    assert "note: more than 8 bits per channel: computed and written in 8 bits" in run("deep.mp4")[1]


def test_in_a_folder(clip, run):  # noqa: F811
    pathlib.Path("in/sub").mkdir(parents=True)
    shutil.move("clip.mp4", "in/sub/clip.mp4")
    cv2.imwrite("in/a.png", COLOUR)
    pathlib.Path("in/bad.mp4").write_text("no video")
    code, out, err = run("in", "-o", "out")
    assert code == 1 and re.search(
        r"in/sub/clip.mp4 -> out/sub/clip_x3.mp4, 20 frames, [0-9.]+ fps, audio \(aac\) copied untouched\n2 of 3 "
        r"upscaled, 1 failed",
        out,
    )
    assert err.startswith("error: in/bad.mp4 is not a readable video") and err.count("\n") == 1
    assert sorted(os.listdir("out")) == [".run_pynq.jsonl", "a_x3.png", "sub"] and os.listdir("out/sub") == [
        "clip_x3.mp4"
    ]
    assert "0 of 3 upscaled, 2 finished before, 1 failed" in run("in", "-o", "out")[1]
    assert (
        "1 of 3 upscaled, 1 finished before, 1 failed" in run("in", "-o", "out", "--crf", "20")[1]
    )  # pictures don't care


def test_bar_shows_frames_per_second_and_the_time_left(clip, weight_files):
    shown = terminal("clip.mp4", "--weights", weight_files["srcnn915", 3])
    assert re.search(r"[0-9]+/20 \[[0-9:]+<[0-9:?]+, *[0-9.?]+frame/s\]", shown)


def test_a_file_of_the_usual_name_is_not_replaced(clip, run):  # noqa: F811
    pathlib.Path("clip_x3.mp4").write_text("mine")
    code, out, err = run("clip.mp4")
    assert code == 2 and "clip_x3.mp4 is there already; give --overwrite to replace it" in err
    assert pathlib.Path("clip_x3.mp4").read_text() == "mine"
    assert run("clip.mp4", "--overwrite")[0] == 0 and len(rgb("clip_x3.mp4")) == len(rgb("clip.mp4"))
