"""What teachers say once of each photo, from models and from files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facegender.dataset.samples import Samples
from facegender.dataset.table import read_table
from facegender.errors import DataError, Interrupted, UsageError
from facegender.models.bundle import load_bundle
from facegender.runtime.files import sha256_of
from facegender.runtime.signals import StopRequest
from facegender.training.batches import Batches
from facegender.training.events import Asking, Step, Warn
from facegender.training.settings import TrainSettings
from facegender.training.state import read_state
from facegender.training.taught import taught_once
from facegender.training.teacher import Teachers, open_teachers
from facegender.training.train import train
from tests.tiny_network import TINY

SAID = {"a.jpg": "0.123456789", "b.jpg": "", "c.jpg": "0.9"}


@pytest.fixture
def teachers(in_tmp: Path) -> Teachers:
    Path("said.csv").write_text(
        "path,p_male\n" + "".join(f"{path},{said}\n" for path, said in SAID.items())
    )
    return open_teachers(["said.csv"])


def ask(teachers: Teachers, asked: str = "") -> tuple[Batches, str, list[object]]:
    labels = np.array([0, 1, 1, 0], np.int8)
    samples = Samples([*SAID, "d.jpg"], labels, [""] * 4, ["train"] * 4)
    crops = np.zeros((4, 8, 8, 3), np.uint8)
    batches = Batches(crops, labels, np.array([0, 1, 2]), 2, seed=0, augment=False)
    events: list[object] = []
    return *taught_once(teachers, samples, batches, Path("m"), asked, events.append), events


def test_photos_without_an_answer_teach_their_labels(teachers: Teachers) -> None:
    batches, _, events = ask(teachers)
    assert batches.taught is not None
    np.testing.assert_allclose(batches.taught[:, 1], [0.123456789, 1, 0.9, 0], rtol=1e-5)
    np.testing.assert_allclose(batches.taught.sum(axis=1), 1, rtol=1e-6)
    assert [str(event) for event in events if isinstance(event, Warn)] == [
        str(Warn("no teacher has an answer to 1 of 3 training photos: they teach their labels"))
    ]


def test_the_same_numbers_are_read_again_unless_the_file_changed(teachers: Teachers) -> None:
    first, asked, _ = ask(teachers)
    nobody = replace(teachers, files=())  # whom nothing could be asked
    again, same, events = ask(nobody, asked)
    assert (same, events) == (asked, [])
    assert first.taught is not None
    np.testing.assert_array_equal(again.taught, first.taught)
    file = Path("m/last/answers.csv")
    file.write_text(file.read_text().replace("0.9", "0.8"))
    mended, same, _ = ask(teachers, asked)
    assert same == asked
    np.testing.assert_array_equal(mended.taught, first.taught)


@pytest.fixture
def wanted(toy_csv: Path, tmp_path: Path) -> TrainSettings:
    """A training that is told the labels by a file only."""
    samples = read_table(toy_csv)
    rows = zip(samples.paths, samples.labels, strict=True)
    (tmp_path / "said.csv").write_text(
        "path,p_male\n" + "".join(f"{path},{label}\n" for path, label in rows)
    )
    return TrainSettings(
        arch=TINY, crop="photo", init="none", epochs=2, batch_size=16, seed=1, augment=False,
        teacher=(str(tmp_path / "said.csv"),), teacher_share=1.0,
    )  # fmt: skip


def test_a_network_learns_what_a_file_says(
    toy_csv: Path, tmp_path: Path, wanted: TrainSettings
) -> None:
    events: list[object] = []
    bundle = train(toy_csv, tmp_path / "m", wanted, workers=1, on_event=events.append)
    assert not any(isinstance(event, Asking) for event in events)  # there is no model to ask
    training = bundle.manifest["training"]
    assert training["teacher_once"]
    assert training["taught_by"] == list(open_teachers(wanted.teacher or ()).fingerprints)

    def learned(name: str, **others: object) -> list[np.ndarray]:
        settings = replace(wanted, **others)  # type: ignore[arg-type]
        bundle = train(toy_csv, tmp_path / name, settings, workers=1)
        return [np.asarray(array) for array in bundle.load_keras().get_weights()]

    def furthest(one: list[np.ndarray], other: list[np.ndarray]) -> float:
        return max(float(np.abs(a - b).max()) for a, b in zip(one, other, strict=True))

    said = [np.asarray(array) for array in bundle.load_keras().get_weights()]
    alone: dict[str, object] = {"teacher": None, "teacher_share": None}
    labels = learned("labels", **alone, label_smoothing=0.0)
    assert furthest(said, labels) < 0.01 < furthest(said, learned("smooth", **alone))


def train_until(at: int, csv: Path, out: Path, settings: TrainSettings, **how: bool) -> Path:
    """Stop a training after so many steps; return what the teachers said."""
    stop, steps = StopRequest(), []

    def stop_there(event: object) -> None:
        steps.extend([event] if isinstance(event, Step) else [])
        if len(steps) == at:
            stop.signal_number = 15

    with pytest.raises(Interrupted):
        train(csv, out, settings, workers=1, stop=stop, on_event=stop_there, **how)
    return out / "last" / "answers.csv"


def test_a_resumed_training_goes_on_with_the_same_answers(
    toy_csv: Path, tmp_path: Path, wanted: TrainSettings
) -> None:
    train_until(3, toy_csv, tmp_path / "a", wanted)
    train(toy_csv, tmp_path / "a", resume=True, workers=1)
    whole = train(toy_csv, tmp_path / "b", wanted, workers=1)
    assert load_bundle(tmp_path / "a").fingerprint == whole.fingerprint


def test_what_was_said_in_place_of_lost_answers_is_read_from_then_on(
    toy_csv: Path, tmp_path: Path, wanted: TrainSettings
) -> None:
    said = train_until(1, toy_csv, tmp_path / "m", wanted)
    said.unlink()
    state = said.with_name("state.json")  # as if the teachers had said something else before
    state.write_text(state.read_text().replace(read_state(tmp_path / "m").asked, "0" * 64))
    train_until(1, toy_csv, tmp_path / "m", TrainSettings(), resume=True)
    assert read_state(tmp_path / "m").asked == sha256_of(said)


def test_no_answers_stay_where_nobody_teaches(
    toy_csv: Path, tmp_path: Path, wanted: TrainSettings
) -> None:
    said = train_until(1, toy_csv, tmp_path / "m", wanted)
    assert said.exists()
    alone = replace(wanted, teacher=None, teacher_share=None)
    train_until(1, toy_csv, tmp_path / "m", alone, force=True)
    assert not said.exists()


def test_a_file_is_refused_before_photos_are_read(
    toy_csv: Path, tmp_path: Path, wanted: TrainSettings
) -> None:
    events: list[object] = []
    samples = read_table(toy_csv)
    with pytest.raises(UsageError, match="--teacher-always"):
        always = replace(wanted, teacher_once=False)
        train(toy_csv, tmp_path / "m", always, workers=1, on_event=events.append)
    (tmp_path / "said.csv").write_text("path,p_male\nnobody.jpg,0.5\n")
    with pytest.raises(DataError, match="none of the table's photos"):
        train(toy_csv, tmp_path / "m", wanted, workers=1, on_event=events.append)
    others = [
        f"{path},0.5\n" for path, split in zip(samples.paths, samples.splits, strict=True)
        if split != "train"
    ]  # fmt: skip
    (tmp_path / "said.csv").write_text("path,p_male\n" + "".join(others))
    with pytest.raises(DataError, match="none of the .* training photos") as refused:
        train(toy_csv, tmp_path / "m", wanted, workers=1, on_event=events.append)
    assert "--split train --predictions" in refused.value.hint
    assert not events
