import itertools
import re
import shutil
import subprocess
from html import escape
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facegender.dataset.table import read_table, write_table
from facegender.evaluation.evaluate import evaluate
from facegender.evaluation.groups import group_by
from facegender.evaluation.intervals import Estimate
from facegender.images.plots import Axis, Interval, Line, forest_plot, line_plot, share_axis
from facegender.prediction.predictor import Predictor
from facegender.report.curves import group_curves
from facegender.report.page import page, paragraph, table
from facegender.report.report import learning_curve, render_report
from facegender.report.sections import groups

VOID = {"meta", "link", "img", "br", "hr", "input", "polyline", "circle", "line"}
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


class Reader(HTMLParser):
    """Checks that tags nest, and collects what a test asks for."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def read(html):
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    return reader


@pytest.fixture(scope="module")
def report(toy_csv, toy_model):
    predictor = Predictor(toy_model)
    result = evaluate(
        toy_csv,
        predictor,
        split="test",
        by=["gender", "person"],
        stress=True,
        target_accuracy=0.9,
        compare=toy_model,
    )
    return render_report(result, predictor, shown=5, command="facegender eval <&> --report")


def test_one_file_without_scripts_or_requests(report):
    reader = read(report)
    assert not [tag for tag, _ in reader.tags if tag in ("script", "iframe", "object")]
    for tag, attributes in reader.tags:
        for name in ("src", "href"):
            value = attributes.get(name, "#")
            assert value.startswith(("#", "data:")), (tag, value)
    assert "default-src 'none'" in report
    assert not re.search(r"url\(|@import", report)


def test_every_plot_has_words_and_numbers(report):
    reader = read(report)
    plots = [attributes for tag, attributes in reader.tags if tag == "svg"]
    assert len(plots) == 2 + 4 + 1 + 1  # groups, curves, stress, learning
    assert all(plot["role"] == "img" and plot["aria-label"] for plot in plots)
    assert report.count("<figure>") == report.count("<summary>Numbers") == len(plots)
    images = [attributes for tag, attributes in reader.tags if tag == "img"]
    assert images
    assert all("labelled" in image["alt"] for image in images)


def test_what_a_reader_must_find(report):
    words = " ".join(read(report).words)
    for part in (
        "Of 16 photos",
        "Leakage and warnings",
        "None of these photos or persons is among 48 training photos.",
        "Confusion matrix",
        "Matthews correlation",
        "too few to say",
        "The most confident mistakes",
        "McNemar",
        "perceived",
        "facegender eval <&> --report",
    ):
        assert part in words, part


def test_headings_are_in_order_and_sections_named(report):
    levels = [int(tag[1]) for tag, _ in read(report).tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert all(b <= a + 1 for a, b in itertools.pairwise(levels))
    ids = re.findall(r'id="([^"]+)"', report)
    assert len(ids) == len(set(ids))


def test_a_private_report_shows_no_photo(toy_csv, toy_model):
    predictor = Predictor(toy_model)
    html = render_report(evaluate(toy_csv, predictor), predictor, shown=0)
    assert "<img" not in html
    assert "Mistakes" not in html


def test_one_gender_alone_makes_a_report(toy_csv, toy_model):
    predictor = Predictor(toy_model)
    result = evaluate(toy_csv, predictor, where=["gender in female"])
    html = render_report(result, predictor, shown=0)
    assert "undefined" in html
    assert "ROC curve" not in html
    read(html)


def test_everything_from_outside_is_escaped():
    evil = '<script>"&'
    html = page(evil, paragraph(evil), [("a", evil, table(evil, (evil,), [(evil,)]))])
    html += line_plot(evil, Axis(evil), Axis(evil), [Line([(0, 0)])])
    html += forest_plot(evil, Axis("x"), [Interval(evil, 0.5, None, None)], None)
    assert "<script" not in html
    read(html)


def test_numbers_keep_their_percent_signs():
    assert "91.6\u00a0% to 92.3\u00a0%" in table("t", ("a", "b"), [("x", "91.6 % to 92.3 %")])
    assert "5\u00a0% of" in paragraph("5 % of")


def test_columns_without_a_name_have_no_empty_heading():
    assert "<th scope='col'></th>" not in table("t", ("", "b"), [("x", "y")])
    assert table("t", ("", "b"), [("x", "y")]).count('scope="col"') == 1
    assert "<thead>" not in table("t", (), [("x", "y")])


@given(st.floats(0, 1))
def test_an_axis_has_round_ticks_and_room_for_the_least_value(least):
    axis = share_axis("x", least)
    assert axis.low <= least
    assert axis.low == axis.ticks[0] >= 0
    assert axis.ticks[-1] == axis.high == 1
    assert 3 <= len(axis.ticks) <= 6
    assert all(round(100 * tick, 6) % 1 == 0 for tick in axis.ticks)


def test_thousands_of_groups_make_a_short_plot(toy_csv, toy_model):
    result = evaluate(toy_csv, Predictor(toy_model), by=["gender"], leaks=False)
    one = result.groups["gender"]["male"]
    result.groups["gender"] = {f"g{i}": {**one, "too_small": False} for i in range(3000)}
    html = groups(result)
    assert html.count('class="mark"') == 40
    assert html.count("<tr>") == 1 + 1000
    assert "the worst 40 of 3,000" in html


def test_a_group_of_one_gender_says_so(toy_csv, toy_model):
    result = evaluate(toy_csv, Predictor(toy_model), split="all", by=["gender"], leaks=False)
    html = groups(result)
    assert "undefined" not in html
    assert "recall of women" not in html  # it would be the accuracy again, or undefined
    result = evaluate(toy_csv, Predictor(toy_model), split="all", by=["split"], leaks=False)
    result.groups["split"]["test"] |= {"recall_female": Estimate(None), "photos": 99}
    html = groups(result)
    assert "no women" in html
    assert "recall of women" in html


def test_groups_have_their_own_curves(toy_csv, toy_model):
    predictor = Predictor(toy_model)
    result = evaluate(toy_csv, predictor, split="all", by=["gender"], leaks=False)
    values = ["x" if i % 4 < 2 else "y" for i in range(len(result.samples))]
    result.groups = {"half": group_by(result.samples, result.answers, values, 0)[0]}
    result.group_values = {"half": values}
    html = group_curves(result)
    assert html == ""  # 20 women and 20 men in each are too few
    result.answers = doubled(result.answers)
    result.samples = result.samples.take(np.arange(len(values)).repeat(2))
    values = [value for value in values for _ in range(2)]
    result.groups = {"half": group_by(result.samples, result.answers, values, 0)[0]}
    result.group_values = {"half": values}
    html = group_curves(result)
    assert html.count("<figure>") == 2
    assert "x: ROC AUC" in html
    assert "ECE" in html
    read(html)


def doubled(answers):
    return answers.take(np.arange(len(answers.labels)).repeat(2))


def test_the_gallery_says_whose_photo_it_is(toy_csv, toy_model, in_tmp):
    samples = read_table(toy_csv)
    samples.attributes["age"] = ["20-29"] * len(samples)
    samples.attributes["race"] = ["Indian"] * len(samples)
    write_table(in_tmp / "aged.csv", samples)
    predictor = Predictor(toy_model)
    html = render_report(evaluate("aged.csv", predictor, leaks=False), predictor, shown=2)
    assert "20-29, Indian" in html
    assert f"{toy_model.name} on aged.csv" in html
    shown = ["/".join(path.split("/")[-3:]) for path in samples.paths]
    assert any(f">{end}</span>" in html for end in shown)


def test_points_lie_inside_the_plot():
    svg = line_plot("t", Axis("x", 0.5, 1), Axis("y"), [Line([(0, -5), (2, 7)], marks=True)])
    for x, y in re.findall(r'cx="([\d.-]+)" cy="([\d.-]+)"', svg):
        assert 0 < float(x) < 440
        assert 0 < float(y) < 320


def test_the_learning_curve_is_in_the_bundle(toy_model):
    from facegender.models.bundle import load_bundle

    html = learning_curve(load_bundle(toy_model))
    assert html.count("<tr>") == 1 + 6
    read(html)


FLAGS = """--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking
    --disable-component-update --disable-sync --disable-quic --hide-scrollbars
    --enable-logging=stderr"""

# A window narrower than 500 pixels cannot be had without a screen; a frame can be of any width.
PROBE = """<!doctype html><title>waiting</title><iframe width={width} height=900 srcdoc="{page}"
style="border: 0"></iframe><script>onload = () => {{
  const inside = document.querySelector('iframe').contentDocument, root = inside.documentElement
  const shown = (what) => [...inside.querySelectorAll(what)].map(e => e.getBoundingClientRect())
  document.title = [root.clientWidth, root.scrollWidth,
    shown('svg').filter(box => box.width < 100).length,
    shown('p, figcaption, h1, h2, h3, li, svg').filter(box => box.right > root.clientWidth).length
  ].join(' ')
}}</script>"""


def dump(folder, name):
    command = [CHROMIUM, *FLAGS.split(), f"--user-data-dir={folder}/user", "--dump-dom"]
    return subprocess.run([*command, (folder / name).as_uri()], capture_output=True, text=True)


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_a_browser_has_nothing_to_complain_of(report, tmp_path):
    (tmp_path / "report.html").write_text(report)
    shown = dump(tmp_path, "report.html")
    assert "CONSOLE" not in shown.stderr
    assert "how good, and for whom?" in shown.stdout


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
@pytest.mark.parametrize("width", [360, 1440])
def test_nothing_is_wider_than_the_window(report, tmp_path, width):
    # The measuring copy may run a script; the report itself may not.
    bare = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", report)
    bare = bare.replace("</header>", f"<p>{'a' * 300}/b</p></header>")
    (tmp_path / "probe.html").write_text(PROBE.format(width=width, page=escape(bare)))
    title = re.search("<title>([^<]*)</title>", dump(tmp_path, "probe.html").stdout).group(1)
    inner, scroll, narrow, over = map(int, title.split())
    assert (inner, scroll) == (width, width)
    assert (narrow, over) == (0, 0)
