"""What somebody typed, so that an error can point at the very character."""

from dataclasses import dataclass

from handfast.errors import Malformed

_SHOWN = 72


@dataclass(frozen=True, slots=True)
class Spelling:
    """`body` is the part that is being read; it stands in `text`, the whole as typed, at `offset`."""

    text: str
    body: str
    offset: int = 0

    def stripped(self) -> "Spelling":
        """The same without blanks around the body."""
        left = len(self.body) - len(self.body.lstrip())
        return Spelling(self.text, self.body.strip(), self.offset + left)

    def part(self, start: int, end: int) -> "Spelling":
        """The piece body[start:end], still knowing where it stands."""
        return Spelling(self.text, self.body[start:end], self.offset + start)

    def wrong(self, position: int, message: str, *, hint: str) -> Malformed:
        """The error to raise: the message, the line as typed, and a caret under body[position]."""
        at = min(max(self.offset + position, 0), len(self.text))
        begin = max(0, min(at - _SHOWN // 2, len(self.text) - _SHOWN))
        line = "".join(_visible(character) for character in self.text[begin : begin + _SHOWN])
        return Malformed(f"{message}\n  {line}\n  {' ' * (at - begin)}^", hint=hint)


def name_of(character: str) -> str:
    """A character as a message names it: `'_'`, `a space`, `U+200D`."""
    if character == " ":
        return "a space"
    return f"'{character}'" if character.isprintable() else f"U+{ord(character):04X}"


def _visible(character: str) -> str:
    return character if character.isprintable() else "\N{REPLACEMENT CHARACTER}"
