"""Kill whole commands at random moments and look at what they leave.

A `Case` is a command, the files it may leave, and how to judge them. `Killer.kill` starts it,
waits until it has written something (or not even that), waits a random moment more, and sends
SIGKILL to its whole process group, as the kernel does when memory runs out.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from facegender.dataset.sidecar import is_as_written, read_sidecar
from facegender.models.bundle import MANIFEST, load_bundle
from facegender.runtime.files import sha256_of
from facegender.runtime.write_set import current
from facegender.training.state import _read_arrays, read_state
from tests.conftest import make_tree

STARTED: list[subprocess.Popen[bytes]] = []
"""What `start` started; a test that fails must leave no stopped process behind."""
OLD = '{"schema": 1}\n'
"""An older output, of a kind that every command may replace."""
FACEGENDER = [sys.executable, "-m", "facegender"]


def environment(**more: str) -> dict[str, str]:
    """As the tests have it, with no model and no debugging chosen from outside."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("FACEGENDER_")}
    root = str(Path(__file__).parents[2])
    return kept | {"PYTHONPATH": root, "PYTHONDONTWRITEBYTECODE": "1"} | more


def start(*arguments: str | Path, cwd: Path, **options: Any) -> subprocess.Popen[bytes]:
    """Start a facegender command in a process group of its own."""
    process = subprocess.Popen(
        [*FACEGENDER, *map(str, arguments)],
        cwd=cwd,
        env=environment(),
        start_new_session=True,
        **{"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL} | options,
    )
    STARTED.append(process)
    return process


def end_started() -> None:
    """Kill whatever of `STARTED` still runs, or stands still."""
    while STARTED:
        process = STARTED.pop()
        if process.poll() is None:
            process.kill()
            process.wait()


def finish(*arguments: str | Path, cwd: Path, code: int = 0) -> str:
    """Run a facegender command to its end; return what it says on stderr."""
    process = start(*arguments, cwd=cwd, stderr=subprocess.PIPE)
    error = process.communicate(timeout=300)[1].decode()
    assert process.returncode == code, error
    assert "Traceback" not in error
    return error


def running(group: int) -> list[str]:
    """The processes of a group that have not ended; some wait for an `init` that forgets them."""
    found = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, its_group = file.read_text().rpartition(")")[2].split()[:3]
            found += [file.parent.name] if int(its_group) == group and state != "Z" else []
    return found


def assert_group_ends(group: int, seconds: float) -> None:
    """Every process of a group ends in time; the kernel needs some milliseconds for each."""
    until = time.monotonic() + seconds
    while left := running(group):
        assert time.monotonic() < until, f"left running: {left}"
        time.sleep(0.002)


def seen(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Every file below a folder but locks, with what changes when it is replaced or grows."""
    found = {}
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                facts = os.stat(os.path.join(place, name))
                if not name.endswith("lock"):
                    found[os.path.join(place, name)] = (
                        facts.st_ino,
                        facts.st_size,
                        facts.st_ctime_ns,
                    )
    return found


def temporary(folder: Path) -> list[Path]:
    """What a write leaves when it is killed."""
    return sorted(folder.rglob(".facegender-*"))


class Case:
    """A command that is killed again and again in one folder.

    Attributes:
        folder: where it runs.
        written: the folder below which it writes.
        window: seconds after its first write within which it is killed.
    """

    window = 0.2

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = self.written = folder

    def arguments(self) -> list[str | Path]:
        """The next command line."""
        raise NotImplementedError

    def judge(self) -> str:
        """Assert that what lies there is whole; say in a word what it is."""
        raise NotImplementedError

    def kill(self, random: random.Random, *, early: bool = False) -> None:
        """Start the command, kill it and judge what it leaves.

        Args:
            random: draws the moment.
            early: kill at any moment from the start on, not only after the first write.
        """
        before = seen(self.written)
        process = start(*self.arguments(), cwd=self.folder)
        if early:
            time.sleep(random.uniform(0, 0.6))
        else:
            while seen(self.written) == before and process.poll() is None:
                time.sleep(0.0005)
            time.sleep(random.uniform(0, self.window))
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        assert process.wait() in (0, -signal.SIGKILL)
        self.judge()


class Prepare(Case):
    """Two tables of the same photos take turns in one faces.csv."""

    window = 0.03

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        make_tree(folder / "photos", persons=20, photos=10)
        (folder / "photos" / "female" / "female-0" / "bad.jpg").write_bytes(b"no photo")
        self.turn, self.contents = 0, {}
        for turn in (1, 0):
            self.turn = turn
            finish(*self.arguments(), cwd=folder)
            self.contents[(folder / "faces.csv").read_bytes()] = self.turn
        assert len(self.contents) == 2

    def arguments(self) -> list[str | Path]:
        self.turn = 1 - self.turn
        return ["prepare", "photos", "--seed", str(self.turn), "--quiet"]

    def judge(self) -> str:
        table = self.folder / "faces.csv"
        turn = self.contents[current(table, table).read_bytes()]
        assert is_as_written(table)
        sidecar = read_sidecar(table)
        assert sidecar is not None
        assert sidecar.settings["seed"] == turn
        assert len(sidecar.sizes) == 400
        return "the new pair" if turn == self.turn else "the old pair"


class Crops(Case):
    """`prepare --crops`, begun anew each time."""

    window = 0.4

    def __init__(self, folder: Path, portrait: Any) -> None:
        from PIL import Image

        super().__init__(folder)
        for i in range(60):
            place = folder / "photos" / ("female", "male")[i % 2] / f"{i}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(portrait).resize((200 + i, 200 + i)).save(place)

    def arguments(self) -> list[str | Path]:
        import shutil

        shutil.rmtree(self.folder / "crops", ignore_errors=True)
        for path in self.folder.glob("faces*"):
            path.unlink()
        return ["prepare", "photos", "--crops", "crops", "--size", "96x96", "--quiet"]

    def judge(self) -> str:
        from PIL import Image

        crops = list((self.folder / "crops").rglob("*.png"))
        for path in crops:
            with Image.open(path) as crop:
                crop.load()
                assert crop.size == (96, 96)
        if not (self.folder / "faces.csv").exists():
            return f"no table and {'some whole' if crops else 'no'} crops"
        assert is_as_written(self.folder / "faces.csv")
        assert len(crops) == 60
        return "the new pair"


class Predict(Case):
    """`predict --output` over an older answer."""

    window = 0.25

    def __init__(self, folder: Path, model: Path) -> None:
        super().__init__(folder)
        self.model = model
        self.written = folder / "answers"
        self.written.mkdir()
        make_tree(folder / "photos", persons=20, photos=10)
        self.old, self.file = OLD.encode(), self.written / "out.json"
        finish(*self.arguments(), cwd=folder)
        self.new = self.file.read_bytes()
        assert self.new.count(b'"error": null') == 400

    def arguments(self) -> list[str | Path]:
        self.file.write_bytes(self.old)
        options = ["--json", "-q", "--no-detect", "--output", self.file, "--model", self.model]
        return ["predict", "photos", "--recursive", *options]

    def judge(self) -> str:
        text = self.file.read_bytes()
        assert text in (self.old, self.new)
        return "the new answers" if text == self.new else "the old answers"


class Export(Case):
    """`export --force`, of two formats in turn, over the last one."""

    window = 3.0

    def __init__(self, folder: Path, model: Path) -> None:
        super().__init__(folder)
        self.model, self.written = model, folder / "out"
        self.format = "saved_model"

    def arguments(self) -> list[str | Path]:
        self.format = "litert" if self.format == "saved_model" else "saved_model"
        return ["export", self.model, "--format", self.format, "--output", self.written, "--force"]

    def judge(self) -> str:
        head = self.written / "export.json"
        if not current(head, head).exists():
            return "no export"
        facts = json.loads(current(head, head).read_text())
        for name, entry in facts["files"].items():
            assert sha256_of(current(self.written / name, head)) == entry["sha256"]
        return "the new export" if facts["format"] == self.format else "the old export"


class Train(Case):
    """One training that is killed again and again, and resumed."""

    window = 2.5
    OPTIONS = ("--seed", "3", "--crop-kind", "photo", "--init", "none", "--batch-size", "16")

    def __init__(self, folder: Path, csv: Path, epochs: int) -> None:
        super().__init__(folder)
        self.csv, self.epochs = csv, epochs
        self.written = folder / "model"
        self.written.mkdir()
        self.reached = -1

    def arguments(self) -> list[str | Path]:
        fixed = ["train", self.csv, "--output", self.written, "--workers", "1", "--quiet"]
        if (self.written / "last" / "state.json").exists():
            return [*fixed, "--resume"]
        epochs = ["--epochs", str(self.epochs), "--patience", str(self.epochs)]
        return [*fixed, *self.OPTIONS, *epochs]

    def judge(self) -> str:
        if (self.written / MANIFEST).exists():
            load_bundle(self.written)
        if not (self.written / "last" / "state.json").exists():
            assert self.reached == -1
            return "nothing yet"
        state = read_state(self.written)
        named = json.loads((self.written / "last" / "state.json").read_text())["files"]
        for role in named:
            assert _read_arrays(self.written, role)
        assert state.epoch >= self.reached
        assert len(state.history) == state.epoch
        new, self.reached = state.epoch > self.reached, state.epoch
        return "a newer whole state" if new else "the older whole state"

    def end(self) -> None:
        """Let it end, and assert that nothing but the model and its state lies there."""
        finish(*self.arguments(), cwd=self.folder)
        named = {path.name for path in load_bundle(self.written).files.values()}
        last = json.loads((self.written / "last" / "state.json").read_text())["files"]
        expected = named | {MANIFEST, "state.json", *(entry["name"] for entry in last.values())}
        assert {path.name for path in self.written.rglob("*") if path.is_file()} == expected
