"""Do the intervals of corrected shares hold the truth 95 % of the time, and how wide are they?

    python tests/benchmarks/share_coverage.py [--archives 2000]
    python tests/benchmarks/share_coverage.py --answers answers.jsonl --attributes attributes.csv

Without files it draws archives of 5,000 faces in three groups (60, 30 and 10 % of the faces, 50, 35
and 20 % women) on which a model is right for 97, 90 and 80 %, though its probabilities are made for
90 % everywhere. Some faces of each archive are labelled: drawn singly; or photos of 1 to 5 faces,
whose errors go together, are drawn and labelled whole. Counted is how often an interval holds the
archive's own share.

With files the archive is what `predict` wrote for photos whose gender is known (a column gender in
the attributes); 300 labels are drawn from it 500 times.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from facegender.evaluation.answered import read_answers
from facegender.evaluation.counting import MIN_LABELS
from facegender.evaluation.prevalence import Frame, Labelled, prediction_powered
from facegender.labels import FEMALE, parse_label

FACES = 5000
GROUPS = {"A": (0.6, 0.5, 0.97), "B": (0.3, 0.35, 0.90), "C": (0.1, 0.2, 0.80)}
"""Of the faces, of women among them, and of right answers."""


class Archive:
    """An archive whose truth is known; arrays of a value a face."""

    def __init__(self, women, female, group, photo):
        self.women, self.female, self.group, self.photo = women, female, group, photo

    def labelled(self, rows):
        ones = np.ones(len(rows))
        return Labelled(
            self.women[rows].astype(float),
            ones,
            self.female[rows],
            ones,
            ones,
            ones,
            self.photo[rows],
            np.zeros(len(rows), np.intp),
        )

    def frame(self, within):
        count = float(within.sum())
        return Frame(int(count), count, count, float(self.female[within].sum()))


def made_archive(random, clustered):
    """An archive; where clustered, a photo's faces share half of what makes answers wrong."""
    sizes = random.integers(1, 6, FACES) if clustered else np.ones(FACES, int)
    photo = np.repeat(np.arange(FACES), sizes)[:FACES]
    table = np.array(list(GROUPS.values()))
    group_of = random.choice(len(table), FACES, p=table[:, 0])[photo]
    share = 0.5 if clustered else 0.0
    luck = share**0.5 * random.normal(size=FACES)[photo]
    luck += (1 - share) ** 0.5 * random.normal(size=FACES)
    women = random.random(FACES) < table[group_of, 1]
    from scipy.special import expit, ndtri

    margin = ndtri(table[group_of, 2]) + luck
    female = expit(2.2 * np.where(women, margin, -margin))
    return Archive(women, female, group_of, photo.astype(np.intp))


def drawn(random, archive, labels, clustered):
    if not clustered:
        return random.choice(len(archive.women), labels, replace=False)
    order = random.permutation(archive.photo.max() + 1)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return np.argsort(rank[archive.photo], kind="stable")[:labels]


class Tally:
    """How often intervals held, how wide they were, and what the raw count was off by."""

    def __init__(self):
        self.rows = {}

    def add(self, name, truth, found, alone, raw):
        row = self.rows.setdefault(name, [])
        if found is None:
            row.append([np.nan] * 4 + [abs(raw - truth), np.nan])
            return
        one, other = found.estimate, alone.estimate
        row.append(
            [
                one.low <= truth <= one.high,
                one.high - one.low,
                other.low <= truth <= other.high,
                other.high - other.low,
                abs(raw - truth),
                abs(one.value - truth),
            ]
        )

    def print(self, names):
        heads = ("holds", "width", "labels alone: holds", "width", "raw count off by", "off by")
        print("| | " + " | ".join(heads) + " | with interval |")
        print("| --- |" + " ---: |" * (len(heads) + 1))
        for name in names:
            table = np.array(self.rows[name], float)
            sure = ~np.isnan(table[:, 0])
            means = np.nanmean(table, axis=0)
            cells = " | ".join(f"{100 * value:.1f}" for value in means)
            print(f"| {name} | {cells} | {100 * sure.mean():.0f} % |", flush=True)


def estimate(tally, archive, rows, names):
    """Estimate the whole and each group from labelled rows, as `count` does."""
    whole = None
    for number, name in enumerate(["all", *names], start=-1):
        within = archive.group == number if number >= 0 else np.ones(len(archive.women), bool)
        own = rows[within[rows]]
        truth = archive.women[within].mean()
        raw = (archive.female[within] > 0.5).mean()
        found = alone = None
        if len(own) >= MIN_LABELS:
            labels, frame = archive.labelled(own), archive.frame(within)
            found = prediction_powered(labels, frame, whole=whole)
            alone = prediction_powered(labels, frame, tune=False)
        if number < 0:
            whole = found
        tally.add(name, truth, found, alone, raw)


def simulate(archives, labels, clustered, seed=0):
    tally = Tally()
    for number in range(archives):
        random = np.random.default_rng([seed, number, labels, clustered])
        archive = made_archive(random, clustered)
        estimate(tally, archive, drawn(random, archive, labels, clustered), GROUPS)
    return tally


def real_archive(answers, attributes, by):
    """The archive of what `predict` wrote; of each photo the largest face has the label."""
    found = read_answers(answers, by=[by, "gender"], attributes=attributes)
    first = np.flatnonzero(np.diff(found.photo, prepend=-1))
    photo = found.photo[first]
    gender = found.columns["gender"]
    is_woman = np.array([parse_label(value) == FEMALE for value in gender.values])
    column = found.columns[by]
    archive = Archive(
        is_woman[gender.codes[photo]],
        found.female[first].astype(float),
        column.codes[photo],
        photo.astype(np.intp),
    )
    return archive, column.values


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--archives", type=int, default=2000)
    parser.add_argument("--answers", type=Path)
    parser.add_argument("--attributes", type=Path)
    parser.add_argument("--by", default="race")
    parser.add_argument("--labels", type=int, default=300)
    parser.add_argument("--draws", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.answers is not None:
        archive, names = real_archive(options.answers, options.attributes, options.by)
        tally = Tally()
        for number in range(options.draws):
            random = np.random.default_rng([options.seed, number])
            estimate(tally, archive, drawn(random, archive, options.labels, False), names)
        tally.print(["all", *sorted(names)])
        return
    for clustered in (False, True):
        for labels in (200, 500):
            how = "photos drawn whole" if clustered else "faces drawn singly"
            print(f"\n{how}, {labels} labels:\n")
            simulate(options.archives, labels, clustered, options.seed).print(["all", *GROUPS])


if __name__ == "__main__":
    main()
