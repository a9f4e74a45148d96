-- The entries of a published list in pieces, so that the next list is written only where it differs from this one.
-- last: no revocation in the piece, nor in those before it, has a higher id.
CREATE TABLE published_entries (
    issuer TEXT NOT NULL, shard INTEGER NOT NULL, kind TEXT NOT NULL, last BIGINT NOT NULL, entries {blob} NOT NULL,
    PRIMARY KEY (issuer, shard, kind, last)
);
-- `der` stands before the entries and `tail` behind them. NULL: `der` is all of the list, as it was kept before.
ALTER TABLE published ADD COLUMN tail {blob};
-- Certificates that had ended before are on the list no more.
ALTER TABLE published ADD COLUMN alive_at BIGINT NOT NULL DEFAULT 0;
