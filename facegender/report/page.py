"""The page around the sections: one file, no script, no request to the network."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from facegender.runtime.own_files import MARK

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #59636e; --ground: #ffffff;
  --panel: #f4f6f8; --rule: #d5dae0; --main: #0b62a4; --second: #b3500b; --guide: #8a939c; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ebee; --soft: #a3adb7; --ground: #15181c;
  --panel: #1f242a; --rule: #3a424b; --main: #6db7f2; --second: #f2a65a; --guide: #808a94; } }
@media print { :root { --ink: #000; --soft: #444; --ground: #fff; --panel: #fff; --rule: #bbb;
  --main: #0b62a4; --second: #b3500b; --guide: #777; } }
* { box-sizing: border-box; }
body { margin: 0; color: var(--ink); background: var(--ground);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main, header, footer { max-width: 72rem; margin: 0 auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin: 1.5rem 0 .25rem; }
h2 { font-size: 1.2rem; margin: 2.25rem 0 .5rem; }
h3 { font-size: 1rem; margin: 1.25rem 0 .25rem; }
p { margin: .5rem 0; max-width: 48rem; overflow-wrap: anywhere; } .soft { color: var(--soft); }
.verdict { font-size: 1.1rem; border-left: 4px solid var(--main); padding: .25rem 0 .25rem 1rem; }
.alarm { border-left: 4px solid var(--second); padding: .5rem 1rem; background: var(--panel); }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: .92rem; }
caption { text-align: left; color: var(--soft); padding: .25rem 0; }
th, td { text-align: right; padding: .3rem .7rem; border-bottom: 1px solid var(--rule);
  font-variant-numeric: tabular-nums; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; white-space: normal; min-width: 8rem; }
thead th, thead td { border-bottom: 2px solid var(--rule); }
.plots { display: grid; gap: 0 1.5rem; align-items: start;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 26rem), 1fr)); }
.plots > * { min-width: 0; margin-bottom: 1.5rem; }
figure { margin: 0; min-width: 0; } figcaption { font-weight: 600; margin-bottom: .25rem; }
svg { width: 100%; height: auto; max-width: 40rem; display: block; }
svg text { fill: var(--ink); font: 13px system-ui, sans-serif;
  stroke: var(--ground); stroke-width: 4px; paint-order: stroke; }
@media (max-width: 40rem) { th, td { padding: .3rem .4rem; font-size: .85rem; }
  td, thead th { white-space: normal; } th:first-child { min-width: 5rem; }
  svg text { font-size: 14px; } }
.grid { stroke: var(--rule); stroke-width: 1; } .line { fill: none; stroke-width: 2; }
.main { stroke: var(--main); } .second { stroke: var(--second); stroke-dasharray: 7 3; }
.guide { stroke: var(--guide); stroke-dasharray: 4 4; } .mark { fill: var(--main); }
summary { cursor: pointer; color: var(--main); padding: .25rem 0; }
:focus-visible { outline: 3px solid var(--second); outline-offset: 2px; }
.gallery { display: grid; gap: .75rem;
  grid-template-columns: repeat(auto-fill, minmax(7.5rem, 1fr)); list-style: none; padding: 0; }
.gallery img { width: 100%; aspect-ratio: 1; object-fit: cover; border-radius: 4px;
  display: block; }
.gallery li { font-size: .82rem; overflow-wrap: anywhere; }
.skip { position: absolute; left: -99rem; padding: .5rem 1rem; background: var(--panel); }
.skip:focus { left: 1rem; top: 1rem; }
footer { margin-top: 3rem; border-top: 1px solid var(--rule); padding-bottom: 2rem; }
@media print { body { font-size: 12px; } .skip, summary { display: none; }
  details::details-content { content-visibility: visible; display: block; block-size: auto; }
  h2, h3, figcaption, caption, thead { break-after: avoid; } svg, tr, li { break-inside: avoid; }
  .plots { display: block; } .scroll { overflow: visible; } svg { max-width: 28rem; }
  th, td { padding: .1rem .4rem; font-size: 11px; } td { white-space: nowrap; }
  .plots p { break-after: avoid; } svg text { font-size: 13px; }
  .gallery { grid-template-columns: repeat(6, 1fr); } }
"""


def page(title: str, lead: str, sections: Sequence[tuple[str, str, str]]) -> str:
    """Return the whole HTML file.

    Args:
        title: of the page.
        lead: HTML that comes first.
        sections: (anchor, heading, HTML) of each.
    """
    body = "".join(
        f'<section id="{anchor}" aria-labelledby="{anchor}-h"><h2 id="{anchor}-h">'
        f"{escape(heading)}</h2>{html}</section>"
        for anchor, heading, html in sections
        if html
    )
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="generator" content="{MARK}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f'<link rel="icon" href="data:,"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head>"
        '<body><a class="skip" href="#main">Skip to the numbers</a>'
        f"<header><h1>{escape(title)}</h1>"
        f'{lead}</header><main id="main">{body}</main></body></html>\n'
    )


def table(caption: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table whose first column names the rows; everything is escaped.

    Args:
        caption: what it shows.
        heads: names of the columns, "" where one needs none; empty for a list of facts.
        rows: cells.
    """
    head = "".join(
        f'<th scope="col">{_words(cell)}</th>' if cell else "<td></td>" for cell in heads
    )
    body = "".join(
        f'<tr><th scope="row">{_words(row[0])}</th>'
        + "".join(f"<td>{_words(cell)}</td>" for cell in row[1:])
        + "</tr>"
        for row in rows
    )
    name = escape(caption, quote=True)
    return (
        f'<div class="scroll" tabindex="0" role="group" aria-label="{name}">'
        f"<table><caption>{escape(caption)}</caption>"
        + (f"<thead><tr>{head}</tr></thead>" if heads else "")
        + f"<tbody>{body}</tbody></table></div>"
    )


def _words(text: str) -> str:
    """Escape words, and keep each number on one line with its percent sign."""
    return escape(text).replace(" %", "\u00a0%")


def figure(caption: str, svg: str, numbers: str) -> str:
    """Return a plot with its caption and its numbers."""
    return (
        f"<figure><figcaption>{escape(caption)}</figcaption>{svg}"
        f"<details><summary>Numbers</summary>{numbers}</details></figure>"
    )


def paragraph(words: str, kind: str = "") -> str:
    """Return a paragraph of escaped words."""
    return f'<p class="{kind}">{_words(words)}</p>' if kind else f"<p>{_words(words)}</p>"
