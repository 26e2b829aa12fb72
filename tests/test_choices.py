"""The vocabularies, and the tables of behaviour that are keyed by them."""

import json
import pickle
import subprocess
import sys

import pytest

from facegender import choices


def kinds():
    return choices.Choice.__subclasses__()


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_a_choice_is_its_word(kind):
    for choice in kind:
        assert choice == choice.value
        assert f"{choice}" == str(choice) == choice.value
        assert repr(choice) == repr(choice.value)
        assert json.dumps({choice: choice}) == json.dumps({choice.value: choice.value})
        assert pickle.loads(pickle.dumps(choice)) is choice
        assert choice.meaning.strip()
        assert choice.meaning not in (".", choice)


def test_behaviour_is_keyed_by_the_vocabularies():
    from facegender.evaluation.robustness import CONDITIONS
    from facegender.exporting.formats import EXPORT_FORMATS
    from facegender.faces.backends import _PACKAGES, BACKENDS
    from facegender.models.architectures import ARCHITECTURES, DEFAULT

    assert set(ARCHITECTURES) >= set(choices.Arch)  # others may be registered
    assert DEFAULT in list(choices.Arch)
    assert list(EXPORT_FORMATS) == list(choices.ExportFormat)
    assert list(BACKENDS) == list(_PACKAGES) == list(choices.Backend)
    assert [condition.name for condition in CONDITIONS] == list(choices.Condition)


def test_every_word_is_accepted_where_it_belongs():
    from facegender.dataset.cropping import CropSettings
    from facegender.dataset.settings import PrepareSettings
    from facegender.faces.geometry import Geometry
    from facegender.training.settings import TrainSettings, resolve

    for name, kind in {
        "arch": choices.Arch,
        "crop": choices.CropKind,
        "schedule": choices.Schedule,
        "devices": choices.Devices,
        "precision": choices.Precision,
    }.items():
        for word in kind:
            given = TrainSettings(**{"seed": 1, name: word.value})
            assert given == TrainSettings(**{"seed": 1, name: word})
            resolved = resolve(given, given.arch or "compact", "none")
            assert json.loads(json.dumps(resolved.to_json()))[name] == word.value
    for method in choices.SplitMethod:
        assert PrepareSettings(split=method) == PrepareSettings(split=method.value)
    for align in choices.Alignment:
        geometry = Geometry(align, 64, 64)
        assert Geometry.from_json(json.loads(json.dumps(geometry.to_json()))) == geometry
        assert geometry.finds
        for faces in choices.FaceSelection:
            for form in choices.CropFormat:
                CropSettings("crops", geometry, faces, form)


def test_the_vocabularies_are_light():
    code = (
        "import sys, facegender.choices; print(len({'numpy', 'PIL', 'typer'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "0\n"
