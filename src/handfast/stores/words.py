"""What a search finds: every place in a certificate's names, label and subject where a word begins."""

import re
from collections.abc import Iterable, Iterator, Sequence

from handfast.ca.records import CertificateRecord
from handfast.stores.database import Transaction
from handfast.stores.rows import RECORD_COLUMNS, Row, record_of

# Longer ones are cut in the table: an index of PostgreSQL takes no more than 2,700 octets.
LONGEST = 100
# Of one name: nobody looks for the hundredth part of a URI, and each is a row.
_MOST = 32
_LAST = "\U0010ffff"
_BEGIN = re.compile(r"(?<![^\W_])[^\W_]")
_ATTRIBUTE = re.compile(r"(?:^|(?<!\\)[,+])\s*[A-Za-z0-9.]+=")
_PLAIN = re.compile(r"[a-z0-9.@-]+")
INSERT = "INSERT INTO certificate_word VALUES (?, ?)"
DELETE = "DELETE FROM certificate_word WHERE word = ? AND certificate = ?"


def word_rows(record: CertificateRecord, identifier: int) -> list[tuple[str, int]]:
    """The rows of a certificate: none that another one begins with, since whoever looks for it finds that too."""
    ordered = sorted({word[:LONGEST] for word in _words(record)})
    kept = [word for word, following in zip(ordered, [*ordered[1:], ""], strict=True) if not following.startswith(word)]
    return [(word, identifier) for word in kept]


def is_found(record: CertificateRecord, text: str) -> bool:
    """Whether a word of the certificate begins so, and goes on so."""
    sought = text.lower()
    return any(word.startswith(sought) for word in _words(record))


def bounds(text: str) -> tuple[str, str]:
    """The first word that begins so, and what comes after the last one."""
    begin = text.lower()[:LONGEST]
    return begin, begin + _LAST


def plain_part(text: str) -> str:
    """The longest part that every database finds alike, whatever it takes for a capital letter; may be empty."""
    return max(_PLAIN.findall(text.lower()), key=len, default="")


def fill(transaction: Transaction) -> None:
    """The rows of all certificates that are there."""
    sql = (
        f"SELECT {RECORD_COLUMNS} FROM certificate c LEFT JOIN issued i ON 1 = 0 LEFT JOIN revocation r ON 1 = 0 "  # noqa: S608  # a constant
        "WHERE c.id > ? ORDER BY c.id LIMIT 1000"
    )
    last = 0
    while found := transaction.rows(sql, [last]):
        transaction.many(INSERT, list(_rows_of(found)))
        last = found[-1][0]


def _rows_of(found: Sequence[Row]) -> Iterator[tuple[str, int]]:
    for row in found:
        yield from word_rows(record_of(row), row[0])


def _words(record: CertificateRecord) -> Iterator[str]:
    for text in _texts(record):
        yield text
        for begin in _begins(text):
            yield text[begin:]


def _texts(record: CertificateRecord) -> set[str]:
    values = (value.replace("\\", "") for value in _ATTRIBUTE.split(record.subject))
    texts = {record.label, *values, *(name.value for name in record.names)}
    return {text.lower() for text in texts if text}


def _begins(text: str) -> Iterable[int]:
    return [match.start() for match in _BEGIN.finditer(text, 1)][: _MOST - 1]
