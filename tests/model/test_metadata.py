"""What travels with a picture, from every kind of file to every other: as docs/files.md says, seen by other readers."""

import io
import pathlib
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

piexif = pytest.importorskip("piexif")
tifffile = pytest.importorskip("tifffile")

from model.base.paths import ROOT
from model.imaging.files import Encoding, Picture, read_picture, write_picture
from tests.pictures import UPRIGHT

RNG = np.random.default_rng(12)
SIZE = 30, 20
SCALE = 3
RGB = np.kron(RNG.integers(0, 256, (5, 6, 3)), np.ones((4, 5, 1))).astype(np.uint8)
ALPHA = np.kron(RNG.integers(1, 256, (5, 6)), np.ones((4, 5))).astype(np.uint8)
XMP = b"<?xpacket?><x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf tiff:Orientation='6' dc:title='caf\xc3\xa9'/></x:xmpmeta>"
IPTC = b"\x1c\x02\x50\x00\x08A Person\x1c\x02\x78\x00\x07caption"
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
GAMMA = struct.pack(">I", 100000)
CHROMATICITIES = struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)
CICP = bytes([12, 13, 0, 1])
DPI = 254.0


def exif_block(orientation=1):
    thumbnail = io.BytesIO()
    Image.new("RGB", (16, 12), (9, 9, 9)).save(thumbnail, "JPEG")
    return piexif.dump(
        {
            "0th": {
                piexif.ImageIFD.Make: b"A Maker",
                piexif.ImageIFD.Copyright: b"(c) A Person",
                piexif.ImageIFD.Orientation: orientation,
                piexif.ImageIFD.XResolution: (254, 1),
                piexif.ImageIFD.YResolution: (254, 1),
                piexif.ImageIFD.ResolutionUnit: 2,
            },
            "Exif": {
                piexif.ExifIFD.DateTimeOriginal: b"2001:02:03 04:05:06",
                piexif.ExifIFD.ExposureTime: (1, 125),
                piexif.ExifIFD.PixelXDimension: SIZE[0],
                piexif.ExifIFD.PixelYDimension: SIZE[1],
                piexif.ExifIFD.SubjectArea: (3, 4, 5),
                piexif.ExifIFD.MakerNote: bytes(range(200)),
            },
            "GPS": {piexif.GPSIFD.GPSLatitudeRef: b"N", piexif.GPSIFD.GPSLatitude: ((47, 1), (22, 1), (30, 1))},
            "1st": {piexif.ImageIFD.Make: b"thumb"},
            "thumbnail": thumbnail.getvalue(),
        }
    )


def write_png(path, orientation=1):
    info = PngImagePlugin.PngInfo()
    info.add(b"gAMA", GAMMA)
    info.add(b"cHRM", CHROMATICITIES)
    info.add(b"cICP", CICP)
    info.add_text("Title", "a title")
    info.add_itxt("Author", "ein Mensch, 人")
    info.add_itxt("XML:com.adobe.xmp", XMP.decode())
    digits = "".join(f"{byte:02x}" for byte in IPTC)
    info.add_text("Raw profile type iptc", f"\niptc\n{len(IPTC):8d}\n{digits}\n", zip=True)
    options = {"dpi": (DPI, DPI), "exif": exif_block(orientation), "icc_profile": ICC, "pnginfo": info}
    Image.fromarray(np.dstack([RGB, ALPHA])).save(path, "PNG", **options)
    return "exif thumbnail dpi xmp iptc text icc colour alpha"


def write_jpg(path, orientation=1):
    block = b"Photoshop 3.0\0" + b"8BIM\4\4\0\0" + struct.pack(">I", len(IPTC)) + IPTC + b"\0" * (len(IPTC) % 2)
    extra = b"\xff\xed" + struct.pack(">H", len(block) + 2) + block
    options = {"dpi": (254, 254), "exif": exif_block(orientation), "icc_profile": ICC, "xmp": XMP, "extra": extra}
    Image.fromarray(RGB).save(path, "JPEG", quality=95, subsampling=0, **options, comment=b"a comment")
    return "exif thumbnail dpi xmp iptc icc comment"


def write_tif(path, orientation=1):
    tags = [(274, "H", 1, orientation, True), (700, "B", len(XMP), XMP, True), (33723, "B", len(IPTC), IPTC, True)]
    tags += [(271, "s", 0, "A Maker", True), (33432, "s", 0, "(c) A Person", True)]
    tifffile.imwrite(
        path, np.dstack([RGB, ALPHA]).astype(np.uint16) * 257, photometric="rgb", extrasamples=["unassalpha"],
        resolution=(254, 254), resolutionunit="inch", iccprofile=ICC, extratags=tags, metadata=None,
    )  # fmt: skip
    return "exif dpi xmp iptc icc alpha deep"


def write_webp(path, orientation=1):
    options = {"exif": exif_block(orientation), "icc_profile": ICC, "xmp": XMP, "lossless": True, "exact": True}
    Image.fromarray(np.dstack([RGB, ALPHA])).save(path, "WEBP", **options)
    return "exif thumbnail dpi xmp icc alpha"


def write_bmp(path, orientation=1):
    Image.fromarray(RGB).save(path, "BMP", dpi=(254, 254))
    return "dpi"


def write_gif(path, orientation=1):
    Image.fromarray(RGB).quantize(30).save(path, "GIF", comment=b"a comment")
    return "comment"


SOURCES = {"png": write_png, "jpg": write_jpg, "tif": write_tif, "webp": write_webp, "bmp": write_bmp, "gif": write_gif}
TARGETS = ("png", "tif", "jpg", "webp", "avif", "jp2", "bmp", "tga", "ppm")
WHAT = {
    "exif": "EXIF, GPS", "thumbnail": "thumbnail", "dpi": "resolution", "xmp": "XMP", "iptc": "IPTC",
    "text": "texts", "comment": "comment", "icc": "ICC profile", "colour": "gAMA, cHRM, cICP",
    "alpha": "transparency", "deep": "16 bits",
}  # fmt: skip


def table():
    """docs/files.md's: what becomes of each thing, by target."""
    found = {}
    for line in (ROOT / "docs" / "files.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == len(TARGETS) + 1:
            found[cells[0]] = cells[1:]
    assert tuple(found.pop("to")) == TARGETS
    return {what: dict(zip(TARGETS, found[name])) for what, name in WHAT.items()}


def enlarged(path, orientation=1):
    """The picture as the pipeline would hand it on, without the network."""
    picture = read_picture(path)
    pixels = picture.pixels.repeat(SCALE, 0).repeat(SCALE, 1)
    alpha = None if picture.alpha is None else picture.alpha.repeat(SCALE, 0).repeat(SCALE, 1)
    size = pixels.shape[1], pixels.shape[0]
    return Picture(pixels, alpha, picture.icc, picture.notes, picture.metadata.enlarged(SCALE, size))


def png_chunks(data):
    at, found = 8, {}
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        name, content = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        assert struct.unpack_from(">I", data, at + 8 + length)[0] == zlib.crc32(name + content)
        found.setdefault(name, []).append(content)
        at += 12 + length
    return found


def exif_of(path, data):
    """EXIF as piexif reads it, or None."""
    suffix = path.suffix.lstrip(".")
    if suffix == "png":
        block = png_chunks(data).get(b"eXIf")
        return block and piexif.load(b"Exif\0\0" + block[0])
    if suffix in ("jpg", "webp", "tif"):
        try:
            found = piexif.load(str(path))
        except ValueError:  # of a webp without
            return None
        return found if found["Exif"] or piexif.ImageIFD.Make in found["0th"] else None
    block = Image.open(path).info.get("exif")
    return piexif.load(block if block.startswith(b"Exif") else b"Exif\0\0" + block) if block else None


def seen(path):
    """What another reader finds in a file: name of the thing and its value."""
    data, suffix = path.read_bytes(), path.suffix.lstrip(".")
    found, image = {}, Image.open(path)
    exif = exif_of(path, data)
    if exif:
        found["exif"] = exif
        if exif.get("thumbnail"):
            found["thumbnail"] = Image.open(io.BytesIO(exif["thumbnail"])).size
    chunks = png_chunks(data) if suffix == "png" else {}
    found["xmp"] = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    found["icc"] = image.info.get("icc_profile")
    if b"pHYs" in chunks or suffix in ("jpg", "bmp", "tif"):
        found["dpi"] = image.info.get("dpi")
    elif exif and piexif.ImageIFD.XResolution in exif["0th"]:
        found["dpi"] = tuple(a / b for a, b in (exif["0th"][tag] for tag in (282, 283)))
    if suffix == "jpg":
        found["iptc"] = image.info.get("photoshop", {}).get(0x0404)
        found["comment"] = image.info.get("comment")
    if suffix == "png":
        texts = {key: str(value) for key, value in image.text.items()}
        profile = texts.pop("Raw profile type iptc", None)
        texts.pop("XML:com.adobe.xmp", None)
        found["iptc"] = profile and bytes.fromhex("".join(profile.split()[2:]))
        found["comment"] = texts.pop("Comment", None)
        found["text"] = texts
        found["colour"] = {name: chunks[name][0] for name in (b"gAMA", b"cHRM", b"cICP") if name in chunks}
    if suffix == "tif":
        with tifffile.TiffFile(path) as file:
            tags = file.pages[0].tags
            found["xmp"] = tags.valueof(700)
            found["iptc"] = tags.valueof(33723)
            found["deep"] = file.pages[0].bitspersample == 16
    if suffix in ("png", "ppm"):
        found["deep"] = data[24] == 16 if suffix == "png" else b"\n65535\n" in data[:30]
    found["alpha"] = image.mode in ("RGBA", "LA")
    return {what: value for what, value in found.items() if value}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("source", SOURCES)
def test_the_table(tmp_path, source, target):
    path, out = tmp_path / f"s.{source}", tmp_path / f"t.{target}"
    had = SOURCES[source](path).split()
    assert set(had) - {"deep"} <= {*seen(path), "comment"}  # the source has what it is said to have
    notes = " ".join(write_picture(out, enlarged(path)))
    found, says = seen(out), table()
    for what in had:
        kept = says[what][target] in ("kept", "renewed") or (says[what][target] == "in EXIF" and "exif" in had)
        assert (what in found) == kept, (
            f"{what} of {source} in {target}: {says[what][target]}, found {list(found)}; {notes}"
        )
        if not kept and what != "thumbnail":
            word = {"alpha": "transparency", "icc": "profile", "colour": "gAMA", "dpi": "resolution", "deep": "8 bits",
                    "comment": "texts", "text": "texts"}.get(what, what.upper())  # fmt: skip
            assert word in notes, f"{what} is dropped without a word: {notes}"
    if "exif" in found:
        first, inside = found["exif"]["0th"], found["exif"]["Exif"]
        assert first[piexif.ImageIFD.Make] == b"A Maker" and first[piexif.ImageIFD.Copyright] == b"(c) A Person"
        assert first.get(piexif.ImageIFD.Orientation, 1) == 1
        if source != "tif":
            assert inside[piexif.ExifIFD.DateTimeOriginal] == b"2001:02:03 04:05:06"
            assert inside[piexif.ExifIFD.ExposureTime] == (1, 125)
            assert inside[piexif.ExifIFD.MakerNote] == bytes(range(200))
            assert (inside[piexif.ExifIFD.PixelXDimension], inside[piexif.ExifIFD.PixelYDimension]) == (90, 60)
            assert piexif.ExifIFD.SubjectArea not in inside
            assert found["exif"]["GPS"][piexif.GPSIFD.GPSLatitude] == ((47, 1), (22, 1), (30, 1))
    if "thumbnail" in found:
        assert found["thumbnail"] == (90, 60)  # of the result, which is small enough
    if "dpi" in found and "dpi" in had:
        np.testing.assert_allclose([float(value) for value in found["dpi"]], 3 * DPI, rtol=2e-3)
    if "xmp" in found:
        assert b"caf\xc3\xa9" in (found["xmp"].encode() if isinstance(found["xmp"], str) else found["xmp"])
    if "iptc" in found:
        assert found["iptc"].rstrip(b"\0") == IPTC
    if "icc" in found:
        assert found["icc"] == ICC
    if "text" in found and source == "png":
        assert found["text"] == {"Title": "a title", "Author": "ein Mensch, 人"}
    if "comment" in found:
        assert found["comment"] in ("a comment", b"a comment")
    if "colour" in found and source == "png":
        assert found["colour"] == {b"gAMA": GAMMA, b"cHRM": CHROMATICITIES, b"cICP": CICP}


@pytest.mark.parametrize("target", ["png", "tif", "jpg", "webp", "avif"])
@pytest.mark.parametrize("source", ["png", "jpg", "tif", "webp"])
def test_strip(tmp_path, source, target):
    """Nothing of people and places stays; colours and resolution do."""
    SOURCES[source](tmp_path / f"s.{source}")
    write_picture(tmp_path / f"t.{target}", enlarged(tmp_path / f"s.{source}"), encoding=Encoding(strip=True))
    found = seen(tmp_path / f"t.{target}")
    assert not {"exif", "xmp", "iptc", "text", "comment", "thumbnail"} & set(found) and found["icc"] == ICC
    data = (tmp_path / f"t.{target}").read_bytes()
    assert not any(word in data for word in (b"A Maker", b"A Person", b"caption", b"a title", b"caf\xc3\xa9"))


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("source", ["png", "jpg", "tif", "webp"])
def test_all_orientations(tmp_path, source, orientation):
    path = tmp_path / f"s.{source}"
    SOURCES[source](path, orientation)
    picture = read_picture(path)
    expected = UPRIGHT[orientation](RGB)
    assert picture.pixels.shape == expected.shape
    assert np.abs(picture.shallow().pixels.astype(int) - expected).mean() < (6 if source == "jpg" else 1e-9)
    out = tmp_path / "t.jpg"
    write_picture(out, enlarged(path))
    first = piexif.load(str(out))["0th"]
    assert first.get(piexif.ImageIFD.Orientation, 1) == 1
    if orientation != 1:
        assert b"tiff:Orientation='1'" in Image.open(out).info["xmp"]


def test_too_much_exif_for_a_jpg(tmp_path):
    block = piexif.load(exif_block())
    block["Exif"][piexif.ExifIFD.MakerNote] = bytes(80000)
    block["1st"], block["thumbnail"] = {}, None
    Image.fromarray(RGB).save(tmp_path / "s.png", exif=piexif.dump(block))
    notes = write_picture(tmp_path / "t.jpg", enlarged(tmp_path / "s.png"))
    assert "64 kB: the thumbnail and the maker's note are dropped" in " ".join(notes)
    assert piexif.load(str(tmp_path / "t.jpg"))["0th"][piexif.ImageIFD.Make] == b"A Maker"


def test_colours_are_converted_where_no_profile_can_be(tmp_path):
    """A profile whose red and blue are exchanged, to bmp: what is shown stays."""
    path = next(pathlib.Path(ImageCms.__file__).parent.rglob("*.icc"), None)
    assert path is None or path.suffix == ".icc"
    notes = write_picture(tmp_path / "t.bmp", Picture(RGB, icc=ICC))
    assert notes == (".bmp holds no colour profile: the colours are converted to sRGB",)
    assert np.abs(np.asarray(Image.open(tmp_path / "t.bmp")).astype(int) - RGB).max() <= 1
    notes = write_picture(tmp_path / "t.bmp", Picture(RGB, icc=b"no profile"))
    assert "holds no colour profile: dropped" in notes[0]


def test_damaged_exif_is_no_reason_to_refuse_a_picture(tmp_path):
    block = exif_block()
    for seed in range(60):
        rng = np.random.default_rng(seed)
        damaged = bytearray(block)
        for at in rng.integers(6, len(block), 8):
            damaged[at] = rng.integers(256)
        Image.fromarray(RGB).save(tmp_path / "s.jpg", exif=bytes(damaged[: rng.integers(8, len(block))]), quality=95)
        picture = enlarged(tmp_path / "s.jpg")
        for target in ("jpg", "png", "tif"):
            write_picture(tmp_path / f"t.{target}", picture)
            assert Image.open(tmp_path / f"t.{target}").size in ((90, 60), (60, 90))
