"""What travels with a video: the table of docs/files-video.md, cell by cell, and what is said of what does not."""

import fractions
import io

import numpy as np
import pytest
from PIL import Image

from host.picture import pipeline
from host.picture.backends import GoldenBackend
from host.video import video
from host.video.carry.timecode import later
from model.base.paths import ROOT
from model.imaging.files import Picture, read_picture
from tests.host.test_run_pynq import folder, run  # noqa: F401 (fixtures)
from tests.host.test_video import make, write_hdr
from tests.random_models import random_model

av = pytest.importorskip("av")
STYLES = (
    b"[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\nFormat: Name, Fontname, Fontsize\nStyle: Default,Arial,16\n"
)
TEXTS = [(100, 400, "Hallo"), (600, 900, r"zwei\NZeilen {\i1}kursiv{\i0}")]
Role = av.stream.Disposition


def jpeg():
    data = io.BytesIO()
    Image.new("RGB", (16, 16), (200, 30, 30)).save(data, "JPEG")
    return data.getvalue()


def make_all(path, subtitles=("srt",)):
    """Write a video with everything that a file can have beside its pictures."""
    matroska = path.endswith(".mkv")
    with av.open(path, "w") as container:
        video = container.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 32, 24, "yuv420p"
        video.codec_context.sample_aspect_ratio = fractions.Fraction(4, 3)
        context = video.codec_context
        context.colorspace, context.color_primaries, context.color_trc, context.color_range = 5, 5, 4, 2
        video.metadata.update(language="deu", title="Bild", timecode="01:02:03:04")
        sounds = []
        for language, title, role in (("fra", "Ton", Role.default), ("eng", "Kommentar", Role.comment)):
            sound = container.add_stream("aac", rate=48000, layout="mono")
            sound.metadata.update(language=language, title=title)
            sound.disposition = role
            sounds.append(sound)
        texts = []
        for codec in subtitles:
            text = container.add_mux_stream(codec) if codec == "hdmv_pgs_subtitle" else container.add_stream(codec)
            text.metadata.update(language="spa", title="Texto")
            text.disposition, text.time_base = Role.forced, fractions.Fraction(1, 1000)
            if codec != "hdmv_pgs_subtitle":
                text.codec_context.subtitle_header = STYLES
            texts.append((codec, text))
        container.metadata.update(
            title="Film",
            artist="ich",
            comment="ja",
            creation_time="2024-05-06T07:08:09.000000Z",
            location="+48.1+011.5/",
        )
        base = fractions.Fraction(1, 1000)
        container.set_chapters(
            [
                {"id": 1, "start": 0, "end": 500, "time_base": base, "metadata": {"title": "Eins"}},
                {"id": 2, "start": 500, "end": 1200, "time_base": base, "metadata": {"title": "Zwei"}},
            ]
        )
        if matroska:
            container.add_attachment("cover.jpg", "image/jpeg", jpeg())
            container.add_attachment("font.ttf", "application/x-truetype-font", bytes(40))
        container.start_encoding()
        for i in range(30):
            pixels = np.random.default_rng(i).integers(0, 256, (24, 32, 3)).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(
                format="yuv420p", dst_colorspace="ITU601", dst_color_range=2
            )
            frame.pts, frame.time_base = i, fractions.Fraction(1, 25)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        for sound in sounds:
            for i in range(56):
                frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
                frame.sample_rate, frame.pts, frame.time_base = 48000, 1024 * i, fractions.Fraction(1, 48000)
                container.mux(sound.encode(frame))
            container.mux(sound.encode(None))
        for codec, text in texts:
            for i, (begin, end, words) in enumerate(TEXTS):
                packet = av.Packet(b"\x16\x00\x00") if codec == "hdmv_pgs_subtitle" else None
                if packet is None:
                    shown = av.subtitles.subtitle.SubtitleSet.create(
                        text=f"{i},0,Default,,0,0,0,,{words}".encode(), start=0, end=end - begin, pts=begin * 1000
                    )
                    packet = text.codec_context.encode_subtitle(shown)
                packet.stream, packet.time_base, packet.pts, packet.dts = text, base, begin, begin
                packet.duration = end - begin
                container.mux(packet)
    return path


def find(path):
    """What a file has, read by PyAV: the table's rows that are there, each with what it is."""
    found = {}
    with av.open(path) as container:
        video, tags = container.streams.video[0], {key.lower(): value for key, value in container.metadata.items()}
        context = video.codec_context
        sounds, texts = container.streams.audio, list(container.streams.subtitles)
        found["audio"] = tuple(each.codec_context.name for each in sounds)
        found["languages"] = tuple(
            {"ger": "deu"}.get(each.language, each.language) for each in (video, *sounds, *texts) if each.language
        )
        found["titles of streams"] = tuple(
            each.metadata.get("title") or each.metadata.get("name") for each in (video, *sounds, *texts)
        )
        found["roles (forced, comment)"] = tuple(
            bool(each.disposition & role)
            for each, role in [*zip(sounds[1:], [Role.comment]), *zip(texts, [Role.forced])]
        )
        for each in texts:
            pictures = each.codec_context.name == "pgssub"
            found["subtitles, pictures" if pictures else "subtitles, text"] = each.codec_context.name
        found["chapters"] = tuple(
            (round(float(each["start"] * each["time_base"]), 3), each["metadata"].get("title"))
            for each in container.chapters()
        )
        covers = [each for each in container.streams.video if each.disposition & Role.attached_pic]
        for packet in container.demux(covers) if covers else ():
            if packet.size:
                found["cover picture"] = bytes(packet)
        found["attachments (fonts)"] = tuple(each.name for each in container.streams.attachments)
        found["title, artist, comment"] = tuple(tags.get(key) for key in ("title", "artist", "comment"))
        found["date"] = tags.get("creation_time")
        found["place"] = (tags.get("location") or "")[:5]
        found["timecode"] = {key.lower(): value for key, value in video.metadata.items()}.get("timecode")
        found["pixel's aspect ratio"] = video.sample_aspect_ratio
        found["matrix, primaries, transfer"] = context.colorspace, context.color_primaries, context.color_trc
        found["full range"] = context.color_range
    return {name: value for name, value in found.items() if value and any(value if type(value) is tuple else [value])}


def table():
    """The table of the page: {thing: {extension: kept, converted or dropped}}."""
    section = (ROOT / "docs/files-video.md").read_text().partition("## What travels with the pictures")[2]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    header, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    return {row[0]: dict(zip((cell.strip("`") for cell in header[1:]), row[1:], strict=True)) for row in rows}


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm"])
def test_the_table(folder, run, suffix):  # noqa: F811
    make_all("all.mkv", ("srt", "hdmv_pgs_subtitle"))
    code, out, err = run("all.mkv", "-o", f"out{suffix}")
    assert (code, err) == (0, "")
    before, after = find("all.mkv"), find(f"out{suffix}")
    rows = table()
    assert set(rows) == set(before)
    measured = {}
    for name, value in before.items():
        there = after.get(name)
        if there == value or (name == "languages" and there and set(there) <= set(value)):
            measured[name] = "kept"
        elif name in ("titles of streams", "roles (forced, comment)") and there and set(there) <= {*value}:
            measured[name] = "kept"
        else:
            measured[name] = "converted" if there and name == "subtitles, text" else "dropped"
    assert measured == {name: row[suffix] for name, row in rows.items()}
    said = {
        "audio": "audio (aac) is dropped",
        "subtitles, text": "subtitles (srt) became",
        "subtitles, pictures": "subtitles (pgssub) are dropped",
        "cover picture": "cover picture (mjpeg) is dropped",
        "attachments (fonts)": "attachment font.ttf is dropped",
        "timecode": "timecode (01:02:03:04) is dropped",
        "roles (forced, comment)": "the role comment (audio)",
        "pixel's aspect ratio": "the pixels' aspect ratio 4:3 (video)",
    }
    for name, how in measured.items():
        if how != "kept":
            assert out.count(said[name]) >= 1, name


@pytest.mark.parametrize(
    "source, result", [("a.mp4", "b.mp4"), ("a.mp4", "b.mkv"), ("a.mov", "b.mp4"), ("a.mov", "b.mov")]
)
def test_texts_of_mp4(folder, run, source, result):  # noqa: F811
    make_all(source, ("mov_text",))
    code, out, err = run(source, "-o", result)
    assert (code, err) == (0, "")
    with av.open(result) as container:
        text, video = container.streams.subtitles[0], container.streams.video[0]
        packets = [
            (each.stream.type, float(each.pts * each.time_base), float(each.duration * each.time_base), bytes(each))
            for each in container.demux(text, video)
            if each.size
        ]
    zero = min(time for kind, time, _, _ in packets if kind == "video")
    texts = [
        (time - zero, length, words) for kind, time, length, words in packets if kind == "subtitle" and words != b"\0\0"
    ]
    assert np.allclose([(time, length) for time, length, _ in texts], [(0.1, 0.3), (0.6, 0.3)], atol=0.002)
    assert b"Hallo" in texts[0][2] and b"zwei\nZeilen" in texts[1][2] and len(packets) <= 30 + 4
    before, after = find(source), find(result)
    assert before["chapters"] == after["chapters"] and before["timecode"] == after["timecode"]
    assert before["audio"] == after["audio"] and before["title, artist, comment"] == after["title, artist, comment"]


def test_a_part_takes_its_own_with_it(folder, run):  # noqa: F811
    make_all("all.mkv")
    assert run("all.mkv", "-o", "part.mkv", "--start", "0.4", "--end", "0.8")[0] == 0
    with av.open("part.mkv") as container:
        assert [
            (chapter["start"] // 10**6, chapter["end"] // 10**6, chapter["metadata"])
            for chapter in container.chapters()
        ] == [
            (0, 100, {"title": "Eins"}),
            (100, 400, {"title": "Zwei"}),
        ]
        texts = [packet for packet in container.demux(container.streams.subtitles[0]) if packet.size]
        assert len(texts) == 1 and abs(float(texts[0].pts * texts[0].time_base) - 0.2) <= 0.022
        assert container.streams.video[0].metadata["TIMECODE"] == "01:02:03:14"


def test_a_turned_video_s_pixels_turn_as_well(folder, run):  # noqa: F811
    def setup(stream):
        stream.codec_context.sample_aspect_ratio = fractions.Fraction(4, 3)
        stream.set_display_rotation(90)

    make("a.mp4", frames=2, audio=None, setup=setup)
    assert run("a.mp4", "-o", "b.mp4")[0] == 0
    with av.open("b.mp4") as container:
        assert container.streams.video[0].sample_aspect_ratio == fractions.Fraction(3, 4)


@pytest.mark.parametrize(
    "text, frames, rate, expected",
    [
        ("01:02:03:04", 25, fractions.Fraction(25), "01:02:04:04"),
        ("23:59:59:24", 1, fractions.Fraction(25), "00:00:00:00"),
        ("00:00:59;29", 1, fractions.Fraction(30000, 1001), "00:01:00;02"),
        ("00:09:59;29", 1, fractions.Fraction(30000, 1001), "00:10:00;00"),
        ("00:00:00;00", 17982, fractions.Fraction(30000, 1001), "00:10:00;00"),
        ("00:00:00;00", 107892, fractions.Fraction(30000, 1001), "01:00:00;00"),
        ("00:00:59;59", 1, fractions.Fraction(60000, 1001), "00:01:00;04"),
        ("no timecode", 7, fractions.Fraction(25), "no timecode"),
    ],
)
def test_timecodes(text, frames, rate, expected):
    assert later(text, frames, rate) == expected


def test_tags_that_a_file_does_not_hold_are_named(folder, run):  # noqa: F811
    make("a.mkv", frames=2, audio=None, codec="ffv1")
    with av.open("a.mkv") as old, av.open("b.mkv", "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        new.metadata.update({"MY_OWN": "7", "title": "T"})
        for packet in old.demux(old.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                new.mux(packet)
    assert "note: .mp4 does not hold, and so are dropped: the tag my_own\n" in run("b.mkv")[1]
    assert "does not hold" not in run("b.mkv", "-o", "c.mkv")[1]
    with av.open("c.mkv") as container:
        assert container.metadata["MY_OWN"] == "7" and container.metadata["title"] == "T"


# --- transparency ------------------------------------------------------------------------------------------------


def make_transparent(path, codec, pixels):
    rgba = np.zeros((24, 32, 4), np.uint8)
    rgba[:, :, 0], rgba[:, :, 3] = 200, np.linspace(0, 255, 32)
    with av.open(path, "w") as container:
        stream = container.add_stream(codec, rate=25, options={"lossless": "1"} if codec == "libvpx-vp9" else {})
        stream.width, stream.height, stream.pix_fmt = 32, 24, pixels
        for i in range(3):
            frame = av.VideoFrame.from_ndarray(rgba, format="rgba").reformat(format=pixels)
            frame.pts, frame.time_base = i, fractions.Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return rgba


def alphas(path):
    with av.open(path) as container:
        return [frame.to_ndarray(format="rgba")[:, :, 3] for frame in container.decode(video=0)]


TRANSPARENT = {
    "a.mkv": ("ffv1", "bgra"),
    "a.mov": ("prores_ks", "yuva444p10le"),
    "q.mov": ("qtrle", "argb"),
    "p.mov": ("png", "rgba"),
    "a.webm": ("libvpx-vp9", "yuva420p"),
}


@pytest.mark.parametrize("name", TRANSPARENT)
@pytest.mark.parametrize("result", ["out.mkv", "out.mov", "out.mp4", "f/%d.png"])
def test_transparency(folder, run, name, result):  # noqa: F811
    rgba = make_transparent(name, *TRANSPARENT[name])
    codec = {"out.mkv": "ffv1", "out.mov": "prores"}.get(result, "h264")
    code, out, err = run(name, "-o", result, "--codec", codec)
    assert (code, err) == (0, "") and ("transparency is dropped" in out) == (result == "out.mp4")
    expected = pipeline.upscale_picture(
        Picture(np.ascontiguousarray(rgba[:, :, :3]), np.ascontiguousarray(rgba[:, :, 3])),
        GoldenBackend(random_model()),
    )
    if result == "f/%d.png":
        assert np.abs(read_picture("f/2.png").alpha.astype(int) - expected.alpha).max() <= 2
    elif result == "out.mp4":
        with av.open(result) as container:
            rgb = next(container.decode(video=0)).to_ndarray(format="rgb24")
        assert rgb[:, :3].max() < 40 and rgb[:, -3:, 0].min() > 100  # black where nothing was
    else:
        assert len(alphas(result)) == 3 and np.abs(alphas(result)[1].astype(int) - expected.alpha).max() <= 2


def test_what_is_opaque_loses_nothing(folder, run):  # noqa: F811
    make("a.mov", frames=2, audio=None, codec="png", pix="rgba")
    assert "transparency" not in run("a.mov")[1]


# --- HDR ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("transfer, name", [(16, "PQ"), (18, "HLG")])
def test_hdr_is_mapped(folder, transfer, name):  # noqa: F811
    """A ramp from black to the brightest: black stays black, white becomes white, and all between grows."""
    luma = np.linspace(64, 940, 64).astype(np.uint16)
    planes = np.full((24 * 3 // 2, 64), 512, np.uint16)
    planes[:24] = luma
    write_hdr("hdr.mkv", planes, transfer)
    seen = []
    with video.open_source("hdr.mkv") as source:
        read = source.read
        source.read = lambda *given: ((pts, seen.append(picture) or picture) for pts, picture in read(*given))
        result = video.upscale_video(source, "out.mp4", GoldenBackend(random_model()))
    assert f"HDR ({name}): mapped to the colours and the brightness of a usual screen (BT.709)" in result.notes
    ramp = seen[1].pixels[12].astype(int)
    assert np.abs(np.ptp(ramp, axis=1)).max() <= 2 and ramp[0].max() <= 1 and ramp[-1].min() >= 254
    grey, muted = ramp[:, 1], (luma.astype(int) - 64) * 255 // 876
    assert (np.diff(grey) >= 0).all() and np.abs(grey - muted).max() > 20
    with av.open("out.mp4") as container:
        context = container.streams.video[0].codec_context
        assert (context.colorspace, context.color_primaries, context.color_trc) == (1, 1, 1)
