"""`predict --engine ray` as a process: what is lost when what is killed."""

import collections
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("ray", reason="the extra facegender[ray] is not installed")

from pyarrow import parquet

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")


class Run:
    """A run of the command line in its own group of processes."""

    def __init__(self, out, *options, stdin=b"", **environment):
        command = [sys.executable, "-m", "facegender", "predict", *options]
        environment = {k: v for k, v in os.environ.items() if k != "RAY_ADDRESS"} | environment
        self.out = out
        self.process = subprocess.Popen(
            [*map(str, command), "--engine", "ray", "--output", str(out), "--workers", "2"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,
            # A shell ignores it for what runs in its background, tests too.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        self.process.stdin.write(stdin)
        self.process.stdin.close()
        self.process.stdin = None
        self.seen = set()

    def wait_for_parts(self, count):
        """Wait until so many files of answers are there, and return how many there are."""
        limit = time.monotonic() + 240
        while (there := len(parts(self.out))) < count:
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < limit
            time.sleep(0.02)
        self.seen |= set(below(self.process.pid))
        return there

    def end(self):
        """Wait for the end; nothing that was started may be left."""
        try:
            out, err = self.process.communicate(timeout=540)  # minutes only where others work too
        finally:
            self.process.kill()  # Ray's own processes end with it
        # Two of Ray's helpers look only once a minute whether a killed run is gone.
        limit = time.monotonic() + (120 if self.process.returncode < 0 else 30)
        while left := [pid for pid in self.seen if alive(pid)]:
            assert time.monotonic() < limit, [name_of(pid) for pid in left]
            time.sleep(0.1)
        assert out == b""
        return self.process.returncode, err.decode()


def parts(folder):
    return sorted(Path(folder).glob("part-*.parquet"))


def paths_in(folder):
    tables = [parquet.read_table(part, columns=["path"]) for part in parts(folder)]
    return [path for table in tables for path in table["path"].to_pylist()]


def kept_in(folder):
    """What lies beside the answers; a lock may, hidden."""
    return [p.name for p in Path(folder).iterdir() if not p.name.startswith(("part-", ".lock"))]


def below(pid):
    """The process ids of all that a process started."""
    parents = collections.defaultdict(list)
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            text = (folder / "stat").read_text()
        except OSError:
            continue
        parents[int(text.rpartition(")")[2].split()[1])].append(int(folder.name))
    found, todo = [], [pid]
    while todo:
        children = parents[todo.pop()]
        found += children
        todo += children
    return found


def alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def name_of(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def workers_below(pid):
    return [child for child in below(pid) if name_of(child).startswith("ray::MapWorker")]


@pytest.fixture
def listed(photos):
    """A list of 6,000 photos: 60 of them, of which one is broken, under 100 names each."""
    names = sorted(path.name for path in photos.iterdir())
    listed = [f"{photos}/{'./' * i}{name}" for i in range(100) for name in names]
    assert len(set(listed)) == 6000
    return listed


OPTIONS = ("-0", "-", "--no-detect", "--shard-size", "100")


def test_to_parquet_and_not_again(photos, in_tmp):
    for scored in (60, 0):
        run = Run(in_tmp / "out", photos, "--no-detect", "--shard-size", "25")
        code, err = run.end()
        assert code == (3 if scored else 0), err
        assert ("Failed: " in err) == bool(scored)
        assert "60 photos in 3 Parquet files" in err
        assert ("60 of them from before" in err) == (not scored)
    assert paths_in(in_tmp / "out") == sorted(str(path) for path in photos.iterdir())
    manifest = json.loads((in_tmp / "out" / "_facegender.json").read_text())
    assert manifest["complete"]
    assert (manifest["photos"], manifest["shards"]) == (60, 3)
    assert kept_in(in_tmp / "out") == ["_facegender.json"]
    code, err = Run(in_tmp / "out", photos, "--shard-size", "25").end()
    assert code == 2
    assert "another detector" in err


@pytest.mark.slow
def test_a_killed_worker_costs_nothing(listed, in_tmp):
    run = Run(in_tmp / "out", *OPTIONS, stdin="\0".join(listed).encode())
    assert run.wait_for_parts(5) < 50
    first, second = workers_below(run.process.pid)
    os.kill(first, signal.SIGKILL)
    assert alive(second)
    code, err = run.end()
    assert code == 3, err
    assert collections.Counter(paths_in(in_tmp / "out")) == collections.Counter(listed)
    assert len(parts(in_tmp / "out")) == 60
    lines = [line for line in err.splitlines() if not line.startswith("Failed: ")]
    assert [line.partition(":")[0] for line in lines] == ["Model", "Warning", "Answers"]


@pytest.mark.slow
def test_a_stopped_run_goes_on(listed, in_tmp):
    stdin = "\0".join(listed).encode()
    times = {}
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        run = Run(in_tmp / "out", *OPTIONS, stdin=stdin)
        assert run.wait_for_parts(len(times) + 3) < 60
        if number == signal.SIGINT:
            os.killpg(run.process.pid, number)  # as a terminal does
        else:
            run.process.send_signal(number)
        code, err = run.end()
        assert code == (-number if number == signal.SIGKILL else 128 + number), err
        if number != signal.SIGKILL:
            there = len(parts(in_tmp / "out"))
            assert f"Stopped; {there} of 60 files of answers are in" in err
            assert "Run the same command to continue." in err
            assert not list((in_tmp / "out").glob("_[bp]*"))
        for part in parts(in_tmp / "out"):
            assert parquet.read_table(part).num_rows == 100
            assert times.setdefault(part, part.stat().st_mtime_ns) == part.stat().st_mtime_ns
    code, err = Run(in_tmp / "out", *OPTIONS, stdin=stdin).end()
    assert code == 3, err
    assert all(part.stat().st_mtime_ns == then for part, then in times.items())
    assert collections.Counter(paths_in(in_tmp / "out")) == collections.Counter(listed)
    assert kept_in(in_tmp / "out") == ["_facegender.json"]


@pytest.mark.slow
def test_a_photo_that_kills_every_worker_costs_its_shard(photos, in_tmp):
    # Stands for a photo that takes all memory: every process that reads it is killed.
    (in_tmp / "sitecustomize.py").write_text(
        "import os, sys\n"
        "def hook(event, args):\n"
        "    if event == 'open' and str(args[0]).endswith('007.jpg'):\n"
        "        os.kill(os.getpid(), 9)\n"
        "sys.addaudithook(hook)\n"
    )
    where = os.pathsep.join([str(in_tmp), str(Path(__file__).parents[2])])
    options = (photos, "--no-detect", "--shard-size", "5")
    code, err = Run(in_tmp / "out", *options, PYTHONPATH=where).end()
    assert code == 1
    assert "1 of 12 files of answers are missing: 3 workers died while scoring 5 photos from" in err
    assert "005.jpg on" in err
    names = sorted(str(path) for path in photos.iterdir())
    assert paths_in(in_tmp / "out") == names[:5] + names[10:]
    code, err = Run(in_tmp / "out", *options).end()
    assert code == 0, err
    assert paths_in(in_tmp / "out") == names


@pytest.mark.slow
def test_a_cluster_that_loses_a_machine(listed, in_tmp):
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    try:
        machines = [cluster.add_node(num_cpus=1) for _ in range(2)]
        stdin = "\0".join(listed).encode()
        run = Run(in_tmp / "out", *OPTIONS, stdin=stdin, RAY_ADDRESS=cluster.address)
        assert run.wait_for_parts(5) < 50
        cluster.remove_node(machines[0], allow_graceful=False)
        code, err = run.end()
        assert code == 3, err
        assert collections.Counter(paths_in(in_tmp / "out")) == collections.Counter(listed)
        assert all(node.any_processes_alive() for node in (cluster.head_node, machines[1]))
    finally:
        cluster.shutdown()


@pytest.mark.slow
def test_from_a_bucket_to_a_bucket(s3, photos, in_tmp):
    for path in photos.iterdir():
        s3.objects[f"photos/in/{path.name[0]}/{path.name}"] = path.read_bytes()
    s3.objects["photos/in/notes.txt"] = b"no photo"
    options = ("s3://photos/in", "-r", "--no-detect", "--shard-size", "25")
    for expected in (3, 0):
        run = Run("s3://photos/out", *options, **s3.environment)
        code, err = run.end()
        assert code == expected, err
        assert "60 photos in 3 Parquet files in s3://photos/out" in err
    found = []
    for key, data in s3.objects.items():
        if key.startswith("photos/out/part-"):
            (in_tmp / "part.parquet").write_bytes(data)
            found += parquet.read_table(in_tmp / "part.parquet")["path"].to_pylist()
    assert sorted(found) == sorted(f"s3://photos/in/{p.name[0]}/{p.name}" for p in photos.iterdir())
    assert not [key for key in s3.objects if "/_plan" in key or "/_begun" in key]


def test_an_address_without_a_cluster_is_a_sentence(photos, in_tmp):
    run = Run(in_tmp / "out", photos, "--no-detect", RAY_ADDRESS="127.0.0.1:9")
    code, err = run.end()
    assert code == 1
    assert "the Ray cluster at 127.0.0.1:9 cannot be reached" in err
