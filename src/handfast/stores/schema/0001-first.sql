-- One schema for SQLite and PostgreSQL. {id} and {blob} are the only words that differ.
-- Times are seconds since 1970 in UTC (audit: microseconds); serials 20 octets, big-endian.
-- certificate, issued, revocation, crl and audit are only ever appended to.
CREATE TABLE counter (name TEXT PRIMARY KEY, value BIGINT NOT NULL);
INSERT INTO counter VALUES ('certificate', 0);
INSERT INTO counter VALUES ('revocation', 0);
INSERT INTO counter VALUES ('audit', 0);

CREATE TABLE note (name TEXT PRIMARY KEY, value TEXT NOT NULL);

CREATE TABLE issuer (
    position BIGINT NOT NULL UNIQUE, name TEXT PRIMARY KEY, role TEXT NOT NULL, certificate {blob} NOT NULL,
    chain {blob} NOT NULL, created_at BIGINT NOT NULL, is_encrypted INTEGER NOT NULL
);

CREATE TABLE profile (digest TEXT PRIMARY KEY, snapshot TEXT NOT NULL);

CREATE TABLE certificate (
    id {id}, serial {blob} NOT NULL, issuer TEXT NOT NULL, profile TEXT NOT NULL, profile_digest TEXT NOT NULL,
    subject TEXT NOT NULL, label TEXT NOT NULL, names TEXT NOT NULL, not_before BIGINT NOT NULL,
    not_after BIGINT NOT NULL, key_id {blob} NOT NULL, requester TEXT NOT NULL, created_at BIGINT NOT NULL,
    replaces {blob}, batch TEXT, batch_row TEXT
);
CREATE UNIQUE INDEX certificate_serial ON certificate (serial, issuer);
CREATE UNIQUE INDEX certificate_batch ON certificate (batch, batch_row) WHERE batch IS NOT NULL;
CREATE INDEX certificate_end ON certificate (not_after);
CREATE INDEX certificate_key ON certificate (key_id);

CREATE TABLE certificate_name (name TEXT NOT NULL, certificate BIGINT NOT NULL, PRIMARY KEY (name, certificate));

CREATE TABLE issued (certificate {id}, der {blob} NOT NULL, sha256 {blob} NOT NULL, sha1 {blob} NOT NULL);
CREATE INDEX issued_sha256 ON issued (sha256);
CREATE INDEX issued_sha1 ON issued (sha1);

CREATE TABLE revocation (
    id {id}, serial {blob} NOT NULL, issuer TEXT NOT NULL, sequence INTEGER NOT NULL, reason TEXT NOT NULL,
    revoked_at BIGINT NOT NULL, not_after BIGINT NOT NULL, requester TEXT NOT NULL
);
CREATE UNIQUE INDEX revocation_serial ON revocation (serial, issuer, sequence);
CREATE UNIQUE INDEX revocation_for_ever ON revocation (serial, issuer)
    WHERE reason NOT IN ('certificateHold', 'removeFromCRL');
CREATE INDEX revocation_later ON revocation (issuer, serial) WHERE sequence > 0;

CREATE TABLE crl (
    issuer TEXT NOT NULL, number BIGINT NOT NULL, this_update BIGINT NOT NULL, next_update BIGINT NOT NULL,
    covers BIGINT NOT NULL, full_at BIGINT NOT NULL, PRIMARY KEY (issuer, number)
);

CREATE TABLE audit (
    id {id}, at BIGINT NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL, issuer TEXT NOT NULL, serial {blob},
    detail TEXT NOT NULL, hash {blob} NOT NULL
);
