"""What `list`, `search` and `expiring` have in common: the options, and pages of a table."""

from collections.abc import Callable

from handfast.ca.records import CertificateRecord, Page
from handfast.cli._output import note, print_json, say
from handfast.cli._which import print_records, record_json
from handfast.client.desk import Desk

MOST = 1_000_000


def print_pages(
    authority: Desk, page_after: Callable[[int | None, int], Page], *, limit: int, as_json: bool, nothing: str
) -> int:
    """At most `limit` records, newest first; how many there were. page_after: the page after a cursor, of a size."""
    records: list[CertificateRecord] = []
    cursor: int | None = None
    while len(records) < limit:
        page = page_after(cursor, min(limit - len(records), 1000))
        records += page.records
        cursor = page.cursor
        if cursor is None:
            break
    now = authority.clock()
    if as_json:
        print_json({"certificates": [record_json(record, now) for record in records], "more": cursor is not None})
    elif not records:
        say(nothing)
    else:
        print_records(tuple(records), now)
        if cursor is not None:
            note("there are more; --limit shows more of them, `handfast search` looks for some")
    return len(records)
