"""The nearest of the words that would have been right, for a hint."""

from collections.abc import Iterable


def nearest(word: str, words: Iterable[str]) -> str:
    """`did you mean "lifetime"?`, or all the words when none is near."""
    from difflib import get_close_matches  # only an error needs it

    known = list(words)
    close = get_close_matches(word, known, n=1, cutoff=0.5)
    return f'did you mean "{close[0]}"?' if close else f"use one of: {', '.join(known)}"
