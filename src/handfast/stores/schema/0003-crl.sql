-- What is published: of each list the newest alone. shard 0: all certificates. A delta CRL says what base it is upon.
CREATE TABLE published (
    issuer TEXT NOT NULL, shard INTEGER NOT NULL, kind TEXT NOT NULL, number BIGINT NOT NULL,
    this_update BIGINT NOT NULL, next_update BIGINT NOT NULL, covers BIGINT NOT NULL, full_at BIGINT NOT NULL,
    entries BIGINT NOT NULL, base_number BIGINT, base_covers BIGINT, base_at BIGINT, der {blob} NOT NULL,
    PRIMARY KEY (issuer, shard, kind)
);

-- The shard of a certificate is fixed when it is issued, and so that of its revocations. Absent: none.
CREATE TABLE certificate_shard (certificate {id}, shard INTEGER NOT NULL);
CREATE TABLE revocation_shard (revocation {id}, issuer TEXT NOT NULL, shard INTEGER NOT NULL);
CREATE INDEX revocation_shard_list ON revocation_shard (issuer, shard, revocation);

-- The last revocation of each issuer (shard 0) and each shard: whether a list is behind is told without a search.
CREATE TABLE newest_revocation (
    issuer TEXT NOT NULL, shard INTEGER NOT NULL, revocation BIGINT NOT NULL, PRIMARY KEY (issuer, shard)
);
INSERT INTO newest_revocation SELECT issuer, 0, MAX(id) FROM revocation GROUP BY issuer;
