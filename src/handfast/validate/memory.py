"""Answers about bytes remembered, within bounds: certificates repeat each other's extensions, names and keys."""

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import TypeVar

Answer = TypeVar("Answer")


def remembering(
    *, most: int = 512, longest: int = 1024
) -> Callable[[Callable[[bytes], Answer]], Callable[[bytes], Answer]]:
    """Remember the last `most` answers of a pure function, for inputs of up to `longest` bytes."""

    def decorate(function: Callable[[bytes], Answer]) -> Callable[[bytes], Answer]:
        remembered = lru_cache(maxsize=most)(function)

        @wraps(function)
        def ask(octets: bytes) -> Answer:
            return remembered(octets) if len(octets) <= longest else function(octets)

        return ask

    return decorate
