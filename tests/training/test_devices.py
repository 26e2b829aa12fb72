"""Several devices, made of one CPU; TensorFlow divides it once a process, hence the children."""

import json
import subprocess
import sys

import numpy as np
import pytest

from facegender.choices import Precision
from facegender.errors import UsageError
from facegender.models.bundle import load_bundle
from facegender.training.settings import TrainSettings
from facegender.training.train import train

CHILD = """
import json, sys
from pathlib import Path

import tensorflow as tf

table, out, devices = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * devices)

from facegender.errors import Interrupted
from facegender.faces.geometry import Geometry
from facegender.runtime.signals import StopRequest
from facegender.models.layouts import normalization
from facegender.models.architectures import Recipe, _adamw, register
from facegender.training.events import Started, Step
from facegender.training.settings import TrainSettings
from facegender.training.train import train

@register(
    Geometry("photo", 32, 32),
    Recipe(epochs=2, batch_size=20, lr=1e-2, patience=9, augment=False, class_weights=True,
           optimizer=_adamw, weight_decay=0.05, label_smoothing=0.1),
)
def small(keras, crops, seed):
    x = keras.layers.Rescaling(1 / 255)(crops)
    for filters in (6, 8):
        x = keras.layers.Conv2D(filters, 3, strides=3, use_bias=False)(x)
        x = keras.layers.ReLU()(normalization(keras, momentum=0.9)(x))
    return keras.layers.Flatten()(x)

steps, told, stop, stop_at = [], [], StopRequest(), [0]

def listen(event):
    if isinstance(event, Started):
        told.append(event.devices)
    if isinstance(event, Step):
        steps.append((event.loss, event.accuracy))
        stop_at[0] -= 1
        if stop_at[0] == 0:
            stop.signal_number = 15

def run(name, batch, **options):
    settings = TrainSettings(arch="small", devices="all", init="none", seed=4, batch_size=batch)
    return train(table, out / name, settings, workers=1, stop=stop, on_event=listen, **options)

for batch in (20, 47):  # 48 photos: the last batch of an epoch has 8, or 1
    bundle = run(f"whole-{batch}", batch)
counts = bundle.load_keras().count_params()
whole, stop_at[0] = list(steps), 2
try:
    run("stopped", 20)
except Interrupted:
    stop.signal_number = None
again = run("stopped", 20, resume=True)
print(json.dumps({
    "told": told[0],
    "steps": whole,
    "validation": [row["val_loss"] for name in ("whole-20", "whole-47")
                   for row in json.loads((out / name / "last/state.json").read_text())["history"]],
    "synchronized": [layer.get_config()["synchronized"] for layer in again.load_keras().layers
                     if "synchronized" in layer.get_config()],
    "twins": [(out / name / "facegender.json").read_text().count(".tflite") > 0
              for name in ("whole-20", "stopped")],
}))
"""


def run(table, out, devices):
    child = subprocess.run(
        [sys.executable, "-c", CHILD, str(table), str(out), str(devices)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.returncode == 0, child.stderr[-3000:]
    return json.loads(child.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def one_and_two(toy_csv, tmp_path_factory):
    folders = [tmp_path_factory.mktemp(f"devices-{count}") for count in (1, 2)]
    return folders, [run(toy_csv, folder, i + 1) for i, folder in enumerate(folders)]


@pytest.mark.slow
def test_two_devices_have_the_losses_of_one(one_and_two):
    _, (one, two) = one_and_two
    assert (one["told"], two["told"]) == ("one CPU, float32", "2 CPUs, float32")
    np.testing.assert_allclose(two["steps"], one["steps"], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(two["validation"], one["validation"], rtol=1e-3, atol=1e-5)
    assert one["steps"][0][0] > 0.1


@pytest.mark.slow
def test_what_two_devices_learned_is_a_bundle_like_any_other(one_and_two):
    (alone, shared), (_, two) = one_and_two
    assert two["synchronized"] == [False, False]
    assert two["twins"] == [True, True]
    for name in ("whole-20", "stopped"):
        ours, theirs = (load_bundle(folder / name).manifest for folder in (shared, alone))
        assert ours["metrics"]["log_loss"] == pytest.approx(theirs["metrics"]["log_loss"], rel=1e-2)
        assert ours["training"]["devices"] == "all"
        assert ours["training"]["precision"] == Precision.FLOAT32


@pytest.mark.slow
def test_a_stopped_run_on_two_devices_ends_with_the_same_weights(one_and_two):
    (_, shared), _ = one_and_two
    whole, stopped = (load_bundle(shared / name) for name in ("whole-20", "stopped"))
    assert stopped.fingerprint == whole.fingerprint


@pytest.mark.slow
def test_mixed_precision_trains_and_leaves_a_network_in_float32(toy_csv, tmp_path):
    settings = TrainSettings(
        epochs=1,
        batch_size=16,
        seed=3,
        crop="photo",
        init="none",
        precision=Precision.MIXED,
        augment=False,
    )
    seen = []
    bundle = train(toy_csv, tmp_path / "m", settings, workers=1, on_event=seen.append)
    assert "one CPU, mixed float16" in [getattr(event, "devices", "") for event in seen]
    model = bundle.load_keras()
    assert {layer.compute_dtype for layer in model.layers} == {"float32"}
    assert bundle.litert is not None
    assert np.isfinite(bundle.manifest["metrics"]["log_loss"])


def test_unknown_hardware_is_refused():
    for settings in ({"devices": "two"}, {"precision": "float64"}):
        with pytest.raises(UsageError, match="unknown --"):
            TrainSettings(**settings)
