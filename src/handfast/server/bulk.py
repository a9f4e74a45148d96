"""Bulk issue into a directory: keys first, then the record, then the certificates; what was interrupted is resumed."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from handfast.ca.authority import Authority
from handfast.ca.bulk import Row, order_of
from handfast.ca.order import Issued, Order
from handfast.ca.records import CertificateRecord, RecordStatus
from handfast.client.batch import CERTIFICATE, KEY, BulkJob, BulkReport, refusal
from handfast.errors import ConfigError, Conflict, RequestError
from handfast.keys.files import PUBLIC, read_private, sweep, sync, write_atomically
from handfast.pki.keys import PrivateKey, key_identifier
from handfast.pki.pem import one_key, to_pem
from handfast.pki.serial import serial_text

Result = TypeVar("Result")
CHUNK = 256
# So many files are on their way to the disk at once: it writes them together.
_WRITERS = 16


def issue_rows(authority: Authority, job: BulkJob) -> Iterator[BulkReport]:
    """Issue the rows in chunks; a report after each. The store has each chunk before its certificates are written.

    What a killed run left half-written is removed: be alone_in() the directory.
    """
    with ThreadPoolExecutor(_WRITERS) as pool:
        for start in range(0, len(job.rows), CHUNK):
            yield _Chunk(authority, job, job.rows[start : start + CHUNK], pool.map).issue()


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A row on its way: its key is on the disk."""

    row: Row
    order: Order


@dataclass(frozen=True, slots=True)
class _Chunk:
    authority: Authority
    job: BulkJob
    rows: Sequence[Row]
    each: Callable[..., Iterator[Any]]
    report: BulkReport = field(default_factory=BulkReport)

    def issue(self) -> BulkReport:
        names = [row.name for row in self.rows]
        for name in names:
            if (self.job.out / name).is_dir():
                sweep(self.job.out / name)
        known = {
            one.batch_row.row: one for one in self.authority.store.by_batch(self.job.batch, names) if one.batch_row
        }
        self._go_on([(row, known[row.name]) for row in self.rows if row.name in known])
        wanted = self._with_keys([row for row in self.rows if row.name not in known])
        accepted = [
            (one, decision) for one in wanted if (decision := self._try(one.row, self.authority.decide, one.order))
        ]
        issued = self.authority.carry_out([decision for _, decision in accepted])
        self._write([(one.row, done) for (one, _), done in zip(accepted, issued, strict=True)])
        return self.report

    def _with_keys(self, rows: Sequence[Row]) -> list[_Wanted]:
        """The rows with keys that survive a loss of power: a certificate on record has its key, whatever happens."""
        keys = list(self.each(self.job.key_of, rows))
        if rows:
            sync(self.job.out)
        wanted = []
        for row, key in zip(rows, keys, strict=True):
            order = self._try(row, self._order, row, key)
            if order is not None:
                wanted.append(_Wanted(row, order))
        return wanted

    def _order(self, row: Row, key: PrivateKey) -> Order:
        profile = self.authority.profile(row.profile or self.job.profile)
        return order_of(row, profile, public_key=key.public_key(), batch=self.job.batch)

    def _go_on(self, pairs: Sequence[tuple[Row, CertificateRecord]]) -> None:
        for row, record in pairs:
            self._try(row, self._resume, row, record)

    def _resume(self, row: Row, record: CertificateRecord) -> None:
        """A row that is on record: certificate there, not written yet, or not signed yet."""
        folder = self.job.out / row.name
        if record.status is RecordStatus.ISSUED and (folder / CERTIFICATE).exists():
            self.report.already += 1
            return
        path = folder / KEY
        if not path.exists():
            hint = (
                f"revoke {serial_text(record.serial)}, and issue it again under another name or into another directory"
            )
            raise Conflict(
                f"the certificate {serial_text(record.serial)} was issued, and its key {path} is gone", hint=hint
            )
        key = one_key(read_private(path), source=str(path))
        if key_identifier(key.public_key()) != record.key_id:
            hint = f"bring the right key back, or revoke {serial_text(record.serial)} and use another directory"
            raise Conflict(f"{path} is not the key of the certificate {serial_text(record.serial)}", hint=hint)
        certificate = record.x509()
        if certificate is None:
            self._write([(row, self.authority.resume(self._order(row, key), record))])
            return
        chain = self.authority.issuer(record.issuer).presented_chain
        write_atomically(folder / CERTIFICATE, "".join(map(to_pem, (certificate, *chain))), mode=PUBLIC)
        self.report.issued += 1

    def _write(self, pairs: Sequence[tuple[Row, Issued]]) -> None:
        chains = {issued.chain: "".join(map(to_pem, issued.chain)) for _, issued in pairs[:1]}

        def write(pair: tuple[Row, Issued]) -> None:
            row, issued = pair
            chain = chains.get(issued.chain) or "".join(map(to_pem, issued.chain))
            write_atomically(self.job.out / row.name / CERTIFICATE, to_pem(issued.certificate) + chain, mode=PUBLIC)

        self.report.issued += len(list(self.each(write, pairs)))

    def _try(self, row: Row, use: Callable[..., Result], *arguments: object) -> Result | None:
        """What it returns, or None when the row is refused: the others go on."""
        try:
            return use(*arguments)
        except (RequestError, ConfigError) as error:
            self.report.refused.append(refusal(row, error))
            return None
