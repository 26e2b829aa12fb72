import json

import pytest

from facegender.prediction.answer_facts import differences

FACTS = {
    "schema": 1,
    "format": "jsonl",
    "model": "abc",
    "threshold": 0.7,
    "detector": {"finder": "yunet", "min_face": None, "min_score": 0.6},
    "only": None,
    "copy": False,
    "crops": None,
    "sampling": {"fps": 5.0, "keyframes": False, "start": 0.0, "end": None},
    "video_columns": False,
    "frames": None,
}


def sampling(**other):
    return {"sampling": FACTS["sampling"] | other}


@pytest.mark.parametrize(
    ("now", "words"),
    [
        ({}, []),
        (sampling(fps=2.0), ["with --fps 5, now with --fps 2"]),
        (sampling(fps=29.97), ["with --fps 5, now with --fps 29.97"]),
        (sampling(keyframes=True), ["with --fps 5, now with --keyframes"]),
        (
            sampling(start=90.5, end=120.0),
            ["without --start, now with --start 90.5", "without --end, now with --end 120"],
        ),
        (
            {"crops": "/tmp/c", "copy": True, "frames": "/tmp/f"},
            [
                "without --copy, now with --copy",
                "without --crops, now with --crops /tmp/c",
                "without --frames, now with --frames /tmp/f",
            ],
        ),
        ({"detector": None}, ["without --no-detect, now with --no-detect"]),
        (
            {"detector": FACTS["detector"] | {"min_face": 40}},
            ["without --min-face, now with --min-face 40"],
        ),
        ({"model": "def"}, ["with the model abc, now with the model def"]),
        ({"format": "csv"}, ["with the format jsonl, now with the format csv"]),
    ],
)
def test_only_what_differs_is_said_in_the_words_of_the_options(now, words):
    known = json.loads(json.dumps(FACTS))
    assert differences(known, FACTS | now) == words


def test_a_fact_that_an_older_log_lacks_is_none():
    known = {name: value for name, value in FACTS.items() if name != "frames"}
    assert differences(known, FACTS) == []
    assert differences(known, FACTS | {"frames": "f"}) == ["without --frames, now with --frames f"]


@pytest.mark.parametrize("odd", [None, 3, [1], "text", {"fps": {"a": 1}}])
def test_odd_facts_are_another_run_too(odd):
    found = differences(FACTS | {"sampling": odd}, FACTS)
    assert found and "None" not in found[0]
