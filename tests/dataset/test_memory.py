"""The least of what memory.py in the benchmarks measures: that rows stay small."""

import tracemalloc
from functools import partial

import numpy as np

from facegender.dataset.checks import PhotoCheck, PhotoChecks, find_conflicts
from facegender.dataset.sidecar import Sidecar, read_sidecar, write_with_table
from facegender.dataset.splits import precedence, split_by_group
from facegender.dataset.table import read_table, write_rows
from facegender.dataset.verify import find_changes

LIMIT = 300


def peak(work):
    tracemalloc.start()
    try:
        kept = work()
        return tracemalloc.get_traced_memory()[1], kept
    finally:
        tracemalloc.stop()


def test_a_row_takes_little_memory_on_its_way(tmp_path):
    folder = tmp_path / "a-folder-with-a-name" / "of-usual-length" / "female" / "person-000123"
    folder.mkdir(parents=True)
    for i in range(8):
        (folder / f"photo-{i:07}.jpg").write_bytes(b"x")
    table = tmp_path / "faces.csv"

    def rows(count):
        """All that happens to rows between the list and the split, in their number."""
        table.write_text(
            "path,label,person,age\n"
            + "".join(
                f"{folder.relative_to(tmp_path)}/photo-{i % 8:07}.jpg,{i // 20 % 2},p{i // 20},30\n"
                for i in range(count)
            )
        )

        def work():
            samples = read_table(table)
            found = (PhotoCheck("", "", 640, 480, i, f"{i:032x}") for i in range(1, count + 1))
            inspections = PhotoChecks(found, count)
            conflicts = find_conflicts(samples, inspections.digests, precedence(samples))
            samples.splits = split_by_group(
                samples.labels, conflicts.groups, val=0.1, test=0.2, seed=0
            )
            sidecar = Sidecar({}, None, inspections.sizes, inspections.digests)
            text = partial(write_rows, folder=str(tmp_path), samples=samples)
            write_with_table(table, text, sidecar)
            sidecar = read_sidecar(table)
            changes = find_changes(
                samples.take(range(0, count, 2)), sidecar, table=samples, workers=1
            )
            assert len(changes.rows) == count // 2  # no photo is as large as it is said to be
            return samples, sidecar

        used, (samples, sidecar) = peak(work)
        assert len(samples) == count
        assert sidecar.digests[-1] == f"{count:032x}"
        np.testing.assert_array_equal(sidecar.sizes, np.arange(1, count + 1))
        return used

    few, many = rows(2_000), rows(12_000)
    assert (many - few) / 10_000 < LIMIT
