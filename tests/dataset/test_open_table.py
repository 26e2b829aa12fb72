"""A table and its sidecar, opened together."""

import shutil

import pytest

from facegender.dataset.open_table import open_table
from facegender.dataset.sidecar import read_sidecar, sidecar_path
from facegender.dataset.table import read_table
from facegender.dataset.verify import table_fingerprint
from facegender.errors import DataError
from facegender.faces.geometry import Geometry
from tests.test_compatibility import BEFORE


@pytest.fixture
def table(tmp_path):
    """A table of crops, as the compatibility test has it."""
    folder = tmp_path / "data"
    shutil.copytree(BEFORE, folder)
    return folder / "faces.csv"


def test_it_holds_what_single_readers_tell(table):
    opened = open_table(table)
    samples, sidecar = read_table(table), read_sidecar(table)
    assert opened.samples.paths == samples.paths
    assert opened.folder == table.parent
    assert opened.fingerprint == table_fingerprint(samples, table.parent)
    assert opened.sidecar.digests.to_hex(0, 12) == sidecar.digests.to_hex(0, 12)
    assert opened.crop == sidecar.crop
    assert open_table(opened) is opened


def test_it_is_read_once(table):
    opened = open_table(str(table))
    table.unlink()
    sidecar_path(table).unlink()
    assert open_table(opened).fingerprint == opened.fingerprint


def test_an_edit_makes_the_sidecar_void_but_not_the_cropping(table):
    table.write_text(table.read_text().replace("person 0", "somebody"))
    opened = open_table(table)
    assert opened.sidecar is None
    assert opened.crop["kind"] == "box"
    sidecar_path(table).unlink()
    assert open_table(table).crop is None


def test_crops_must_be_those_that_the_model_takes(table):
    opened = open_table(table)
    assert opened.is_cropped_to(Geometry.from_json(opened.crop))
    with pytest.raises(DataError, match="were cropped to"):
        opened.is_cropped_to(Geometry("box", 64, 64))
    sidecar_path(table).unlink()
    assert not open_table(table).is_cropped_to(Geometry("box", 64, 64))


def test_a_table_that_is_gone_is_said_whether_its_sidecar_is_there_or_not(table):
    table.unlink()
    for _ in range(2):
        with pytest.raises(DataError, match="cannot read"):
            open_table(table)
        sidecar_path(table).unlink(missing_ok=True)
