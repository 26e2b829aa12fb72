"""The README's figures of the bundled model are those of its card."""

import pytest

from facegender.models.bundle import load_bundle
from facegender.models.default_model import BUNDLED

VAL = "FairFace validation photos 1 to 5,000 of 10,954"
ADULT = f"{VAL}, ages 10 and over"


@pytest.fixture(scope="module")
def readme(repo):
    return (repo / "README.md").read_text("utf-8")


@pytest.fixture(scope="module")
def recorded():
    return {found["title"]: found for found in load_bundle(BUNDLED).manifest["evaluations"]}


def cells(*shares):
    """A share and its interval as two cells of a table."""
    return " | ".join(
        f"{100 * s['value']:.1f} % | {100 * s['low']:.1f} to {100 * s['high']:.1f}" for s in shares
    )


def by_gender(found):
    return cells(found["accuracy"], found["recall_female"], found["recall_male"])


def test_accuracy_by_age(readme, recorded):
    for name, found in (
        ("all ages", recorded[VAL]["metrics"]),
        ("ages 10 and over", recorded[ADULT]["metrics"]),
    ):
        lines = [x for x in readme.splitlines() if x.startswith(f"| {name} | ")]
        assert any(x.endswith(f" | {by_gender(found)} |") for x in lines)
    ages = recorded[VAL]["groups"]["age"]
    assert len(ages) == 9
    for age, found in ages.items():
        assert f"| {age} | {found['photos']:,} | {by_gender(found)} |" in readme


def test_accuracy_by_race_and_gender(readme, recorded):
    groups = recorded[ADULT]["groups"]["race,gender"]
    assert len(groups) == 14
    for found in groups.values():
        assert f"| {found['photos']:,} | {cells(found['accuracy'])} |" in readme


def test_stress_and_calibration(readme, recorded):
    found = recorded[VAL]
    for condition in found["stress"].values():
        assert f"| {condition['what']} | {cells(condition['accuracy'])} |" in readme
    assert f"Calibration error {100 * found['metrics']['ece']['value']:.1f} %" in readme
    accuracy = found["metrics"]["accuracy"]["value"]
    assert f"(all ages, {100 * accuracy:.1f} % as they are)" in readme
