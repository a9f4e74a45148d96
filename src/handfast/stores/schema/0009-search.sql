-- What lists and searches look in, so that a page costs the same however many certificates there are.
-- Every beginning of a word in a name, the label or the subject, with what follows it (words.py).
CREATE TABLE certificate_word (word {text} NOT NULL, certificate BIGINT NOT NULL, PRIMARY KEY (word, certificate)) {clustered};

-- Begun and not finished: a row for as long as a signature takes, and for ever after a crash.
CREATE TABLE unfinished (certificate {id});
INSERT INTO unfinished SELECT c.id FROM certificate c
    WHERE NOT EXISTS (SELECT 1 FROM issued i WHERE i.certificate = c.id);

DROP INDEX certificate_end;
CREATE INDEX certificate_end ON certificate (not_after, id);
CREATE INDEX certificate_start ON certificate (not_before);
CREATE INDEX revocation_hold ON revocation (reason, id) WHERE reason = 'certificateHold';
