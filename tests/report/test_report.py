import itertools
import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest

from facegender.evaluation import evaluate
from facegender.predictor import Predictor
from facegender.report.page import page, paragraph, table
from facegender.report.plots import Axis, Interval, Line, forest_plot, line_plot
from facegender.report.report import learning_curve, render_report

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
        "Can the numbers be believed?",
        "None of these photos or persons is among 48 training photos.",
        "Confusion matrix",
        "Matthews correlation",
        "too few to say",
        "The surest mistakes",
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
    assert "Where it fails" not in html


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


def test_points_lie_inside_the_plot():
    svg = line_plot("t", Axis("x", 0.5, 1), Axis("y"), [Line([(0, -5), (2, 7)], marks=True)])
    for x, y in re.findall(r'cx="([\d.-]+)" cy="([\d.-]+)"', svg):
        assert 0 < float(x) < 440
        assert 0 < float(y) < 320


def test_the_learning_curve_is_in_the_bundle(toy_model):
    from facegender.bundle import load_bundle

    html = learning_curve(load_bundle(toy_model))
    assert html.count("<tr>") == 1 + 6
    read(html)


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
@pytest.mark.parametrize("width", [360, 1440])
def test_in_a_browser(report, tmp_path, width):
    """No console message, no request, and nothing wider than the window."""
    (tmp_path / "report.html").write_text(report)
    # The measuring copy may run a script; the report itself may not.
    probe = (
        "<script>document.title = [innerWidth, document.documentElement.scrollWidth,"
        "[...document.querySelectorAll('svg')].filter(s => s.getBoundingClientRect().width < 100)"
        ".length].join(' ')</script></body>"
    )
    bare = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", report)
    (tmp_path / "probe.html").write_text(bare.replace("</body>", probe))
    flags = """--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking
        --disable-component-update --disable-sync --disable-quic --enable-logging=stderr"""
    place = (f"--window-size={width},900", f"--user-data-dir={tmp_path}/user")
    command = [CHROMIUM, *flags.split(), *place]

    def dump(name):
        url = (tmp_path / name).as_uri()
        return subprocess.run([*command, "--dump-dom", url], capture_output=True, text=True)

    shown = dump("report.html")
    assert "CONSOLE" not in shown.stderr
    assert "How good is this model" in shown.stdout
    title = re.search("<title>([^<]*)</title>", dump("probe.html").stdout).group(1)
    inner, scroll, narrow = map(int, title.split())
    assert scroll <= inner
    assert narrow == 0
