"""Plots as inline SVG, without scripts: lines, points with intervals, and bars.

Every plot scales with its column, takes its colours from the page (light, dark or print), and
carries a text alternative; the numbers stand in a table beside it. `picture` makes a file of its
own of several.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

WIDTH = 440
HEIGHT = 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 26, 12, 48
_CAPTION = 28


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis.

    Attributes:
        title: what it shows.
        low, high: its range.
        ticks: labelled values.
        percent: whether ticks are shown in percent.
    """

    title: str
    low: float = 0.0
    high: float = 1.0
    ticks: tuple[float, ...] = (0.0, 0.25, 0.5, 0.75, 1.0)
    percent: bool = True

    def text(self, value: float) -> str:
        """Return the label of a tick."""
        return f"{100 * value:.4g} %" if self.percent else f"{value:.4g}"

    def share(self, value: float) -> float:
        """Return the position of a value on the axis, 0 to 1."""
        span = self.high - self.low
        return min(max((value - self.low) / span if span else 0.0, 0.0), 1.0)


def share_axis(title: str, lowest: float) -> Axis:
    """Return an axis in percent from a round value at or below `lowest` to 100 %."""
    step = next((s for s in (0.01, 0.02, 0.05, 0.1) if lowest >= 1 - 5 * s), 0.2)
    count = min(5, max(2, math.ceil(round((1 - lowest) / step, 9))))
    ticks = tuple(round(1 - step * (count - i), 3) for i in range(count + 1))
    return Axis(title, ticks[0], 1.0, ticks)


@dataclass(frozen=True, slots=True)
class Line:
    """A line through points (x, y); `kind` is its style: ``main``, ``second`` or ``guide``."""

    points: Sequence[tuple[float, float]]
    kind: str = "main"
    marks: bool = False


@dataclass(frozen=True, slots=True)
class Interval:
    """A row of a forest plot: a value with its interval, or None if the group is too small."""

    name: str
    value: float | None
    low: float | None
    high: float | None


def line_plot(title: str, x: Axis, y: Axis, lines: Sequence[Line]) -> str:
    """Return a plot of lines.

    Args:
        title: the text alternative.
        x, y: the axes.
        lines: in drawing order.
    """

    def place(point: tuple[float, float]) -> tuple[float, float]:
        across = _LEFT + x.share(point[0]) * (WIDTH - _LEFT - _RIGHT)
        down = HEIGHT - _BOTTOM - y.share(point[1]) * (HEIGHT - _TOP - _BOTTOM)
        return across, down

    parts = [*_grid(x, y)]
    for line in lines:
        places = [place(point) for point in line.points]
        path = " ".join(f"{u:.1f},{v:.1f}" for u, v in places)
        parts.append(f'<polyline class="line {line.kind}" points="{path}"/>')
        if line.marks:
            parts += [
                f'<circle class="mark" cx="{u:.1f}" cy="{v:.1f}" r="3.5"/>' for u, v in places
            ]
    return _svg(title, HEIGHT, parts)


def forest_plot(title: str, axis: Axis, rows: Sequence[Interval], reference: float | None) -> str:
    """Return a forest plot: a row for each value with its interval, and a reference line."""
    step, left = 26, 190
    height = _TOP + step * len(rows) + _BOTTOM
    wide = WIDTH - left - _RIGHT

    def across(value: float) -> float:
        return left + axis.share(value) * wide

    bottom = height - _BOTTOM + 4
    parts = []
    for tick in axis.ticks:
        u = across(tick)
        parts.append(f'<line class="grid" x1="{u:.1f}" x2="{u:.1f}" y1="{_TOP}" y2="{bottom}"/>')
        parts.append(_text(u, bottom + 18, axis.text(tick), "middle"))
    parts.append(_text(left + wide / 2, height - 6, axis.title, "middle"))
    if reference is not None:
        u = across(reference)
        parts.append(
            f'<line class="line guide" x1="{u:.1f}" x2="{u:.1f}" y1="{_TOP}" y2="{bottom}"/>'
        )
    for number, row in enumerate(rows):
        v = _TOP + step * number + step / 2
        parts.append(_text(left - 8, v + 4, _short(row.name), "end"))
        if row.value is None:
            parts.append(_text(left + 6, v + 4, "too few to say", "start"))
            continue
        if row.low is not None and row.high is not None:
            ends = across(row.low), across(row.high)
            parts.append(
                f'<line class="line main" x1="{ends[0]:.1f}" x2="{ends[1]:.1f}" y1="{v}" y2="{v}"/>'
            )
        parts.append(f'<circle class="mark" cx="{across(row.value):.1f}" cy="{v}" r="4"/>')
    return _svg(title, height, parts)


_STYLE = """svg { background: #fff; } text { fill: #1b1f24; font: 13px system-ui, sans-serif; }
.grid { stroke: #d5dae0; } .line { fill: none; stroke-width: 2; } .main { stroke: #0b62a4; }
.second { stroke: #b3500b; stroke-dasharray: 7 3; } .guide { stroke: #8a939c; }
.mark { fill: #0b62a4; }"""
"""The colours of a picture that is no part of a page."""


def picture(title: str, plots: Sequence[str]) -> str:
    """Return an SVG file that shows plots of the usual size side by side.

    Args:
        title: the text alternative, also shown below: such a file stands without a page that
            explains its lines.
        plots: made by `line_plot`.
    """
    size = f'width="{WIDTH}" height="{HEIGHT}"'
    parts = [
        plot.replace("<svg ", f'<svg x="{number * WIDTH}" {size} ', 1)
        for number, plot in enumerate(plots)
    ]
    wide, high = WIDTH * len(plots), HEIGHT + _CAPTION
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{wide}" height="{high}" '
        f'viewBox="0 0 {wide} {high}"><title>{escape(title)}</title><style>{_STYLE}</style>'
        f"{''.join(parts)}{_text(wide / 2, high - 10, title, 'middle')}</svg>\n"
    )


def _grid(x: Axis, y: Axis) -> Iterator[str]:
    right, bottom = WIDTH - _RIGHT, HEIGHT - _BOTTOM
    for tick in x.ticks:
        u = _LEFT + x.share(tick) * (right - _LEFT)
        yield f'<line class="grid" x1="{u:.1f}" x2="{u:.1f}" y1="{_TOP}" y2="{bottom}"/>'
        yield _text(u, bottom + 18, x.text(tick), "middle")
    for tick in y.ticks:
        v = bottom - y.share(tick) * (bottom - _TOP)
        yield f'<line class="grid" x1="{_LEFT}" x2="{right}" y1="{v:.1f}" y2="{v:.1f}"/>'
        yield _text(_LEFT - 6, v + 4, y.text(tick), "end")
    yield _text((_LEFT + right) / 2, HEIGHT - 6, x.title, "middle")
    middle = (_TOP + bottom) / 2
    yield (
        f'<text transform="rotate(-90)" x="{-middle:.1f}" y="13" text-anchor="middle">'
        f"{escape(y.title)}</text>"
    )


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def _short(words: str, max_length: int = 24) -> str:
    return words if len(words) <= max_length else words[: max_length - 1] + "…"


def _svg(title: str, height: float, parts: Sequence[str]) -> str:
    name = escape(title, quote=True)
    return (
        f'<svg role="img" aria-label="{name}" viewBox="0 0 {WIDTH} {height:g}" '
        f'xmlns="http://www.w3.org/2000/svg"><title>{escape(title)}</title>{"".join(parts)}</svg>'
    )
