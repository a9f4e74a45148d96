"""What a search finds: every place in a certificate's names, label and subject where a word begins."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import islice

from handfast.ca.records import CertificateRecord
from handfast.stores.database import Transaction
from handfast.stores.rows import names_of

# Longer ones are cut in the table: an index of PostgreSQL takes no more than 2,700 octets.
LONGEST = 100
# Of one name: nobody looks for the hundredth part of a URI, and each is a row.
_MOST = 32
_LAST = "\U0010ffff"
_WORD = re.compile(r"[^\W_]+")
_ATTRIBUTE = re.compile(r"(?:^|(?<!\\)[,+])\s*[A-Za-z0-9.]+=")
_PLAIN = re.compile(r"[a-z0-9.@-]+")
# The number of the certificate that was looked at last, and that of the newest one.
Progress = Callable[[int, int], None]
_TABLE = "certificate_word"
INSERT = "INSERT INTO certificate_word VALUES (?, ?)"
DELETE = "DELETE FROM certificate_word WHERE word = ? AND certificate = ?"


def words_of(record: CertificateRecord) -> list[str]:
    """What is kept of a certificate: no word that another one begins with, since whoever looks for it finds that."""
    return _kept(_texts(record.subject, record.label, [name.value for name in record.names]))


def word_rows(record: CertificateRecord, identifier: int) -> list[tuple[str, int]]:
    """The rows of a certificate."""
    return [(word, identifier) for word in words_of(record)]


def is_found(columns: Sequence[str], text: str) -> bool:
    """Whether a word in a certificate's subject, label and names, as they are in its row, begins so, and goes on so."""
    sought = text.lower()
    subject, label, names = columns
    told = f"{subject}\n{label}"
    # Nearly all are told by this, a tenth of the work; not what is quoted, or stands escaped in its row.
    if sought.isascii() and '"' not in told and "\\" not in told and "\\" not in names:
        whole = f"{told}\n{names}".lower()
        if _beginning(sought).search(whole) is None:
            return False
    return any(word.startswith(sought) for text in _texts_in(columns) for word in _words(text))


@lru_cache(maxsize=64)
def _beginning(sought: str) -> re.Pattern[str]:
    """Where a word may begin so. Right after a quotation mark stands the kind of a name, in which nobody looks."""
    return re.compile((r"(?<![^\W_])(?<!\")" if sought[:1].isalnum() else "") + re.escape(sought))


def bounds(text: str) -> tuple[str, str]:
    """The first word that begins so, and what comes after the last one."""
    begin = text.lower()[:LONGEST]
    return begin, begin + _LAST


def plain_part(text: str) -> str:
    """The longest part that every database finds alike, whatever it takes for a capital letter; may be empty."""
    return max(_PLAIN.findall(text.lower()), key=len, default="")


def fill(transaction: Transaction, progress: Progress) -> None:
    """The rows of all certificates that are there."""
    total = transaction.rows("SELECT COALESCE(MAX(id), 0) FROM certificate")[0][0]
    sql = "SELECT id, subject, label, names FROM certificate WHERE id > ? ORDER BY id LIMIT 1000"
    last = 0
    while found := transaction.rows(sql, [last]):
        transaction.load(_TABLE, [(word, row[0]) for row in found for word in _kept(_texts_in(row[1:]))])
        last = found[-1][0]
        progress(last, total)


def _texts_in(columns: Sequence[str]) -> set[str]:
    """As they are in a certificate's row: its subject, label and names."""
    subject, label, names = columns
    return _texts(subject, label, [name.value for name in names_of(names)])


def _kept(texts: Iterable[str]) -> list[str]:
    return list(_longest(word[:LONGEST] for text in _longest(texts) for word in _words(text)))


def _longest(texts: Iterable[str]) -> Iterator[str]:
    """Without those that another one begins with, whose words it begins with too."""
    previous = ""
    for text in sorted(texts, reverse=True):
        if not previous.startswith(text):
            yield text
            previous = text


def _words(text: str) -> Iterator[str]:
    yield text
    for match in islice(_WORD.finditer(text, 1), _MOST):
        begin = match.start()
        if begin > 1 or not text[0].isalnum():
            yield text[begin:]


def _texts(subject: str, label: str, names: Iterable[str]) -> set[str]:
    texts = {label.lower(), *(name.lower() for name in names)}
    if subject != f"CN={label}":
        texts.update(value.replace("\\", "").lower() for value in _ATTRIBUTE.split(subject))
    return texts - {""}
