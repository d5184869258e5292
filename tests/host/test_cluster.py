"""Dask workers: the bits of a single run, whoever dies in between; and one sentence when there is nobody left."""

import contextlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest

from host.many import cluster
from host.many.cluster import ClusterBackend
from host.picture import backends, pipeline
from host.picture.backends import GoldenBackend, insist
from model.base.errors import UserError
from model.imaging.files import Picture
from tests.host.test_batch import photos, written  # noqa: F401 (photos is a fixture)
from tests.host.test_run_pynq import SCRIPT, folder, run, snapshot  # noqa: F401 (folder and run are fixtures)
from tests.random_models import random_model, random_rgb_model

distributed = pytest.importorskip("distributed")
RNG = np.random.default_rng(11)
PICTURES = [
    Picture(RNG.integers(0, 256, shape).astype(np.uint8), alpha)
    for shape, alpha in [
        ((20, 30, 3), None),
        ((7, 5), None),
        ((31, 17, 3), RNG.integers(0, 256, (31, 17)).astype(np.uint8)),
        ((40, 40), None),
        ((1, 1, 3), None),
    ]
]


@pytest.fixture(scope="module")
def address():
    """Two workers with one thread each, for all tests here."""
    with cluster._local_cluster(distributed, 2) as address:
        yield address


@pytest.fixture
def workers(address):
    """A backend on those workers, with the golden model."""
    with ClusterBackend(random_model(), "golden", address) as backend:
        yield backend


def assert_equal(result, picture):
    expected = pipeline.upscale_picture(picture, GoldenBackend(random_model()))
    np.testing.assert_array_equal(result.pixels, expected.pixels)
    assert (result.alpha is None) == (expected.alpha is None) and (
        result.alpha is None or np.array_equal(result.alpha, expected.alpha)
    )


def pids(backend):
    return list(backend.client.run(os.getpid).values())


# --- the same bits -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "large, tile", [(1, (30, 50)), (2000, None), (1 << 24, (30, 50))]
)  # everything in tiles, some, whole pictures only
def test_pictures_in_order(workers, monkeypatch, large, tile):
    monkeypatch.setattr(cluster, "LARGE_PIXELS", large)
    pixels = []
    results = list(workers.upscale_many(enumerate(PICTURES * 2), tile, None, pixels.append))
    assert [which for which, _ in results] == list(range(10))
    for which, compute in results:
        assert_equal(compute(), PICTURES[which % 5])
    assert sum(pixels) == 9 * 2 * sum(picture.size[0] * picture.size[1] for picture in PICTURES)


@pytest.mark.parametrize("model", [random_model("abpn8m2", 2), random_rgb_model(3)], ids=["y", "rgb"])
def test_networks_at_low_resolution(address, monkeypatch, model):
    """Whole pictures and pictures in tiles, of what the network takes; results are scale times as large."""
    monkeypatch.setattr(cluster, "LARGE_PIXELS", 2000)
    with ClusterBackend(model, "golden", address) as backend:
        for which, compute in backend.upscale_many(enumerate(PICTURES), (30, 50)):
            expected = pipeline.upscale_picture(PICTURES[which], GoldenBackend(model))
            np.testing.assert_array_equal(compute().pixels, expected.pixels)


def test_both_workers_work(workers):
    seen = set(
        workers.client.gather(
            [workers.client.submit(lambda i: (time.sleep(0.05), os.getpid())[1], i, pure=False) for i in range(12)]
        )
    )
    assert seen == set(pids(workers)) and len(seen) == 2 and os.getpid() not in seen
    assert workers.workers() == (2, 2)


def test_pictures_are_taken_as_they_are_needed(workers):
    """A folder of a thousand pictures must not lie in memory."""
    taken = []
    results = workers.upscale_many((taken.append(i) or (i, PICTURES[0])) for i in range(100))
    for _ in range(10):
        insist(next(results)[1])
    assert 10 <= len(taken) <= 10 + 2 * 2 + 1


def test_threads_do_not_fight(workers):
    """Two workers on two cores: each network runs on its worker's share of threads, each matrix product on one."""
    [insist(compute) for _, compute in workers.upscale_many(enumerate(PICTURES * 2))]

    def state(dask_worker):
        found = [shared._inner.threads for shared in cluster._open_backends.values()]
        return (
            found,
            dask_worker.state.nthreads,
            os.environ.get("OMP_NUM_THREADS"),
            os.environ.get("OPENBLAS_NUM_THREADS"),
            cv2.getNumThreads(),
        )

    for found, nthreads, *blas, opencv in workers.client.run(state).values():
        assert found == [nthreads] and blas == ["1", "1"] and opencv == nthreads


def test_folder_from_the_command_line(photos, run, address):  # noqa: F811
    (photos / "broken.png").write_text("no picture")
    assert run("photos", "-o", "out")[0] == 1
    single = {name: pathlib.Path(name).read_bytes() for name in written()}
    code, out, err = run("photos", "-o", "out", "--again", "--dask", address)
    assert (
        code == 1
        and "on dask (2 workers with 2 threads in all, each on auto)" in out
        and "4 of 5 upscaled, 1 failed; read" in out
    )
    assert err.startswith("error: photos/broken.png is not a readable") and err.count("\n") == 1
    assert {name: pathlib.Path(name).read_bytes() for name in written()} == single


def test_video_from_the_command_line(folder, run, address):  # noqa: F811
    pytest.importorskip("av")
    from tests.host.test_video import make

    make("clip.mp4", frames=10)
    assert run("clip.mp4", "-o", "one.mp4")[0] == 0
    assert run("clip.mp4", "-o", "two.mp4", "--dask", address)[0] == 0
    assert pathlib.Path("one.mp4").read_bytes() == pathlib.Path("two.mp4").read_bytes()


@pytest.mark.parametrize("backend", ["golden", "csim"])
def test_picture_in_tiles_from_the_command_line(folder, run, address, backend):  # noqa: F811
    assert run("img.bmp", "-o", "one.png")[0] == 0
    code, out, err = run("img.bmp", "-o", "two.png", "--tile", "20x10", "--dask", address, "--backend", backend, "-v")
    assert (code, err) == (0, "") and f"each on {backend}" in out and "tiles: 3 x 5 of 20x10" in out
    assert pathlib.Path("one.png").read_bytes() == pathlib.Path("two.png").read_bytes()


# --- workers that die ----------------------------------------------------------------------------------------


def test_a_killed_worker_loses_nothing(workers, monkeypatch):
    """SIGKILL while both workers have work, whole pictures and tiles; what the dead one had, done or not, is computed
    again.
    """
    monkeypatch.setattr(cluster, "LARGE_PIXELS", 20000)
    pictures = [Picture(RNG.integers(0, 256, shape).astype(np.uint8)) for shape in [(60, 80, 3), (20, 30, 3)] * 4]
    before, killed, steps = set(pids(workers)), [], []

    def kill_at_the_fifth(pixels):
        steps.append(pixels)
        if len(steps) == 5:
            at_work = [address for address, tasks in workers.client.processing().items() if tasks]
            holding = [address for holders in workers.client.who_has().values() for address in holders]
            victim = (at_work + holding)[0]
            killed.append(workers.client.run(os.getpid, workers=[victim])[victim])
            os.kill(killed[0], signal.SIGKILL)

    for which, compute in workers.upscale_many(enumerate(pictures), (60, 240), None, kill_at_the_fifth):
        assert_equal(compute(), pictures[which])
    assert len(steps) == 4 * 3 + 4  # tiles, and whole pictures
    workers.client.wait_for_workers(2, timeout=120)  # another one comes for it
    assert killed[0] in before and killed[0] not in pids(workers)


class DoomedTask:
    """A future whose workers all died."""

    def result(self, timeout):
        raise distributed.scheduler.KilledWorker("task", None, 3)


def test_a_task_that_kills_is_given_up(workers):
    with pytest.raises(UserError, match="several workers died one after another over the same task"):
        workers._wait(DoomedTask())


def test_errors_of_workers_are_told(workers):
    def raise_user_error():
        raise UserError("no overlay on this worker")

    def raise_another():
        return [][1]

    with pytest.raises(UserError, match="no overlay on this worker"):
        workers._wait(workers.client.submit(raise_user_error))
    with pytest.raises(
        UserError, match=r"a Dask worker failed \(IndexError.*install this version of the project there"
    ):
        workers._wait(workers.client.submit(raise_another))
    with pytest.raises(backends.ComputeError):
        insist(lambda: workers._wait(workers.client.submit(raise_user_error)))


def test_a_worker_with_other_code(address, monkeypatch):
    monkeypatch.setattr(cluster, "code_digest", lambda: "other")
    with ClusterBackend(random_model(), "golden", address) as backend:
        with pytest.raises(UserError, match="the worker tcp://.* has another version of this project"):
            next(backend.upscale_many([(0, PICTURES[0])]))[1]()


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The packages in another folder."""
    root = tmp_path_factory.mktemp("copy")
    for package in cluster.PACKAGES:
        shutil.copytree(cluster.ROOT / package, root / package, ignore=shutil.ignore_patterns("__pycache__"))
    return root


def test_the_same_code_elsewhere_has_the_same_digest(copy):
    assert cluster.digest_of(cluster.code_files(copy)) == cluster.code_digest()
    weights = next((copy / "model").rglob("*.npz"))
    weights.write_bytes(weights.read_bytes()[:-1])  # travel with the tasks
    assert cluster.digest_of(cluster.code_files(copy)) == cluster.code_digest()


def test_whatever_decides_the_bits_is_in_the_digest(copy):
    """Python files, kernels, number formats, boards: a change, a move and a file in a new sub-folder."""
    before = cluster.digest_of(cluster.code_files(copy))
    for name in (
        "requantise.hpp",
        "conv_stage.hpp",
        "srcnn915.toml",
        "pynq_z2.toml",
        "golden.py",
        "ap_int.h",
        "library.cpp",
    ):
        path = next(path for package in cluster.PACKAGES for path in (copy / package).rglob(name))
        text = path.read_text()
        path.write_text(text + "\n")
        assert cluster.digest_of(cluster.code_files(copy)) != before, name
        path.write_text(text)
    for package in cluster.PACKAGES:
        new = copy / package / "new" / "deeper" / "step.py"
        new.parent.mkdir(parents=True)
        new.write_text("")
        assert cluster.digest_of(cluster.code_files(copy)) != before, package
        new.unlink()
    assert cluster.digest_of(cluster.code_files(copy)) == before


def test_no_board_on_the_workers(folder, run, address):  # noqa: F811
    code, out, err = run("img.bmp", "--backend", "pynq", "--dask", address)
    assert (
        code == 2
        and "this machine is no PYNQ board" in err
        and err.count("\n") == 1
        and not pathlib.Path("img_x3.png").exists()
    )


# --- nobody there --------------------------------------------------------------------------------------------


@contextlib.contextmanager
def scheduler(workers):
    """A scheduler of its own, its workers threads of this process."""
    with distributed.LocalCluster(
        n_workers=workers, threads_per_worker=1, processes=False, protocol="tcp", dashboard_address="127.0.0.1:0"
    ) as own:
        yield own


def test_scheduler_without_workers(folder, run, monkeypatch):  # noqa: F811
    monkeypatch.setattr(cluster, "_START_S", 3)
    with scheduler(0) as empty:
        code, out, err = run("img.bmp", "--dask", empty.scheduler_address)
    assert code == 2 and re.fullmatch(
        "error: the Dask scheduler at tcp://.* has no workers; start some with `dask worker tcp://.*`\n", err
    )


def test_workers_that_do_not_come_back(monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE_S", 0.6)
    monkeypatch.setattr(cluster, "_POLL_S", 0.2)
    with scheduler(1) as lonely:
        with ClusterBackend(random_model(), "golden", lonely.scheduler_address) as backend:
            lonely.scale(0)
            while backend.workers()[0]:
                time.sleep(0.05)
            time.sleep(0.7)  # without work nobody notices, and nobody loses patience
            begin = time.monotonic()
            with pytest.raises(UserError, match="all Dask workers are gone, for 1 s; start some"):
                next(backend.upscale_many([(0, PICTURES[0])]))[1]()
            assert time.monotonic() > begin + 0.6


def test_scheduler_that_goes(monkeypatch):
    monkeypatch.setattr(cluster, "_POLL_S", 0.2)
    with scheduler(1) as mortal:
        with ClusterBackend(random_model(), "golden", mortal.scheduler_address) as backend:
            _, compute = next(backend.upscale_many([(0, PICTURES[0])]))
            mortal.close()
            with pytest.raises(UserError, match="the Dask scheduler is gone"):
                compute()


BAD = {
    "address": (
        ["img.bmp", "--dask", "somewhere"],
        "'somewhere' is no address of a Dask scheduler; give tcp://host:8786, or local",
    ),
    "nobody": (["img.bmp", "--dask", "tcp://127.0.0.1:9"], "no Dask scheduler answers at tcp://127.0.0.1:9"),
    "protocol": (["img.bmp", "--dask", "carrier://pigeon"], "no Dask scheduler answers at carrier://pigeon"),
    "workers": (["img.bmp", "--workers", "2"], "--workers goes with --dask local"),
    "workers there": (["img.bmp", "--dask", "tcp://127.0.0.1:9", "--workers", "2"], "--workers goes with --dask local"),
    "no workers": (["img.bmp", "--dask", "local", "--workers", "0"], "0 is not in the range"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_input_is_one_sentence_and_changes_nothing(folder, run, monkeypatch, what):  # noqa: F811
    monkeypatch.setattr(cluster, "_START_S", 0.5)
    arguments, says = BAD[what]
    before = snapshot(folder)
    code, out, err = run(*arguments)
    assert code == 2 and says in err and err.startswith("error: ") and err.count("\n") == 1
    assert snapshot(folder) == before


def test_without_dask(folder, run, monkeypatch):  # noqa: F811
    monkeypatch.setitem(sys.modules, "distributed", None)
    code, out, err = run("img.bmp", "--dask", "local")
    assert code == 2 and re.fullmatch(
        r"error: --dask needs the package distributed, .*; install it: pip install distributed\n", err
    )


# --- as a process --------------------------------------------------------------------------------------------


def workers_of(process):
    """The worker processes of a command line."""
    import psutil

    found = []
    for child in psutil.Process(process.pid).children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if "spawn_main" in " ".join(child.cmdline()):
                found.append(child)
    return found


def is_deaf(process):
    ignored = re.search("SigIgn:\t([0-9a-f]+)", pathlib.Path(f"/proc/{process.pid}/status").read_text())[1]
    return bool(int(ignored, 16) >> (signal.SIGINT - 1) & 1)


def test_ctrl_c_with_local_workers(photos, run, weight_files):  # noqa: F811
    """As a terminal sends it, to all processes: one sentence, no worker left, and the next run goes on."""
    hook = (
        "import runpy, sys, time; sys.argv = sys.argv[1:]; sys.path.insert(0, sys.argv.pop(0))\n"
        "if __name__ == '__main__':\n"
        "    from host.jobs.record import Record\n"
        "    add = Record.add\n"
        "    def slow(self, *arguments):\n"
        "        add(self, *arguments)\n"
        "        if len(self._lines) == 2: print('two', flush=True); [time.sleep(0.1) for _ in range(1200)]\n"
        "    Record.add = slow\n"
        "    runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            hook,
            SCRIPT.parent.parent,
            SCRIPT,
            "photos",
            "-o",
            "out",
            "-q",
            "--dask",
            "local",
            "--workers",
            "2",
            "--weights",
            weight_files["srcnn915", 3],
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout.readline() == "two\n", process.stderr.read()
    victim = workers_of(process)[0]
    victim.kill()  # another worker comes; neither it nor the old one may answer to Ctrl-C
    deadline = time.monotonic() + 60
    while victim in workers_of(process) or len(workers_of(process)) < 2 or not all(map(is_deaf, workers_of(process))):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (
        process.returncode == 130
        and err == "interrupted; what is finished is kept, and the same command goes on from there\n"
    )
    with pytest.raises(ProcessLookupError):
        for _ in range(100):  # Python's own helper process ends a moment after the others
            os.killpg(process.pid, 0)
            time.sleep(0.1)
    assert len(written()) == 2 and "2 of 4 upscaled, 2 finished before" in run("photos", "-o", "out")[1]
