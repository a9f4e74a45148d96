-- Which of the channels took a notice already: their names, a line each. Those are not given it again.
ALTER TABLE notice ADD COLUMN taken TEXT NOT NULL DEFAULT '';
