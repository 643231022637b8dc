-- every statement commits by itself
ALTER TABLE entries RENAME COLUMN body TO text;
ALTER TABLE entries ADD COLUMN author_id bigint;
ALTER TABLE entries ADD CONSTRAINT entries_author FOREIGN KEY (author_id) REFERENCES authors (id);
