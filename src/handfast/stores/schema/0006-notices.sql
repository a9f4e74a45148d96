-- What people are to be told. `subject` makes each notice one of a kind: it is queued once, whoever finds it first.
-- state: waiting, delivered, given-up.
CREATE TABLE notice (
    id {id}, subject TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, text TEXT NOT NULL, detail TEXT NOT NULL,
    created_at BIGINT NOT NULL, due_at BIGINT NOT NULL, attempts INTEGER NOT NULL, state TEXT NOT NULL,
    failure TEXT NOT NULL
);
CREATE INDEX notice_due ON notice (due_at) WHERE state = 'waiting';
INSERT INTO counter VALUES ('notice', 0);
