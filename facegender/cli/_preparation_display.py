"""Printing the result of `prepare`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from facegender.dataset.settings import Preparation

NAMED = 3
"""Pairs of near copies that the warning names."""


def print_preparation(result: Preparation) -> None:
    """Print the splits, counts and the next command."""
    from facegender.cli import _console as console
    from facegender.labels import LABELS

    summary = result.to_json()
    how = {
        "person": "nobody is in two splits",
        "photo": "by photo, persons unknown or ignored",
        "folders": "as the folders or the file say",
        "article": "as in the 2015 article, by photo",
    }[result.method]
    table = console.make_table(
        f"Split: {how}", "split", *(f">{name}" for name in LABELS), ">photos"
    )
    totals = dict.fromkeys(LABELS, 0)
    for name, counts in summary["splits"].items():
        totals = {label: totals[label] + counts[label] for label in LABELS}
        table.add_row(name, *(f"{counts[x]:,}" for x in LABELS), f"{sum(counts.values()):,}")
    table.add_section()
    table.add_row("all", *(f"{totals[x]:,}" for x in LABELS), f"{sum(totals.values()):,}")
    console.print_table(table)
    facts = console.make_table("Photos", "what", ">number")
    facts.add_row("persons", f"{summary['persons']:,}" if summary["persons"] else "unknown")
    facts.add_row("smallest, median, largest size", _sizes(result))
    for reason, count in result.rejected.most_common():
        facts.add_row(f"left out: {reason}", f"{count:,}")
    for reason, count in result.dropped.most_common():
        facts.add_row(f"dropped: {reason}", f"{count:,}")
    facts.add_row("copies of another photo", f"{result.copies:,}")
    console.print_table(facts)
    out = console.stdout()
    out.print(f"Written: {console.plain(result.csv)}")
    if result.rejected:
        out.print(f"Reasons: {console.plain(result.rejected_csv)}")
    name = "" if str(result.csv) == "faces.csv" else f" {result.csv}"
    validates = "test" if result.method == "article" else "val"
    following = _next_step(summary["splits"], validates, name)
    out.print(f"Next:    [bold]facegender {console.plain(following)}[/]")


def _next_step(splits: dict[str, dict[str, int]], validates: str, table: str) -> str:
    """The command that the splits allow: train needs both genders to learn and to validate."""

    def whole(split: str) -> bool:
        return min(splits.get(split, {"": 0}).values()) > 0

    if whole("train") and whole(validates):
        return f"train{table}"
    split = next(filter(whole, ("test", "val", "train")), "all")
    return f"eval{table}" + ("" if split == "test" else f" --split {split}")


def _sizes(result: Preparation) -> str:
    """Smallest, median and largest photo by area, as WIDTHxHEIGHT."""
    ordered = sorted(result.sizes, key=lambda size: size[0] * size[1])
    half, seen = sum(result.sizes.values()) / 2, 0
    median = ordered[-1]
    for size in ordered:
        seen += result.sizes[size]
        if seen >= half:
            median = size
            break
    return ", ".join(f"{width}x{height}" for width, height in (ordered[0], median, ordered[-1]))


def warnings_of(result: Preparation, no_copies: bool, no_conflicts: bool) -> list[str]:
    """What the user must know, in sentences."""
    facts = [
        (result.outside, "Files outside the gender folders, ignored: {}."),
        (result.others, "Files in the gender folders that are not photos: {}."),
        (sum(result.rejected.values()), "Photos left out: {}; the reasons are below."),
        (0 if no_copies else result.copies, "Copies of another photo: {} (--drop-duplicates)."),
        (
            0 if no_conflicts else result.content_conflicts,
            "Photos whose content is under both genders: {} (--drop-conflicts).",
        ),
        (
            0 if no_conflicts else result.person_conflicts,
            "Photos of persons who lie under both genders: {} (--drop-conflicts).",
        ),
        (result.moved, "Photos moved to the split that holds their copy or person: {}."),
        (
            result.persons_in_two_splits,
            "Persons in two splits: {}. The test will not be one on strangers.",
        ),
        (
            len(result.near_copies),
            "Pairs of photos in two splits that look the same: {}"
            + "".join(f"; {one} and {other}" for one, other in result.near_copies[:NAMED])
            + ". Leave one of each out; --json names all.",
        ),
        (result.without_attributes, "Photos that the attribute file does not name: {}."),
    ]
    sentences = [text.replace("{}", f"{count:,}", 1) for count, text in facts if count]
    return sentences + [
        f"{file} is not in UTF-8: it was read as {encoding}."
        for file, encoding in result.encodings.items()
    ]
