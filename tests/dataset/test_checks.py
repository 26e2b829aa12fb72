from collections import defaultdict

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from facegender.dataset.checks import PhotoCheck, PhotoChecks, find_conflicts
from facegender.dataset.samples import Samples

ROWS = st.lists(
    st.tuples(
        st.integers(0, 1), st.sampled_from(["", "ann", "bob", "cy"]), st.sampled_from(["", *"123"])
    ),
    max_size=12,
)


def test_inspections_are_a_list():
    digest = "00" * 15 + "ff"
    listed = [
        PhotoCheck("", "", 640, 480, 5_000_000_000, digest),
        PhotoCheck("empty", "empty file (0 bytes)"),
        PhotoCheck("", "", 16, 16, 9, "ab" * 16),
        PhotoCheck("empty", "empty file (0 bytes)"),
    ]
    found = PhotoChecks(iter(listed), 4)
    assert list(found) == listed
    assert found[-1] == listed[-1]
    assert (found.good.tolist(), found.rejected.tolist()) == ([0, 2], [1, 3])
    assert list(found.take([2, 1])) == [listed[2], listed[1]]
    assert list(found[1:3]) == listed[1:3]
    assert found.digests == [digest, "", "ab" * 16, ""]
    assert found.sizes.tolist() == [5_000_000_000, 0, 9, 0]


@settings(deadline=None)
@given(ROWS, st.randoms(use_true_random=False))
def test_conflicts_are_those_that_a_plain_reading_finds(rows, random):
    labels = np.array([row[0] for row in rows], np.int8)
    persons = [row[1] for row in rows]
    digests = [row[2] and row[2] * 32 for row in rows]
    order = list(range(len(rows)))
    random.shuffle(order)
    samples = Samples([str(i) for i in range(len(rows))], labels, persons, [""] * len(rows))
    found = find_conflicts(samples, digests, np.array(order, np.intp))

    def sharing(keys):
        groups = defaultdict(list)
        for row in order:
            if keys[row]:
                groups[keys[row]].append(row)
        return list(groups.values())

    def mixed(groups):
        return sorted(r for g in groups if len({labels[i] for i in g}) > 1 for r in g)

    def linked(links):
        """For each row, the least row that it is linked with in any number of steps."""
        least = list(range(len(rows)))
        for _ in rows:
            for group in links:
                for row in group:
                    least[row] = min(least[i] for i in group)
        return least

    content, person = sharing(digests), sharing(persons)
    assert found.copies.tolist() == sorted(row for group in content for row in group[1:])
    assert found.content.tolist() == mixed(content)
    assert found.person.tolist() == mixed(person)
    for groups, links in ((found.groups, content + person), (found.content_groups, content)):
        least = linked(links)
        same = [[a == b for b in groups.tolist()] for a in groups.tolist()]
        assert same == [[a == b for b in least] for a in least]
