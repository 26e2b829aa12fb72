"""`facegender count`: what it prints, in every format."""

import csv
import io
import json
import os

import pytest

from tests.evaluation.test_shares import archive, face, labels_of, photo, write, write_labels

__all__ = ["archive"]


@pytest.fixture
def labelled(archive, in_tmp):
    file, truth = archive
    write_labels(in_tmp / "labels.csv", labels_of(truth, 150))
    return file


def test_the_contract(run, labelled):
    out, err = run("count", labelled, "--json", "--labels", "labels.csv", "--by", "folder")
    found = json.loads(out)
    assert err == ""
    assert found["schema"] == 1
    for share in (found["all"], *found["groups"]["folder"].values()):
        assert isinstance(share["faces"], int)
        assert isinstance(share["labels"], int)
        assert set(share["share_female"]) == {"value", "low", "high", "method"}
        assert share["share_female"]["low"] < share["share_female"]["value"]
        assert 0 < share["uncorrected"] < 1
    assert list(found["groups"]["folder"]) == ["new", "old"]


def test_answers_from_a_pipe(run, labelled):
    options = ("--json", "--labels", "labels.csv", "--by", "folder")
    of_file, _ = run("count", labelled, *options)
    of_pipe, err = run("count", "-", *options, stdin=labelled.read_bytes())
    assert json.loads(of_pipe) == json.loads(of_file) | {"answers": "-"}
    assert err == ""
    _, err = run("count", "-", code=1, stdin=b"")
    assert "standard input is empty" in " ".join(err.split())


def test_a_table_with_a_bar_a_row(run, labelled):
    out, err = run("count", labelled, "--labels", "labels.csv", "--by", "folder", "--plan", ".02")
    assert err == ""
    words = " ".join(out.split())
    for part in ("perceived as women's", "By folder", "█", "▒", "labels alone", "For ± 2 points"):
        assert part in words
    out, _ = run("count", labelled, PYTHONIOENCODING="ascii:backslashreplace")
    assert "###" in out
    assert "\\u" not in out.replace("\\u2013", "")
    assert "uncorrected" in out
    assert "an assumption, not an interval" in " ".join(out.split())


def test_csv_has_a_row_a_group(run, labelled):
    out, _ = run("count", labelled, "--labels", "labels.csv", "--by", "folder", "--csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [(row["column"], row["value"]) for row in rows] == [
        ("", "all"), ("folder", "new"), ("folder", "old"),
    ]  # fmt: skip
    assert all(0 < float(row["low"]) < float(row["high"]) < 1 for row in rows)
    run("count", labelled, "-o", "shares.csv")
    assert "assumed_low" in open("shares.csv").readline()
    row = next(csv.DictReader(open("shares.csv")))
    assert row["low"] == ""
    assert 0 <= float(row["assumed_low"]) < float(row["assumed_high"])


def test_the_report_is_one_file(run, labelled):
    from tests.report.test_report import read

    run("count", labelled, "--labels", "labels.csv", "--by", "folder", "--report", "shares.html")
    html = open("shares.html").read()
    words = " ".join(read(html).words)
    assert html.count("<svg") == 1
    for part in ("By folder", "PPI++", "What the number is not", "facegender count", "perceived"):
        assert part in words
    assert "<script" not in html
    run("count", labelled, "--by", "folder", "--report", "raw.html", "-q")
    assert "assumption, not an" in " ".join(read(open("raw.html").read()).words)


@pytest.mark.parametrize(
    ("options", "code", "why"),
    [
        (("--json", "--csv"), 2, "two formats"),
        (("-o", "x.txt"), 2, "JSON or CSV"),
        (("--plan", "0"), 2, "the plan"),
        (("--by", "race"), 2, "needs a table"),
        (("--report", "labels.csv", "--labels", "labels.csv"), 2, "read and written"),
        (("-o", "mine.json"), 2, "did not write it"),
        (("--labels", "nothing.csv"), 2, "does not exist"),
        (("--model", "photos"), 1, "holds no model"),
    ],
)
def test_what_cannot_be_is_said(run, labelled, options, code, why):
    open("mine.json", "w").write("[1]")
    os.mkdir("photos")
    out, err = run("count", labelled, *options, code=code)
    assert out == ""
    assert why in " ".join(err.split())


def test_another_models_card_is_not_used(run, in_tmp):
    element = photo("a.jpg", face(0.9))
    head = {"schema": 1, "model": {"path": "x", "fingerprint": "0" * 16}}
    (in_tmp / "x.json").write_text(json.dumps({**head, "photos": [element]}))
    out, err = run("count", "x.json", "--json")
    assert json.loads(out)["all"]["assumed_range"] is None
    assert "another model" in err


def advice(out):
    return " ".join(out.split()).partition("To know: ")[2].partition(" By ")[0]


def test_the_review_that_is_advised_can_be_done(run, labelled):
    assert advice(run("count", labelled)[0]).startswith(f"facegender review {labelled} --sample")
    first = "predict with --output answers.jsonl, then facegender review answers.jsonl"
    assert advice(run("count", "-", stdin=labelled.read_bytes())[0]).startswith(first)
    track = {**face(0.9), "seconds": 5.0, "best": {"time": 1.0, "box": [1, 2, 30, 40]}}
    write(labelled.with_name("v.jsonl"), [{"path": "a.mp4", "error": None, "tracks": [track]}])
    assert advice(run("count", "v.jsonl")[0]).startswith("facegender review v.jsonl --sample")
    with open("v.csv", "w") as file:
        file.write("path,error,x,y,width,height,female,male,seconds\n")
        file.write("a.mp4,,10,10,40,50,0.9,0.1,5\n")
    assert advice(run("count", "v.csv")[0]).startswith(first)


def test_odd_names_are_printed(run, in_tmp):
    write(
        in_tmp / "x.jsonl", [photo("a\u001b[31m/b.jpg", face(0.9)), photo("[b]/c.jpg", face(0.2))]
    )
    out, _ = run("count", "x.jsonl", "--by", "folder")
    assert "[b]" in out
    assert "\x1b" not in out
