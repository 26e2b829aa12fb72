"""The script that finds doubtful labels, with models that are made up."""

import runpy
import sys

import numpy as np
import pytest

from facegender.dataset.samples import Samples
from facegender.dataset.table import read_table, write_table


@pytest.fixture
def script(repo, in_tmp, monkeypatch):
    """Write a table of which the models contradict the first label surely, the second hardly."""
    found = runpy.run_path(str(repo / "examples" / "label_noise.py"))
    paths = [f"{number}.jpg" for number in range(4)]
    labels = np.array([0, 0, 1, 1], np.int8)
    write_table(in_tmp / "faces.csv", Samples(paths, labels, [""] * 4, ["train"] * 4))
    monkeypatch.setitem(
        found["main"].__globals__,
        "cross_validated",
        lambda *_: np.array([0.99, 0.6, 0.9, np.nan]),
    )

    def run(*options):
        monkeypatch.setattr(sys, "argv", ["label_noise.py", "faces.csv", "doubt.csv", *options])
        found["main"]()
        return in_tmp

    return run


def test_what_is_surely_contradicted_is_left_out(script):
    folder = script("--drop", "kept.csv")
    assert [path.rpartition("/")[2] for path in read_table(folder / "kept.csv").paths] == [
        "1.jpg", "2.jpg", "3.jpg",
    ]  # fmt: skip
    assert len((folder / "doubt.csv").read_text().splitlines()) == 3
    folder = script("--drop", "kept.csv", "--sure", ".5")
    assert len(read_table(folder / "kept.csv")) == 2
