"""``last/``: the state needed to resume a training exactly."""

from __future__ import annotations

import json
import re
import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from facegender.choices import Start
from facegender.errors import BundleError, FaceGenderError, schema_hint
from facegender.faces.geometry import Geometry
from facegender.models.bundle import LAST, STATE
from facegender.runtime.files import make_folder, sha256_of
from facegender.runtime.write_set import current, write_set
from facegender.training.also import answering
from facegender.training.events import Epoch
from facegender.training.settings import Resolved, TrainSettings, resolve

SCHEMA = 1
_AGAIN = "Train anew with --force."
_OURS = re.compile(r"(state|best)[-0-9a-f]*\.npz")
"""Names of files of arrays; older versions put epoch, step and digest into them."""


@dataclass(slots=True)
class State:
    """The progress of a training.

    Attributes:
        settings: its settings.
        data: fingerprint of the training rows.
        threads: thread counts; equal results require equal ones.
        epoch: epochs done.
        step: steps done in the next epoch, above 0 only after an interruption.
        loss_sum: sum of the training losses of the photos seen in these steps.
        right: number of these photos classified correctly.
        history: one row per epoch.
        best_epoch: the epoch (from 1) of the best weights, 0 before the first.
        best_loss: its validation loss, None before the first.
        seconds: time of training, validating and saving, over all runs.
        epoch_seconds: time of the unfinished epoch, and of its steps only.
        finished: why training is over, or "" if it is not.
        started_from: fingerprint, crop, epochs and seconds of the initial model and, nested, of
            the model that it started from; None for random weights.
        taught_by: fingerprints of the teachers.
        asked: SHA-256 of what they said of each photo, "" where they are asked for every crop.
    """

    settings: Resolved
    data: str
    threads: dict[str, int]
    epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    right: int = 0
    history: list[Epoch] = field(default_factory=list)
    best_epoch: int = 0
    best_loss: float | None = None
    seconds: float = 0.0
    epoch_seconds: tuple[float, float] = (0.0, 0.0)
    finished: str = ""
    started_from: dict[str, Any] | None = None
    taught_by: list[str] = field(default_factory=list)
    asked: str = ""

    def begin_epoch(self, row: Epoch) -> None:
        """Record a finished epoch and advance to the next one."""
        self.history.append(row)
        if row.best:
            self.best_epoch, self.best_loss = row.epoch, row.val_loss
        self.epoch = row.epoch
        self.step, self.loss_sum, self.right, self.epoch_seconds = 0, 0.0, 0, (0.0, 0.0)


def variables_of(model: Any) -> dict[str, Any]:
    """Every variable that a training step changes, by a stable name.

    Weights, batch norm statistics, seeds of dropout, and the optimizer's moments and step.
    """
    groups = {"m": model.variables, "o": model.optimizer.variables}
    return {f"{kind}{i}": v for kind, vs in groups.items() for i, v in enumerate(vs)}


def save_state(folder: Path, state: State, model: Any, *, best: bool) -> None:
    """Write the state of a run; the older one stays whole until then.

    Args:
        folder: the model folder; the state goes to its ``last/``.
        state: where the run stands.
        model: the compiled model as it is now.
        best: whether its weights are the best so far.
    """
    last = folder / LAST
    make_folder(last)
    arrays = {"state": {name: np.asarray(v) for name, v in variables_of(model).items()}}
    files = {}
    if best:
        arrays["best"] = _weights(model)
    elif state.best_epoch:
        files["best"] = _read_json(folder)["files"]["best"]
    with write_set(folder / STATE) as new:
        for role, values in arrays.items():
            file = new / f"{role}.npz"
            np.savez(file, allow_pickle=False, **values)
            files[role] = {"name": file.name, "sha256": sha256_of(file)}
        content = asdict(state) | {"schema": SCHEMA, "files": files}
        (new / "state.json").write_text(json.dumps(content) + "\n", "utf-8")


def read_state(folder: Path) -> State:
    """Read the state of a training; its weights are read by `restore` and `best_weights`.

    Raises:
        BundleError: there is nothing to resume, or it is damaged.
    """
    content = _read_json(folder)
    try:
        state = State(
            settings=Resolved(**content["settings"]),
            data=content["data"],
            threads=content["threads"],
            epoch=content["epoch"],
            step=content["step"],
            loss_sum=content["loss_sum"],
            right=content["right"],
            history=[Epoch(**row) for row in content["history"]],
            best_epoch=content["best_epoch"],
            best_loss=content["best_loss"],
            seconds=content["seconds"],
            epoch_seconds=tuple(content["epoch_seconds"]),
            finished=content["finished"],
            started_from=content.get("started_from"),
            taught_by=content.get("taught_by", []),
            asked=content.get("asked", ""),
        )
        _check(state)
    except (KeyError, TypeError, ValueError, FaceGenderError) as error:
        raise BundleError(f"{folder / LAST / 'state.json'} is damaged: {error}", _AGAIN) from None
    return state


def restore(folder: Path, model: Any) -> None:
    """Set every variable of a compiled model and its built optimizer to its stored value."""
    stored = _read_arrays(folder, "state")
    variables = variables_of(model)
    expected = {name: np.asarray(variable) for name, variable in variables.items()}
    if not _alike(stored, expected):
        raise BundleError(f"{folder / LAST} is the state of another network", _AGAIN)
    for name, variable in variables.items():
        variable.assign(stored[name])


def restore_best(folder: Path, model: Any) -> None:
    """Set a model's weights to the best so far."""
    stored = _read_arrays(folder, "best")
    if not _alike(stored, _weights(model)):
        raise BundleError(f"{folder / LAST} holds the best weights of another network", _AGAIN)
    model.set_weights([stored[f"w{i}"] for i in range(len(stored))])


def _weights(model: Any) -> dict[str, Any]:
    return {f"w{i}": weight for i, weight in enumerate(answering(model).get_weights())}


def _alike(stored: dict[str, Any], expected: dict[str, Any]) -> bool:
    """Return whether two sets of arrays have the same names, shapes and types."""

    def kinds(arrays: dict[str, Any]) -> dict[str, Any]:
        return {name: (values.shape, values.dtype) for name, values in arrays.items()}

    return kinds(stored) == kinds(expected)


def _refuse_packed(path: Path) -> None:
    """Refuse compressed arrays, which may unpack to any size; ours are not compressed."""
    with zipfile.ZipFile(path) as archive:
        if sum(info.file_size for info in archive.infolist()) > path.stat().st_size:
            raise ValueError("its arrays are packed")


def _check(state: State) -> None:
    """Check that the values are plausible.

    Raises:
        TypeError, ValueError, FaceGenderError: the message says which one is not.
    """
    given = TrainSettings(**state.settings.to_json())
    if resolve(given, state.settings.arch, state.settings.init) != state.settings:
        raise ValueError("settings with gaps")
    if (state.started_from is None) != (state.settings.init == Start.NONE):
        raise ValueError(f"a start {state.started_from!r} for --init {state.settings.init}")
    if state.started_from is not None:
        Geometry.from_json(state.started_from["crop"])
    counts = (state.epoch, state.step, state.right, state.best_epoch)
    if not all(type(count) is int and count >= 0 for count in counts):
        raise ValueError(f"counts {counts}")
    if not state.best_epoch <= state.epoch == len(state.history):
        raise ValueError(f"{len(state.history)} epochs of {state.epoch}")
    numbers = [state.loss_sum, state.seconds, *state.epoch_seconds]
    numbers += [value for row in state.history for value in asdict(row).values()]
    numbers += [] if state.best_loss is None else [state.best_loss]
    if len(state.epoch_seconds) != 2 or not all(isinstance(n, (int, float)) for n in numbers):
        raise TypeError("text for a number")
    if not all(
        isinstance(text, str)
        for text in (state.data, state.finished, state.asked, *state.taught_by)
    ):
        raise TypeError("a number for a text")


def _read_json(folder: Path) -> dict[str, Any]:
    file = folder / STATE
    try:
        content = json.loads(current(file, file).read_text("utf-8"))
    except FileNotFoundError:
        raise BundleError(
            f"nothing to resume in {folder}: it has no {LAST}/state.json", "Train without --resume."
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise BundleError(f"{file} cannot be read: {error}", _AGAIN) from None
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        schema = content.get("schema") if isinstance(content, dict) else None
        raise BundleError(
            f"{file} has another schema than {SCHEMA}", schema_hint(schema, SCHEMA, _AGAIN)
        )
    files = content.get("files")
    if not isinstance(files, dict) or not all(
        isinstance(entry, dict) and _OURS.fullmatch(str(entry.get("name"))) and "sha256" in entry
        for entry in files.values()
    ):
        raise BundleError(f"{file} names no files", _AGAIN)
    return content


def _read_arrays(folder: Path, role: str) -> dict[str, Any]:
    entry = _read_json(folder)["files"].get(role)
    if entry is None:
        raise BundleError(
            f"{folder / LAST} has no {role} weights yet", "Train for at least one epoch."
        )
    path = current(folder / LAST / entry["name"], folder / STATE)
    try:
        if sha256_of(path) != entry["sha256"]:
            raise BundleError(f"{path} is not the file that state.json describes", _AGAIN)
        _refuse_packed(path)
        with np.load(path, allow_pickle=False) as stored:
            return dict(stored)
    except (OSError, ValueError, EOFError, MemoryError, zipfile.BadZipFile) as error:
        raise BundleError(f"{path} cannot be read: {error}", _AGAIN) from None
