-- Computes the length of every entry that is there: the table is rewritten.
ALTER TABLE entries ADD COLUMN length integer NOT NULL GENERATED ALWAYS AS (char_length(body)) STORED;
