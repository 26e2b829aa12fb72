"""The one definition of the labels and of the words that mean them."""

from __future__ import annotations

from typing import Final

LABELS: Final = ("female", "male")
"""Label names; the position is the class index everywhere: 0 = female, 1 = male."""

FEMALE: Final = 0
MALE: Final = 1

WORDS: Final = {
    FEMALE: ("female", "females", "women", "woman", "f", "w", "girl", "girls", "女", "女性"),
    MALE: ("male", "males", "men", "man", "m", "boy", "boys", "男", "男性"),
}
"""Words that name a label in folders and label files, in lower case."""

_BY_WORD: Final = {word: label for label, words in WORDS.items() for word in words}
_DIGITS: Final = {str(label): label for label in WORDS}


def label_of_word(word: str) -> int | None:
    """Return 0 (female) or 1 (male) for a folder name such as ``Women`` or ``男``, else None."""
    return _BY_WORD.get(word.strip().casefold())


def parse_label(text: str, names: tuple[str, str] | None = None) -> int | None:
    """Return 0 or 1 for a label cell: a word as in `label_of_word`, ``0`` or ``1``; else None.

    Args:
        text: the cell.
        names: what stands for female and for male in this table, in any case; these alone then
            count. Some data sets, such as UTKFace, write 0 for male.
    """
    text = text.strip()
    if names is not None:
        known = {name.strip().casefold(): label for label, name in enumerate(names)}
        return known.get(text.casefold())
    return _DIGITS.get(text, label_of_word(text))
