-- Who does a job that one replica at a time shall do, and until when. By the database's own clock: it is one for all.
CREATE TABLE lease (name TEXT PRIMARY KEY, owner TEXT NOT NULL, until BIGINT NOT NULL);
