-- Who may ask, by what they prove it, and what was asked. Secrets and tokens are here as SHA-256 only.
CREATE TABLE requester (
    name TEXT PRIMARY KEY, role TEXT NOT NULL, profiles TEXT, patterns TEXT, created_at BIGINT NOT NULL
);

CREATE TABLE credential (
    digest {blob} PRIMARY KEY, kind TEXT NOT NULL, requester TEXT NOT NULL REFERENCES requester (name),
    label TEXT NOT NULL, created_at BIGINT NOT NULL
);
CREATE INDEX credential_requester ON credential (requester);

CREATE TABLE token (
    digest {blob} PRIMARY KEY, profile TEXT NOT NULL, names TEXT NOT NULL, words TEXT NOT NULL, creator TEXT NOT NULL,
    created_at BIGINT NOT NULL, expires_at BIGINT NOT NULL
);
CREATE INDEX token_end ON token (expires_at);

CREATE TABLE pending (
    transaction_id TEXT PRIMARY KEY, digest {blob} NOT NULL UNIQUE, requester TEXT NOT NULL, sponsor TEXT NOT NULL,
    profile TEXT NOT NULL, subject TEXT NOT NULL, names TEXT NOT NULL, key_text TEXT NOT NULL, needed INTEGER NOT NULL,
    created_at BIGINT NOT NULL, expires_at BIGINT NOT NULL, rejected_by TEXT NOT NULL, reason TEXT NOT NULL,
    serial {blob}, issuer TEXT NOT NULL
);
CREATE INDEX pending_end ON pending (expires_at);
CREATE INDEX pending_time ON pending (created_at);

CREATE TABLE approval (
    transaction_id TEXT NOT NULL, approver TEXT NOT NULL, PRIMARY KEY (transaction_id, approver)
);

CREATE TABLE answer (
    requester TEXT NOT NULL, key_text TEXT NOT NULL, request {blob} NOT NULL, answer {blob}, created_at BIGINT NOT NULL,
    PRIMARY KEY (requester, key_text)
);
CREATE INDEX answer_time ON answer (created_at);

CREATE TABLE quota (
    scope TEXT NOT NULL, start_at BIGINT NOT NULL, end_at BIGINT NOT NULL, taken BIGINT NOT NULL,
    PRIMARY KEY (scope, start_at)
);
CREATE INDEX quota_end ON quota (end_at);
