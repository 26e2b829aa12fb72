"""Further tasks that a network learns beside the gender, in training only.

Source: Caruana, "Multitask learning", 1997. Their layers are left out of the trained model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from facegender.dataset.samples import Samples
from facegender.errors import DataError, UsageError

WEIGHT: Final = 0.2
"""Weight of each further task's loss; that of the gender has 1."""
MAX_CLASSES: Final = 100
"""Maximum number of values of a column."""
UNKNOWN: Final = -1
"""Label of a row without a value; it teaches nothing."""


@dataclass(frozen=True)
class Task:
    """A column of the table to learn.

    Attributes:
        name: of the column.
        values: its values, in the order of the classes.
        labels: int16 (rows,), the class of each row, `UNKNOWN` without a value.
    """

    name: str
    values: tuple[str, ...]
    labels: NDArray[np.int16]


def read_tasks(samples: Samples, names: tuple[str, ...], rows: NDArray[np.int64]) -> list[Task]:
    """Read columns as tasks.

    Args:
        samples: the table.
        names: of the columns.
        rows: the rows to learn from, which give the classes.

    Raises:
        UsageError: no such column.
        DataError: a column that is no set of classes.
    """
    tasks = []
    for name in names:
        column = samples.attributes.get(name)
        if column is None:
            known = ", ".join(samples.attributes) or "none"
            raise UsageError(
                f"--also {name}: the table has no such column",
                f"It has {known}. prepare --attributes adds columns.",
            )
        values = sorted({column[row].strip() for row in rows.tolist()} - {""})
        if not 2 <= len(values) <= MAX_CLASSES:
            raise DataError(
                f"--also {name}: the column has {len(values):,} different values",
                f"Give a column of 2 to {MAX_CLASSES} classes, such as age groups.",
            )
        known_values = {value: index for index, value in enumerate(values)}
        labels = [known_values.get(value.strip(), UNKNOWN) for value in column]
        tasks.append(Task(name, tuple(values), np.array(labels, np.int16)))
    return tasks


def with_heads(model: Any, tasks: Sequence[Task]) -> Any:
    """Return a network that shares the layers of `model` and also answers the tasks.

    Args:
        model: a network of `architectures`.
        tasks: each adds a dense layer on the features, and an output.
    """
    from facegender.models.keras_backend import import_keras

    keras = import_keras()
    features = model.get_layer("logits").input
    heads = [
        keras.layers.Dense(
            len(task.values), activation="softmax", dtype="float32", name=f"also{number}"
        )(features)
        for number, task in enumerate(tasks, start=1)
    ]
    return keras.Model(model.inputs, [*model.outputs, *heads], name=model.name)


def answering(model: Any) -> Any:
    """Return the part of a network that answers the gender: itself if it has no further tasks."""
    if len(model.outputs) == 1:
        return model
    from facegender.models.keras_backend import import_keras

    return import_keras().Model(model.inputs, model.outputs[0], name=model.name)
