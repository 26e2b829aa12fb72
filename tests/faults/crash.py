"""Kill a piece of work at every single step that it takes on disk; run as a program.

``python -m tests.faults.crash SCENARIO FOLDER`` forks a child for every step. The child kills
itself (SIGKILL) just before the step, which is a file opened, renamed, removed, or half written
below the folder. What it leaves is checked, then the work is done once more without a kill, which
must succeed and leave nothing but its own files. Prints the number of kills.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np

from facegender.dataset.digests import Digests
from facegender.dataset.prepare import prepare
from facegender.dataset.sidecar import (
    Sidecar,
    is_as_written,
    read_crop,
    read_sidecar,
    write_with_table,
)
from facegender.dataset.table import read_table
from facegender.exporting.export import _place
from facegender.exporting.manifest import list_files
from facegender.models.bundle import (
    CARD,
    HISTORY,
    KERAS,
    LITERT,
    MANIFEST,
    load_bundle,
    save_bundle,
)
from facegender.runtime.files import sha256_of, write_text
from facegender.runtime.write_set import current
from facegender.training.events import Epoch
from facegender.training.settings import TrainSettings, resolve
from facegender.training.state import State, read_state, restore, restore_best, save_state
from tests.conftest import make_tree

EVENTS = ("open", "os.rename", "os.remove", "os.rmdir", "os.chmod", "os.mkdir")


def killed_at(step: int, folder: Path, work: Callable[[Path], Any]) -> bool:
    """Do the work in a child that dies before the given step; False where it ended before."""
    pid = os.fork()
    if pid == 0:
        try:
            _arm(step, folder)
            work(folder)
        except BaseException:  # noqa: BLE001 - the parent asserts
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert status in (0, -signal.SIGKILL), f"the work itself failed at step {step}"
    return status != 0


def _arm(step: int, folder: Path) -> None:
    left = step

    def count(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        if event not in EVENTS or not isinstance(arguments[0], (str, bytes, os.PathLike)):
            return
        path = os.fspath(os.fsdecode(arguments[0]))
        if not path.startswith(str(folder)):
            return
        if event == "open":
            writes, makes = arguments[2] & (os.O_WRONLY | os.O_RDWR), arguments[2] & os.O_CREAT
            if not writes or not (makes or os.path.exists(path)):
                return
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def in_halves(path: Path, data: bytes) -> int:
        with path.open("wb") as file:
            file.write(data[: len(data) // 2])
            file.flush()
            count("open", (path, "", os.O_WRONLY))
            return file.write(data[len(data) // 2 :])

    Path.write_bytes = in_halves  # type: ignore[assignment,method-assign]
    sys.addaudithook(count)


def run(scenario: Any, folder: Path) -> int:
    """Kill a scenario's work at every step; return how many there are."""
    step = 0
    while True:
        place = folder / "at"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        scenario.before(place)
        died = killed_at(step, place, scenario.work)
        try:
            scenario.check(place)
            if died:
                scenario.work(place)
                scenario.check(place)
            assert scenario.is_new(place)
            there = {str(p.relative_to(place)) for p in place.rglob("*") if p.is_file()}
            left = there - scenario.files(place)
            assert not left, f"left over: {sorted(left)}"
        except BaseException:
            print(f"after a kill before step {step}:", sorted(p.name for p in place.rglob("*")))
            raise
        if not died:
            return step
        step += 1


class Table:
    """`prepare` of whole photos over a table of crops: the crop state must follow the table."""

    CROP: ClassVar = {"kind": "box", "size": "64x64", "margin": 0.2}
    OLD = b"path,label,person,split\ncrops/0.png,0,,train\n"

    def before(self, place: Path) -> None:
        make_tree(place / "photos", persons=3, photos=1)
        old = Sidecar({"seed": 9}, self.CROP, np.array([7]), Digests.of(["0" * 32]))
        write_with_table(place / "faces.csv", lambda text: text.write(self.OLD.decode()), old)
        (place / "faces.rejected.csv").write_text("path,reason,message\n")

    def work(self, place: Path) -> None:
        prepare(place / "photos", place / "faces.csv", workers=1)

    def check(self, place: Path) -> None:
        table = place / "faces.csv"
        sidecar, text = read_sidecar(table), current(table, table).read_bytes()
        assert sidecar is not None
        assert is_as_written(table)
        assert len(sidecar.sizes) == text.count(b"\n") - 1
        assert sidecar.crop == read_crop(table) == (self.CROP if text == self.OLD else None)
        assert len(read_table(table)) == len(sidecar.sizes)

    def is_new(self, place: Path) -> bool:
        return (place / "faces.csv").read_bytes() != self.OLD

    def files(self, place: Path) -> set[str]:
        photos = {str(p.relative_to(place)) for p in (place / "photos").rglob("*.jpg")}
        return photos | {"faces.csv", "faces.json", "faces.rejected.csv"}


OLD, NEW = "01d01d01d01d01d0", "0123456789abcdef"


def _facts(fingerprint: str) -> dict[str, Any]:
    return {
        "arch": "compact",
        "fingerprint": fingerprint,
        "crop": {"kind": "photo", "size": "64x64"},
        "threshold": 0.7,
        "temperature": 1.0,
    }


class Model:
    """A save over an older model, beside files of the user's under the names of ours."""

    MINE: ClassVar = {"README.md": "my notes", "history.2020.csv": "mine too"}
    CONTENTS: ClassVar = {KERAS: b"new" * 999, LITERT: b"twin" * 999, CARD: b"# card\n"}

    def before(self, place: Path) -> None:
        for name, text in self.MINE.items():
            (place / name).write_text(text)
        save_bundle(place, {KERAS: b"old" * 999, HISTORY: b"old"}, _facts(OLD))

    def work(self, place: Path) -> None:
        save_bundle(place, self.CONTENTS, _facts(NEW))

    def check(self, place: Path) -> None:
        bundle = load_bundle(place)
        assert bundle.fingerprint in (OLD, NEW)
        new = bundle.files[KERAS].read_bytes() == self.CONTENTS[KERAS]
        assert new == (bundle.fingerprint == NEW)
        for name, text in self.MINE.items():
            assert (place / name).read_text() == text

    def is_new(self, place: Path) -> bool:
        return load_bundle(place).fingerprint == NEW

    def files(self, place: Path) -> set[str]:
        return {KERAS, LITERT, "README.2.md", MANIFEST, *self.MINE}


class Export:
    """`export --force` over an export of another format."""

    def before(self, place: Path) -> None:
        self._export(place, "model.onnx")

    def work(self, place: Path) -> None:
        self._export(place, "saved_model/variables/data")

    def _export(self, place: Path, name: str) -> None:
        with _place(place / "out", force=True) as new:
            (new / name).parent.mkdir(parents=True, exist_ok=True)
            (new / name).write_bytes(name.encode())
            (new / "export.json").write_text(json.dumps({"name": name, "files": list_files(new)}))

    def check(self, place: Path) -> None:
        head = place / "out" / "export.json"
        facts = json.loads(current(head, head).read_text())
        for name, entry in facts["files"].items():
            assert sha256_of(current(place / "out" / name, head)) == entry["sha256"]

    def is_new(self, place: Path) -> bool:
        return self.files(place) == {"out/saved_model/variables/data", "out/export.json"}

    def files(self, place: Path) -> set[str]:
        name = json.loads((place / "out" / "export.json").read_text())["name"]
        return {f"out/{name}", "out/export.json"}


class _Variable(np.ndarray):
    def assign(self, values: Any) -> None:
        self[...] = values


def _network(value: float) -> Any:
    weights = [np.full(500, value).view(_Variable)]
    network = SimpleNamespace(
        outputs=[None],  # one, as a network without further tasks has
        variables=weights,
        optimizer=SimpleNamespace(variables=weights),
    )
    network.get_weights = lambda: weights
    network.set_weights = lambda new: weights[0].assign(new[0])
    return network


def _state(data: str, epoch: int) -> State:
    settings = resolve(TrainSettings(seed=1, init="none"), "compact", "none")
    state = State(settings, data, {"intra": 1})
    for number in range(1, epoch + 1):
        state.begin_epoch(Epoch(number, 1.0, 0.5, 1 / number, 0.5, 0.1, 1.0, 1.0, True))
    return state


class TrainState:
    """`train --force` over an unfinished training: its start, and two epochs."""

    def before(self, place: Path) -> None:
        save_state(place, _state("old", 1), _network(7.0), best=True)

    def work(self, place: Path) -> None:
        save_state(place, _state("new", 0), _network(0.0), best=False)
        for epoch in (1, 2):
            save_state(place, _state("new", epoch), _network(float(epoch)), best=True)

    def check(self, place: Path) -> None:
        state, network = read_state(place), _network(-1.0)
        restore(place, network)
        assert network.variables[0][0] == (7 if state.data == "old" else state.epoch)
        if state.best_epoch:
            restore_best(place, network)
            assert network.variables[0][0] == (7 if state.data == "old" else state.best_epoch)

    def is_new(self, place: Path) -> bool:
        return read_state(place).epoch == 2

    def files(self, place: Path) -> set[str]:
        names = ("state.json", "state.npz", "best.npz", "history.csv", "history.svg")
        return {f"last/{name}" for name in names}


class Text:
    """One file, such as a report or the answers of `predict`, at the end of a link."""

    def before(self, place: Path) -> None:
        (place / "deep").mkdir()
        (place / "deep" / "real.html").write_text("old")
        (place / "report.html").symlink_to("deep/real.html")

    def work(self, place: Path) -> None:
        write_text(place / "report.html", "new" * 9999)

    def check(self, place: Path) -> None:
        assert (place / "report.html").is_symlink()
        assert (place / "report.html").read_text() in ("old", "new" * 9999)

    def is_new(self, place: Path) -> bool:
        return (place / "report.html").read_text() != "old"

    def files(self, place: Path) -> set[str]:
        return {"report.html", "deep/real.html"}


SCENARIOS = {each.__name__: each for each in (Table, Model, Export, TrainState, Text)}

if __name__ == "__main__":
    os.fsync = lambda _handle: None  # a killed process loses nothing that it gave to the system
    print(run(SCENARIOS[sys.argv[1]](), Path(sys.argv[2])))
