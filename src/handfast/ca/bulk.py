"""Bulk issue: rows of CSV or JSON lines, each a certificate that is wanted (RFC 4180, JSON Lines)."""

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from cryptography import x509

from handfast.ca.order import Order
from handfast.ca.policy import OPERATOR, Requester
from handfast.ca.records import BatchRow
from handfast.errors import HandfastError, Malformed
from handfast.pki.keys import PublicKey
from handfast.pki.lifetime import parse_lifetime
from handfast.pki.names import Name, parse_name, parse_names
from handfast.pki.nearest import nearest
from handfast.pki.profile import Profile
from handfast.pki.subject import parse_subject

COLUMNS = ("name", "subject", "names", "profile", "lifetime")
MAXIMUM_ROWS = 1_000_000
_MOST_SHOWN = 20
_NAME = re.compile(r"[\w@+=][\w@+=. -]{0,99}")
# What the batch itself keeps beside the rows' directories.
_TAKEN = frozenset({"batch.json"})
# File systems take 255.
_MOST_BYTES = 200
_PLAIN = re.compile(r"[A-Za-z0-9_.-]+")
_SEPARATORS = re.compile(r"[;\s]+")


@dataclass(frozen=True, slots=True)
class Row:
    """One certificate that is wanted. name: unique in its batch; its directory's name, and its common name by default.

    number: the line of the input, from 1. profile, lifetime: None for the batch's.
    """

    number: int
    name: str
    subject: x509.Name
    names: tuple[Name, ...] = ()
    profile: str | None = None
    lifetime: timedelta | None = None


def parse_rows(text: str, source: str = "input") -> tuple[Row, ...]:
    """The rows of a CSV with a head, or of JSON lines. Raises Malformed with everything that is wrong, at most 20."""
    lines = text.lstrip("\ufeff")
    tables = _json_lines(lines) if lines.lstrip()[:1] == "{" else _csv(lines, source)
    rows: list[Row] = []
    wrong: list[str] = []
    seen: dict[str, int] = {}
    for number, table in tables:
        try:
            row = _row(number, table)
            if (first := seen.setdefault(row.name, number)) != number:
                raise Malformed(f"the name {row.name!r} is that of line {first}", hint="give each row its own name")
            rows.append(row)
        except HandfastError as error:
            wrong.append(f"  line {number}: {error.message.splitlines()[0]}; {error.hint}")
    if wrong:
        more = [f"  and {len(wrong) - _MOST_SHOWN} more"] if len(wrong) > _MOST_SHOWN else []
        msg = "\n".join([f"{source} has {len(wrong)} rows that cannot be used:", *wrong[:_MOST_SHOWN], *more])
        raise Malformed(msg, hint="mend these rows; nothing was issued")
    if not rows:
        raise Malformed(f"{source} has no rows", hint="write a head line `name`, and a name on each line below it")
    if len(rows) > MAXIMUM_ROWS:
        raise Malformed(f"{source} has over {MAXIMUM_ROWS} rows", hint="split the file")
    return tuple(rows)


def order_of(
    row: Row, profile: Profile, *, public_key: PublicKey, batch: str, requester: Requester = OPERATOR
) -> Order:
    """The order for a row. Where the profile requires a name and the row gives none, its own name is it."""
    names = row.names
    if not names and profile.required_names:
        names = (parse_name(row.name),)
    return Order(
        profile=profile.name,
        public_key=public_key,
        subject=row.subject,
        names=names,
        lifetime=row.lifetime,
        requester=requester,
        batch_row=BatchRow(batch, row.name),
    )


def _csv(text: str, source: str) -> Iterator[tuple[int, Mapping[str, object]]]:
    # Line ends are left to the reader: one within quotes separates names.
    reader = csv.reader((f"{line}\n" for line in text.split("\n")), strict=True)
    try:
        head = [cell.strip().lower() for cell in next(reader, [])]
        _check_head(head, source)
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, _table(head, cells)
    except csv.Error as error:
        raise Malformed(
            f"{source} is not CSV at line {reader.line_num}: {error}", hint="put texts with commas in double quotes"
        ) from None


def _check_head(head: Sequence[str], source: str) -> None:
    unknown = [cell for cell in head if cell not in COLUMNS]
    if "name" not in head or unknown:
        hint = f"the first line names the columns: name, and any of {', '.join(COLUMNS[1:])}"
        if unknown and "name" in head:
            raise Malformed(f"{source} has an unknown column {unknown[0]!r}", hint=nearest(unknown[0], COLUMNS))
        raise Malformed(f"{source} has no column `name`", hint=hint)
    if len(set(head)) != len(head):
        raise Malformed(f"{source} has a column twice", hint="name each column once")


def _table(head: Sequence[str], cells: Sequence[str]) -> Mapping[str, object]:
    if len(cells) > len(head):
        return {"": f"{len(cells)} cells under a head of {len(head)}"}
    return dict(zip(head, cells, strict=False))


def _json_lines(text: str) -> Iterator[tuple[int, Mapping[str, object]]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            value = None
        yield number, value if isinstance(value, dict) else {"": "this is no JSON object"}


def _row(number: int, table: Mapping[str, object]) -> Row:
    for key, value in table.items():
        if key == "":
            raise Malformed(str(value), hint="write each row as the first ones")
        if key not in COLUMNS:
            raise Malformed(f"there is no column {key!r}", hint=nearest(key, COLUMNS))
    name = _text(table, "name")
    if not _can_be_directory(name):
        hint = "use up to 100 letters, digits and . _ - @ + =, and no dot at either end"
        raise Malformed(f"{name!r} cannot be the name of a row", hint=hint)
    profile, lifetime = _text(table, "profile"), _text(table, "lifetime")
    return Row(
        number=number,
        name=name,
        subject=_subject(_text(table, "subject"), name),
        names=parse_names(_names(table.get("names"))),
        profile=profile or None,
        lifetime=parse_lifetime(lifetime) if lifetime else None,
    )


def _can_be_directory(name: str) -> bool:
    is_plain = _NAME.fullmatch(name) is not None and not name.endswith((".", " "))
    return is_plain and name not in _TAKEN and len(name.encode()) <= _MOST_BYTES


def _subject(text: str, name: str) -> x509.Name:
    if text:
        return parse_subject(text)
    if _PLAIN.fullmatch(name) and len(name) <= 64:
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    return parse_subject("CN=" + re.sub(r"([+=,])", r"\\\1", name))


def _names(value: object) -> Iterable[str]:
    if isinstance(value, list):
        if not all(isinstance(one, str) for one in value):
            raise Malformed("names must be texts", hint="write each name in quotes")
        return value
    if not isinstance(value, str | None):
        raise Malformed("names must be a text or a list", hint='write ["a.example.org", "b.example.org"]')
    return [one for one in _SEPARATORS.split(value or "") if one]


def _text(table: Mapping[str, object], key: str) -> str:
    value = table.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Malformed(f"{key} must be a text", hint="write it in quotes")
    return value.strip()
