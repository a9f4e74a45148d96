-- A requester lists its own certificates, of millions.
CREATE INDEX certificate_requester ON certificate (requester, id);
