-- A page of one profile's or one CA's certificates, newest first, without a look at those of all others.
CREATE INDEX certificate_profile ON certificate (profile, id);
CREATE INDEX certificate_issuer ON certificate (issuer, id);
