"""Where `predict` keeps how far it is in a video."""

from pathlib import Path

import pytest

from facegender.cli._journals import Journals
from facegender.errors import FaceGenderError, UsageError
from facegender.runtime.files import lock_target


def beside(output, *, resume=False, force=False):
    return Journals.beside(output, "jsonl", {}, resume=resume, force=force)


def test_a_run_that_still_reads_a_video_is_not_said_to_have_stopped(in_tmp):
    out = Path("out.jsonl")
    beside(out).path.touch()
    with (
        lock_target(out, "predict"),  # as who writes the answers does
        pytest.raises(FaceGenderError, match="being written by another predict"),
    ):
        beside(out)
    with pytest.raises(UsageError, match="stopped within a video"):
        beside(out)
    assert beside(out, resume=True) and beside(out, force=True)
    assert [path.name for path in in_tmp.iterdir()] == [".out.jsonl.facegender-video"]
