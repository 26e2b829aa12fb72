"""Further tasks are learned in training only."""

from __future__ import annotations

import numpy as np
import pytest

from facegender.dataset.samples import Samples
from facegender.errors import DataError, UsageError
from facegender.models.architectures import build
from facegender.training.also import UNKNOWN, answering, read_tasks, with_heads


def table(**columns: list[str]) -> Samples:
    rows = len(next(iter(columns.values())))
    return Samples(["x"] * rows, np.zeros(rows, np.int8), [""] * rows, ["train"] * rows, columns)


def test_the_classes_are_the_values_of_the_rows_to_learn_from() -> None:
    samples = table(age=["old", "young", "", " young ", "ancient"])
    (task,) = read_tasks(samples, ("age",), np.array([0, 1, 2, 3]))
    assert task.values == ("old", "young")
    assert task.labels.tolist() == [0, 1, UNKNOWN, 1, UNKNOWN]


@pytest.mark.parametrize(
    ("column", "problem"),
    [
        ({"age": ["a", "a"]}, "1 different values"),
        ({"age": [str(i) for i in range(200)]}, "200 different values"),
        ({"race": ["a", "b"]}, "no such column"),
    ],
)
def test_a_column_must_hold_classes(column: dict[str, list[str]], problem: str) -> None:
    samples = table(**column)
    with pytest.raises((DataError, UsageError), match=problem):
        read_tasks(samples, ("age",), np.arange(len(samples)))


def test_heads_share_the_network_and_leave_its_answers_as_they_are() -> None:
    model = build("compact", seed=1, size=(32, 32))
    samples = table(age=["a", "b", "c"], race=["x", "y", "x"])
    tasks = read_tasks(samples, ("age", "race"), np.arange(3))
    many = with_heads(model, tasks)
    crops = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype(np.uint8)
    gender, age, race = many([crops])
    assert (age.shape, race.shape) == ((2, 3), (2, 2))
    np.testing.assert_array_equal(gender, model(crops))
    alone = answering(many)
    assert [w.shape for w in alone.get_weights()] == [w.shape for w in model.get_weights()]
    np.testing.assert_array_equal(alone(crops), model(crops))
    assert answering(model) is model
