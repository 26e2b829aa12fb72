"""Writing a training's epochs for TensorBoard.

TensorFlow writes the files; the package ``tensorboard`` is needed only to look at them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from facegender.training.events import Epoch, Event, OnEvent

CURVES = {"loss": ("loss", "val_loss"), "accuracy": ("accuracy", "val_accuracy")}
"""Name of a plot -> the fields of `Epoch` on training and on validation photos."""

RUNS = ("train", "validation")
"""Their folders."""


class EpochWriter:
    """Passes events on, and writes those of epochs to ``train`` and ``validation`` in a folder.

    Args:
        folder: for TensorBoard; each run adds a file of its own.
        on_event: called with every event.
    """

    def __init__(self, folder: Path, on_event: OnEvent) -> None:
        self._folder, self._on_event = folder, on_event
        self._writers: list[Any] = []

    def __call__(self, event: Event) -> None:
        """Write an event that is an epoch, and pass it on."""
        if isinstance(event, Epoch):
            self._write(event)
        self._on_event(event)

    def _write(self, epoch: Epoch) -> None:
        import tensorflow as tf  # late, as in `train`

        if not self._writers:
            self._writers = [
                tf.summary.create_file_writer(str(self._folder / name)) for name in RUNS
            ]
        for run, writer in enumerate(self._writers):
            with writer.as_default(step=epoch.epoch):
                for plot, names in CURVES.items():
                    self._scalar(plot, getattr(epoch, names[run]))
                if run == 0:
                    self._scalar("learning rate", epoch.lr)
            writer.flush()

    @staticmethod
    def _scalar(name: str, value: float) -> None:
        import tensorflow as tf

        about = tf.compat.v1.SummaryMetadata()
        about.plugin_data.plugin_name = "scalars"
        about.data_class = 1  # DATA_CLASS_SCALAR, without which TensorBoard shows no plot
        tf.summary.write(name, tf.constant(value, tf.float32), metadata=about)
