"""The list of work of a run over many files, and the record of what is finished."""

import dataclasses
import json
import os
import pathlib

import pytest

from host.jobs.collect import Job, collect
from host.jobs.record import Record, settings_digest, stamp
from model.base.errors import UserError
from model.base.outputs import Inputs
from tests.random_models import random_model


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def touch(*names):
    for name in names:
        path = pathlib.Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


def outputs(*inputs, out="out", suffix=".png"):
    """{source: output} as texts, and the refused."""
    work = collect([pathlib.Path(path) for path in inputs], pathlib.Path(out), 3, suffix)
    return {str(job.source): str(job.output) for job in work.jobs}, work.refused


# --- the list ----------------------------------------------------------------------------------------------


def test_folders_are_mirrored_and_sorted(folder):
    touch("in/b.jpg", "in/a.BMP", "in/sub/deep/c.tif", "in/d.mp4", "in/sub/e.MOV", "more.png")
    assert outputs("in", "more.png") == (
        {
            "in/a.BMP": "out/a_x3.png",
            "in/b.jpg": "out/b_x3.png",
            "in/d.mp4": "out/d_x3.mp4",
            "in/sub/e.MOV": "out/sub/e_x3.mp4",
            "in/sub/deep/c.tif": "out/sub/deep/c_x3.png",
            "more.png": "out/more_x3.png",
        },
        [],
    )
    work = collect([pathlib.Path("in")], pathlib.Path("out"), 3)
    assert [str(job.source) for job in work.jobs] == [
        "in/a.BMP",
        "in/b.jpg",
        "in/d.mp4",
        "in/sub/e.MOV",
        "in/sub/deep/c.tif",
    ]
    assert [job.video for job in work.jobs] == [False, False, True, True, False]


def test_other_kinds_and_hidden_files(folder):
    touch(
        "in/a.png",
        "in/notes.txt",
        "in/sub/table.csv",
        "in/.hidden.png",
        "in/.thumbnails/a.png",
        "in/._a.png",
        "odd.name",
    )
    work = collect([pathlib.Path("in"), pathlib.Path("odd.name")], pathlib.Path("out"), 3)
    assert [str(job.source) for job in work.jobs] == [
        "in/a.png",
        "odd.name",
    ]  # a file that was named is tried, whatever its name
    assert [str(path) for path in work.others] == ["in/notes.txt", "in/sub/table.csv"]


def test_each_file_once(folder):
    touch("in/a.png")
    os.symlink("in/a.png", "link.png")
    assert outputs("in", "in/a.png", "link.png", "./in/../in/a.png") == ({"in/a.png": "out/a_x3.png"}, [])


def test_links_to_folders_are_followed_once(folder):
    touch("in/a.png", "album/b.png", "album/more/c.png", "in/real/d.png")
    for link, target in {
        "in/album": "../album",
        "in/zoo": "../album",
        "in/link": "real",
        "in/more": "../album/more",
    }.items():
        os.symlink(target, link)
    done, refused = outputs("in")
    assert refused == [] and done == {
        "in/a.png": "out/a_x3.png",
        "in/real/d.png": "out/real/d_x3.png",  # by its real name
        "in/album/b.png": "out/album/b_x3.png",
        "in/album/more/c.png": "out/album/more/c_x3.png",
    }


def test_links_in_circles_are_refused(folder):
    touch("in/a.png", "in/sub/b.png")
    os.symlink("..", "in/sub/up")
    os.symlink(".", "in/itself")
    done, refused = outputs("in")
    assert done == {"in/a.png": "out/a_x3.png", "in/sub/b.png": "out/sub/b_x3.png"}
    assert refused == [
        f"the link in/{name} leads back to a folder that it lies in; remove it" for name in ("itself", "sub/up")
    ]


def test_a_link_into_the_output_folder_is_refused(folder):
    touch("in/a.png", "out/old/result_x3.png")
    os.symlink("../out/old", "in/old")
    done, refused = outputs("in")
    assert list(done) == ["in/a.png"] and refused == [
        "the link in/old leads into the output folder; remove it or choose another output"
    ]


def test_same_stem_keeps_the_extension(folder):
    touch("in/a.png", "in/a.jpg", "in/b.png", "in/sub/a.png")
    assert outputs("in", suffix=".jpg")[0] == {
        "in/a.jpg": "out/a.jpg_x3.jpg",
        "in/a.png": "out/a.png_x3.jpg",
        "in/b.png": "out/b_x3.jpg",
        "in/sub/a.png": "out/sub/a_x3.jpg",
    }


def test_two_sources_of_one_result(folder):
    touch("one/a.png", "two/a.png")
    done, refused = outputs("one", "two")
    assert done == {"one/a.png": "out/a.png_x3.png"}
    assert refused == [
        "two/a.png is left out: its result out/a.png_x3.png would replace the result of one/a.png; "
        "give it a run and an output folder of its own"
    ]


def test_a_result_that_is_an_input(folder):
    touch("a.png", "out/a_x3.png")
    done, refused = outputs("a.png", "out/a_x3.png")
    assert done == {"out/a_x3.png": "out/a_x3_x3.png"} and len(refused) == 1 and "would replace the input" in refused[0]


def test_a_result_that_is_an_input_by_a_link(folder):
    touch("in/a.png", "keep/precious.png")
    pathlib.Path("out").mkdir()
    os.link("keep/precious.png", "out/a_x3.png")
    done, refused = outputs("in", "keep/precious.png")
    assert list(done) == ["keep/precious.png"]
    assert len(refused) == 1 and "its result out/a_x3.png would replace the input keep/precious.png" in refused[0]


def test_a_figure_that_is_an_input(folder):
    touch("out/a_x3_compare.png", "in/a.png")
    work = collect(
        [pathlib.Path("in"), pathlib.Path("out/a_x3_compare.png")],
        pathlib.Path("out"),
        3,
        beside=lambda output: [output.with_name(f"{output.stem}_compare.png")],
    )
    assert [str(job.source) for job in work.jobs] == ["out/a_x3_compare.png"]
    assert "its figure out/a_x3_compare.png would replace the input out/a_x3_compare.png" in work.refused[0]


def test_two_results_of_one_name_where_case_does_not_count(folder, monkeypatch):
    touch("one/a.png", "two/A.png")
    assert outputs("one", "two")[1] == []
    monkeypatch.setattr("model.base.outputs.folds_case", lambda folder: True)
    done, refused = outputs("one", "two")
    assert list(done) == ["one/a.png"] and "out/A_x3.png would replace the result of one/a.png" in refused[0]


@pytest.mark.parametrize("out", ["in", "in/out", "in/sub/../x/y", "other"])
def test_output_inside_input(folder, out):
    touch("in/a.png")
    os.symlink("in", "other")
    with pytest.raises(
        UserError, match="the output folder .* the input folder in, .*choose an output folder outside of it"
    ):
        outputs("in", out=out)


def test_input_inside_output_is_fine(folder):
    touch("out/in/a.png", "inside/a.png")
    assert outputs("out/in") == ({"out/in/a.png": "out/a_x3.png"}, [])
    assert outputs("inside", out="in")[1] == []  # a name that only begins alike


# --- the record --------------------------------------------------------------------------------------------


@pytest.fixture
def done(folder):
    """A finished job with settings "s", recorded in out/."""
    touch("a.png", "out/sub/a_x3.png")
    job = Job(pathlib.Path("a.png"), pathlib.Path("out/sub/a_x3.png"))
    with Record(pathlib.Path("out")) as record:
        assert not record.finished(job, "s")
        record.add(job, "s", stamp(job.source), [job.output])
    return job


def finished(job, settings="s"):
    with Record(pathlib.Path("out")) as record:
        return record.finished(job, settings)


def later(path):
    status = os.stat(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1000))


def test_finished_is_remembered(done, monkeypatch, folder):
    assert finished(done) and not finished(done, "others")
    touch("elsewhere/x")
    monkeypatch.chdir("elsewhere")
    with Record(pathlib.Path("../out")) as record:  # the same files by other names
        assert record.finished(Job(pathlib.Path("../a.png"), pathlib.Path("../out/sub/a_x3.png")), "s")


CHANGES = {
    "input changed": lambda job: job.source.write_text("longer than before"),
    "input newer": lambda job: later(job.source),
    "input gone": lambda job: job.source.unlink(),
    "output cut short": lambda job: job.output.write_text(""),
    "output changed": lambda job: later(job.output),
    "output gone": lambda job: job.output.unlink(),
    "no record": lambda job: pathlib.Path("out/.run_pynq.jsonl").unlink(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_changed_is_not_finished(done, change):
    CHANGES[change](done)
    assert not finished(done)


def test_another_input_of_that_name(done):
    os.link("a.png", "b.png")  # the same size and time
    assert finished(done) and not finished(Job(pathlib.Path("b.png"), done.output))


@pytest.mark.parametrize(
    "text",
    [
        '{"output": "sub/a_x3.png", "sett',
        "[]",
        "null",
        "\x00",
        '{"output": 1}',
        '{"output": "sub/b_x3.png", "settings": "s"}',
    ],
)
def test_damaged_lines_count_for_nothing(done, text):
    path = pathlib.Path("out/.run_pynq.jsonl")
    path.write_text(path.read_text() + "\n" + text)
    assert finished(done)
    other = Job(pathlib.Path("a.png"), pathlib.Path("out/sub/b_x3.png"))
    assert not finished(other)
    with Record(pathlib.Path("out")) as record:  # and what is written behind them counts
        record.add(other, "s", stamp("a.png"), [done.output])
    assert finished(other) and finished(done)


def test_a_damaged_entry_is_not_finished(done):
    path = pathlib.Path("out/.run_pynq.jsonl")
    entry = json.loads(path.read_text().strip())
    for key in ("settings", "source", "stamp", "files"):
        path.write_text(json.dumps({**entry, key: None}))
        assert not finished(done)
    path.write_bytes(b"\xff\xfe\n" + json.dumps(entry).encode())  # not even text
    assert finished(done)


def test_the_last_line_counts(done):
    with Record(pathlib.Path("out")) as record:
        record.add(done, "t", stamp(done.source), [done.output])
    assert finished(done, "t") and not finished(done, "s")


def test_one_run_at_a_time(folder):
    with Record(pathlib.Path("out")):
        with pytest.raises(UserError, match="another run is writing into out; wait"):
            Record(pathlib.Path("out"))
        with Record(pathlib.Path("out2")):
            pass
    with Record(pathlib.Path("out")):
        pass


@pytest.mark.parametrize("out", ["file", "file/sub", "/proc/out"])
def test_output_folder_that_cannot_be(folder, out):
    touch("file")
    with pytest.raises(UserError, match="cannot make the folder"):
        Record(pathlib.Path(out))


def test_only_what_the_record_names_is_removed(folder):
    mine = ["out/.sr-00000001.png", "out/sub/.sr-00000002.mp4"]
    others = ["out/.a_x3-backup01.png", "out/.sr-00000003.png", "out/a_x3.png", "photo.png", ".sr-00000004.png"]
    touch(*mine, *others)
    with Record(pathlib.Path("out")) as record:
        for name in mine:
            record.writing(pathlib.Path(name))
    with open("out/.run_pynq.jsonl", "a") as file:  # what a stranger's record may say
        for name in (
            "a_x3.png",
            "../photo.png",
            "../.sr-00000004.png",
            str(folder / ".sr-00000004.png"),
            "\0",
            ".sr-\0",
        ):
            file.write(f"\n{json.dumps({'writing': name})}")
        file.write('\n{"writing": 3}')
    with Record(pathlib.Path("out")) as record:
        record.remove_leftovers()
    assert sorted(str(path) for path in folder.rglob("*") if path.is_file()) == sorted(
        str(folder / name) for name in [*others, "out/.run_pynq.jsonl"]
    )


def test_the_record_is_never_written_into_another_file(folder):
    touch("photo.png", "out/x")
    for make in (os.symlink, os.link):
        make(folder / "photo.png", "out/.run_pynq.jsonl")
        with pytest.raises(UserError, match="leads to another file; remove that link"):
            Record(pathlib.Path("out"), Inputs(["photo.png"]))
        os.unlink("out/.run_pynq.jsonl")
    assert pathlib.Path("photo.png").read_text() == "photo.png"


def test_digest_knows_weights_and_settings():
    digests = {
        settings_digest(random_model(network, upscale, seed), crf=crf)
        for network, upscale, seed, crf in [
            ("srcnn915", 3, 1, 17),
            ("srcnn955", 3, 1, 17),
            ("srcnn915", 2, 1, 17),
            ("srcnn915", 3, 2, 17),
            ("srcnn915", 3, 1, 0),
            ("abpn8m2", 2, 1, 17),
            ("abpn8m2", 3, 1, 17),
        ]
    }
    assert len(digests) == 7
    assert settings_digest(random_model(seed=1), crf=17) in digests


def test_digest_knows_what_the_network_takes_and_computes():
    """The same integers in another graph make another picture."""
    model = random_model("abpn8m2", 2)
    first, *others = model.network.layers
    changes = (
        {},
        {"input": "upscaled"},
        {"layers": (dataclasses.replace(first, activation="none"), *others)},
        {"name": "another"},
    )
    networks = [dataclasses.replace(model.network, **change) for change in changes]
    assert len({settings_digest(dataclasses.replace(model, network=network)) for network in networks}) == 4
