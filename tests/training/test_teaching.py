"""A training with everything that the bundled model's has: a start, kept layers, further tasks,
a teacher, and 8-bit numbers at its end."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from facegender.dataset.table import read_table, write_table
from facegender.errors import Interrupted, UsageError
from facegender.models.architectures import Tuning, architecture, build, compile_for_training
from facegender.models.bundle import load_bundle
from facegender.models.inference import load_network
from facegender.runtime.signals import StopRequest
from facegender.training.events import Asking, Step
from facegender.training.fused_norm import fuse_norms
from facegender.training.network import keep_first
from facegender.training.settings import TrainSettings
from facegender.training.train import train
from tests.tiny_network import TINY


@pytest.fixture(scope="module")
def table(toy_csv: Path) -> Path:
    samples = read_table(toy_csv)
    samples.attributes["shade"] = [str(row % 3) for row in range(len(samples))]
    out = toy_csv.with_name("shades.csv")
    write_table(out, samples)
    return out


@pytest.fixture(scope="module")
def start(toy_csv: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that is a start, and teaches."""
    out = tmp_path_factory.mktemp("start") / "m"
    given = TrainSettings(
        arch=TINY, crop="photo", init="none", epochs=4, batch_size=16, seed=1, augment=False
    )
    train(toy_csv, out, given, workers=1)
    return out


def settings(start: Path, **others: object) -> TrainSettings:
    return TrainSettings(
        **{  # type: ignore[arg-type]
            "init": str(start),
            "epochs": 2,
            "batch_size": 16,
            "seed": 3,
            "also": ("shade",),
            "teacher": (str(start),),
            "int8": True,
            "augment": False,
        }
        | others
    )


@pytest.fixture(scope="module")
def taught(table: Path, start: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stopped in its second epoch and resumed."""
    out, stop = tmp_path_factory.mktemp("taught") / "m", StopRequest()
    steps = []

    def stop_at_five(event: object) -> None:
        steps.extend([event] if isinstance(event, Step) else [])
        if len(steps) == 5:
            stop.signal_number = 15

    with pytest.raises(Interrupted, match="epoch 2"):
        train(table, out, settings(start), workers=1, stop=stop, on_event=stop_at_five)
    train(table, out, resume=True, workers=1)
    return out


@pytest.mark.parametrize("kept", [0, 4])
def test_the_first_convolutions_and_their_norms_stay_as_they_are(kept: int) -> None:
    model = fuse_norms(build("compact", seed=1, size=(32, 32)))
    keep_first(model, kept)
    before = model.get_weights()
    compile_for_training(model, architecture("compact").recipe, Tuning(lr=0.01, steps=9))
    crops = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3)).astype(np.uint8)
    model.train_on_batch(crops, np.eye(2, dtype=np.float32)[[0, 1] * 4])
    same = [np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True)]
    assert sum(same) == 5 * kept  # a kernel and a norm's four arrays for each
    assert all(same[: 3 * kept])  # the stem and the first block, for 4


def kernel_types(file: Path | None) -> set[str]:
    """The number types of a LiteRT model's kernels of 3x3."""
    from ai_edge_litert.interpreter import Interpreter

    assert file is not None
    details = Interpreter(model_path=str(file)).get_tensor_details()
    kernels = [d for d in details if len(d["shape"]) == 4 and d["shape"][1] == 3]
    return {np.dtype(d["dtype"]).name for d in kernels}


def test_predict_runs_8_bits_and_answers_like_the_float_model(taught: Path, start: Path) -> None:
    bundle, exact = load_bundle(taught), load_bundle(start)
    assert [kernel_types(b.litert) for b in (bundle, exact)] == [{"int8"}, {"float32"}]
    assert bundle.files["model.keras"].stat().st_size < 0.7 * (
        exact.files["model.keras"].stat().st_size
    )
    assert bundle.load_keras().output_shape == (None, 2)
    crops = np.random.default_rng(0).integers(0, 256, (20, *bundle.geometry.shape))
    answers = load_network(bundle)(crops.astype(np.uint8))
    assert (np.abs(answers * 256 - np.round(answers * 256)) > 0.01).any()  # the head is float
    metrics = bundle.manifest["metrics"]
    assert metrics["twin_flips"] == 0
    assert 0 < metrics["twin_difference"] < 0.1  # it is another network, and says the same
    assert metrics["twin_accuracy"] == metrics["accuracy"]


def test_the_model_says_what_taught_it(taught: Path, start: Path) -> None:
    training = load_bundle(taught).manifest["training"]
    assert training["also"] == ["shade"]
    assert training["taught_by"] == [load_bundle(start).fingerprint]
    assert training["label_smoothing"] == 0
    card = (taught / "README.md").read_text()
    assert "shade" in card
    assert "Teacher" in card
    assert "8-bit" in card


@pytest.mark.slow
def test_a_resumed_training_equals_one_that_was_never_stopped(
    taught: Path, table: Path, start: Path, tmp_path: Path
) -> None:
    whole = train(table, tmp_path / "m", settings(start), workers=1)
    assert whole.fingerprint == load_bundle(taught).fingerprint


def test_teachers_asked_once_and_doubted_labels_train_alike_again(
    table: Path, start: Path, tmp_path: Path
) -> None:
    events: list[object] = []
    wanted = settings(start, teacher_once=True, doubt="shade:1=.8", int8=False, epochs=1)
    models = [
        train(table, tmp_path / name, wanted, workers=1, on_event=events.append) for name in "ab"
    ]
    assert models[0].fingerprint == models[1].fingerprint
    asked = [event for event in events if isinstance(event, Asking)]
    assert asked[-1].done == asked[-1].total > 0
    events.clear()
    train(table, tmp_path / "a", resume=True, workers=1, on_event=events.append)
    assert not any(isinstance(event, Asking) for event in events)  # there is nothing to teach
    sure = train(
        table, tmp_path / "c", settings(start, teacher_once=True, int8=False, epochs=1), workers=1
    )
    assert sure.fingerprint != models[0].fingerprint
    card = (tmp_path / "a" / "README.md").read_text()
    assert "shade:1=.8" in card
    assert "once for each photo" in card


def test_resume_asks_for_the_same_teacher(table: Path, start: Path, tmp_path: Path) -> None:
    teacher = shutil.copytree(start, tmp_path / "teacher")
    stop = StopRequest()

    def at_once(event: object) -> None:
        if isinstance(event, Step):
            stop.signal_number = 15

    with pytest.raises(Interrupted):
        wanted = settings(start, teacher=(str(teacher),), also=())
        train(table, tmp_path / "m", wanted, workers=1, stop=stop, on_event=at_once)
    manifest = json.loads((teacher / "facegender.json").read_text())
    (teacher / "facegender.json").write_text(json.dumps(manifest | {"fingerprint": "0" * 16}))
    with pytest.raises(UsageError, match="teachers"):
        train(table, tmp_path / "m", resume=True, workers=1)


def test_a_column_that_is_not_there_is_refused_before_photos_are_read(
    table: Path, start: Path, tmp_path: Path
) -> None:
    events: list[object] = []
    with pytest.raises(UsageError, match="--also age"):
        wanted = settings(start, also=("age",))
        train(table, tmp_path / "m", wanted, workers=1, on_event=events.append)
    assert not events
