-- What ended long ago, out of the way of lists, searches and CRLs; still found by serial, fingerprint and bulk row.
-- `record` is JSON, as the journal has it. Who may leave the other tables, the triggers say (triggers.py).
CREATE TABLE archive (
    id {id}, serial {blob} NOT NULL, issuer TEXT NOT NULL, not_after BIGINT NOT NULL, batch TEXT, batch_row TEXT,
    record TEXT NOT NULL, der {blob}, sha256 {blob}
);
CREATE UNIQUE INDEX archive_serial ON archive (serial, issuer);
CREATE UNIQUE INDEX archive_batch ON archive (batch, batch_row) WHERE batch IS NOT NULL;
CREATE INDEX archive_sha256 ON archive (sha256);

CREATE TABLE archived_revocation (
    id {id}, serial {blob} NOT NULL, issuer TEXT NOT NULL, sequence INTEGER NOT NULL, reason TEXT NOT NULL,
    revoked_at BIGINT NOT NULL, not_after BIGINT NOT NULL, requester TEXT NOT NULL
);
CREATE UNIQUE INDEX archived_revocation_serial ON archived_revocation (serial, issuer, sequence);
CREATE INDEX revocation_end ON revocation (not_after);

-- Signed heads of the audit chain. id: of the event.
CREATE TABLE audit_head (id {id}, hash {blob} NOT NULL, at BIGINT NOT NULL, key {blob} NOT NULL, signature {blob} NOT NULL);
