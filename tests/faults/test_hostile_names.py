"""Names and files that no photo should have, through `prepare` and `predict` as a user would."""

import csv
import io
import json
import os
import shutil
import subprocess
import sys

import pytest

from facegender.dataset.table import read_table
from tests.cli.conftest import run  # noqa: F401 - a fixture
from tests.conftest import encoded, pattern

NAMES = (
    "-r.jpg",
    "--json.jpg",
    "=cmd|'.jpg",
    "@SUM(1).jpg",
    "a;=1+1.jpg",
    "new\nline.jpg",
    "\ttab.jpg",
    "cr\r.jpg",
    "\U0001f469\u200d\U0001f52c.jpg",
    "e\u0301.jpg",
    "\u202egpj.exe.jpg",
    "[bold red]x.jpg",
    "\x1b[31mred.jpg",
    "a,b\"c'.jpg",
    " spaces .jpg",
    os.fsdecode(b"caf\xe9 \xff.jpg"),
    "x" * 251 + ".jpg",
)


@pytest.fixture
def odd(in_tmp):
    """A folder for each gender with photos of odd names, in folders of odd names."""
    for label, gender in enumerate(("female", "male")):
        for number, name in enumerate(NAMES):
            folder = in_tmp / "photos" / gender / ("=1+1" if number % 2 else "-p")
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(encoded(pattern(label, 100 * label + number)))
    return in_tmp / "photos"


def test_odd_names_go_through_prepare_and_back(run, odd, in_tmp):  # noqa: F811
    out, err = run("prepare", "photos", "--split", "photo")
    assert {line.partition(":")[0] for line in err.splitlines()} == {"Warning"}  # of the persons
    assert "\x1b" not in out
    samples = read_table(in_tmp / "faces.csv")
    assert len(samples) == 2 * len(NAMES)
    assert all(os.path.isfile(path) for path in samples.paths)
    assert {os.path.basename(path) for path in samples.paths} == set(NAMES)
    assert set(samples.persons) == {"=1+1", "-p"}


def test_odd_names_go_through_predict_in_every_format(run, odd, in_tmp, toy_model):  # noqa: F811
    options = ("-r", "-q", "--model", toy_model)
    out, err = run("predict", "photos", "--jsonl", *options)
    assert (err, len(out.splitlines())) == ("", 2 * len(NAMES))
    told = {os.path.basename(json.loads(line)["path"]) for line in out.splitlines()}
    assert told == {name.encode("utf-8", "backslashreplace").decode() for name in NAMES}
    out, _ = run("predict", "photos", "--csv", *options)
    assert len(list(csv.DictReader(io.StringIO(out, newline="")))) == 2 * len(NAMES)
    out, _ = run("predict", "photos", *options)
    assert "\x1b" not in out
    out, _ = run("predict", "photos", "--sort", "sorted", "--annotate", "marked", "--csv", *options)
    kept = [p for p in (in_tmp / "sorted").rglob("*") if not p.is_dir()]
    assert len(kept) == 2 * len(NAMES)


def test_names_like_options_are_photos_where_a_user_says_so(run, odd, in_tmp, toy_model):  # noqa: F811
    os.chdir(odd / "female" / "-p")
    options = ("--jsonl", "-q", "--model", toy_model)
    (answer,) = run("predict", *options, "--", "-r.jpg")[0].splitlines()
    assert json.loads(answer)["path"] == "-r.jpg"
    (answer,) = run("predict", *options, "-", stdin=b"-r.jpg\n")[0].splitlines()
    assert json.loads(answer)["error"] is None


def cells_a_spreadsheet_computes(text, delimiter):
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    return [cell for row in rows for cell in row if cell.lstrip().startswith(("=", "+", "-", "@"))]


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_no_table_holds_a_formula_made_of_a_name(run, odd, in_tmp, toy_model, delimiter):  # noqa: F811
    """Names lead the cells where the photos lie in the current folder."""
    for number, name in enumerate(NAMES):
        (in_tmp / name).write_bytes(encoded(pattern(0, 500 + number)))
    (in_tmp / "=broken.jpg").write_bytes(b"no photo")
    rows = [(name, number % 2) for number, name in enumerate((*NAMES, "=broken.jpg"))]
    with open("labels.csv", "w", errors="surrogateescape", newline="") as file:
        csv.writer(file).writerows([("path", "label"), *rows])
    run("prepare", "--labels", "labels.csv")
    table = (in_tmp / "faces.csv").read_bytes().decode("utf-8", "replace")
    assert cells_a_spreadsheet_computes(table, delimiter) == []
    assert "./=cmd" in table
    rejects = (in_tmp / "faces.rejected.csv").read_text()
    assert cells_a_spreadsheet_computes(rejects, delimiter) == []
    assert rejects.splitlines()[1].startswith("./=broken.jpg,not a photo,")
    samples = read_table(in_tmp / "faces.csv")
    assert {os.path.basename(path) for path in samples.paths} == set(NAMES)
    names = "\0".join(NAMES).encode("utf-8", "surrogateescape")
    out, _ = run("predict", "-0", "--csv", "-q", "--model", toy_model, stdin=names)
    assert cells_a_spreadsheet_computes(out, delimiter) == []
    run("prepare", odd, "--output", "persons.csv", "--split", "photo")
    persons = (in_tmp / "persons.csv").read_bytes().decode("utf-8", "replace")
    assert "'=1+1" in persons
    assert cells_a_spreadsheet_computes(persons, ",") == []


def test_links_pipes_and_devices_cost_only_themselves(run, odd, in_tmp, toy_model):  # noqa: F811
    folder = in_tmp / "strange"
    folder.mkdir()
    (folder / "good.jpg").write_bytes(encoded(pattern(0, 1)))
    os.symlink("loop.jpg", folder / "loop.jpg")
    os.symlink("b.jpg", folder / "a.jpg")
    os.symlink("a.jpg", folder / "b.jpg")
    os.symlink("nowhere.jpg", folder / "gone.jpg")
    os.symlink(".", folder / "itself")
    os.symlink("/dev/zero", folder / "zero.jpg")
    os.mkfifo(folder / "pipe.jpg")
    os.mkdir(folder / "folder.jpg")
    options = ("--jsonl", "-q", "--model", toy_model)
    out, err = run("predict", folder, "-r", *options, code=3)
    answers = [json.loads(line) for line in out.splitlines()]
    told = {os.path.basename(a["path"]): a["error"] for a in answers}
    assert {name: bool(error) for name, error in told.items()} == {
        **dict.fromkeys(("a.jpg", "b.jpg", "gone.jpg", "loop.jpg", "pipe.jpg", "zero.jpg"), True),
        "good.jpg": False,
    }
    assert len([line for line in err.splitlines() if line.startswith("Failed:")]) == 6
    out, _ = run("predict", "/dev/zero", "/dev/null", folder / "good.jpg", *options, code=3)
    errors = [json.loads(line)["error"] for line in out.splitlines()]
    assert errors == ["not a regular file", "not a regular file", None]
    os.rename(folder, odd / "female" / "strange")
    out, _ = run("prepare", "photos", "--split", "photo", "--force")
    rejected = csv.DictReader(open("faces.rejected.csv", newline=""))
    reasons = {os.path.basename(row["path"]): row["reason"] for row in rejected}
    assert reasons["pipe.jpg"] == reasons["zero.jpg"] == "not a file"
    assert reasons["gone.jpg"] == "missing"
    assert reasons["loop.jpg"] == "unreadable"


def without_privileges():
    """A command that runs another one as a user whom permissions hold back, root too."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("root reads everything here")
    return ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]


def test_unreadable_folders_and_photos_are_named(odd, in_tmp, toy_model):
    closed, locked = odd / "female" / "closed", odd / "female" / "locked.jpg"
    closed.mkdir()
    locked.write_bytes(encoded(pattern(0, 1)))
    closed.chmod(0)
    locked.chmod(0)
    command = [*without_privileges(), sys.executable, "-m", "facegender"]

    def tell(*arguments):
        done = subprocess.run([*command, *map(str, arguments)], capture_output=True)
        return done.returncode, done.stderr.decode("utf-8", "replace")

    try:
        code, err = tell("predict", "photos", "-r", "--jsonl", "-q", "--model", toy_model)
        assert code == 3
        assert "photos/female/closed: cannot be read: Permission denied" in err
        assert "photos/female/locked.jpg: cannot be read: Permission denied" in err
        assert len(err.splitlines()) == 2
        code, err = tell("prepare", "photos")
        assert code == 1
        assert "cannot read the folder photos/female/closed: Permission denied" in err
        assert not (in_tmp / "faces.csv").exists()
    finally:
        closed.chmod(0o700)
