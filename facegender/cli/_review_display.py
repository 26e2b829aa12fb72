"""What a review has come to, as sentences."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from facegender.evaluation.annotators import Agreement
    from facegender.review.labels_file import Session

_WORDS = {"untellable": "cannot tell", "not_face": "not a face"}


def print_review(session: Session) -> None:
    """Say how far it got, how far annotators agree, and what can be done next."""
    from facegender.cli import _console as console
    from facegender.dataset.review_labels import SETTLED, current_labels
    from facegender.evaluation.annotators import agreements
    from facegender.images.footage import is_video_name
    from facegender.review.labels_file import disagreements, known_labels

    counts = Counter(label for label in session.labels if label)
    done, total = sum(counts.values()), len(session.items)
    kinds = ", ".join(f"{n:,} {_WORDS.get(label, label)}" for label, n in counts.most_common())
    lines = [f"{done:,} of {total:,} faces answered" + (f": {kinds}." if kinds else ".")]
    if session.photos:
        closed = sum(photo.closed for photo in session.photos)
        lines.append(f"{closed:,} of {len(session.photos):,} photos are done.")
    right, both = session.agreement()
    if both:
        lines.append(f"The model agrees on {right:,} of {both:,} ({100 * right / both:.1f} %).")
    rows = known_labels(session.file)
    lines += [_agreement(found) for found in agreements(rows)]
    settled = {row.face for row in current_labels(rows) if row.annotator == SETTLED}
    if apart := sum(row.face not in settled for row in disagreements(rows)):
        lines.append(f"Disagreements to settle: {apart:,}. Look at them with --settle.")
    if done and all(is_video_name(item.path) for item in session.items):
        lines.append(f"Count with them: facegender count ANSWERS --labels {session.file}")
    elif done:
        lines.append(f"Evaluate the model on them: facegender eval {session.file}")
    sys.stdout.write("".join(console.visible(line) + "\n" for line in lines))
    sys.stdout.flush()


def _agreement(found: Agreement) -> str:
    sentence = f"{found.first} and {found.second} agree on {found.same:,} of {found.faces:,} faces"
    kappa = found.kappa
    if kappa.value is None or kappa.low is None or kappa.high is None:
        return f"{sentence}."
    value, low, high = (f"{end:z.2f}" for end in (kappa.value, kappa.low, kappa.high))
    return f"{sentence}; Cohen's kappa {value} (95 % interval {low} to {high})."
