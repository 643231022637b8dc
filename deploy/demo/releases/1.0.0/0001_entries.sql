CREATE TABLE entries (
    id        bigint PRIMARY KEY,
    body      text NOT NULL,
    prev_hash text NOT NULL UNIQUE,
    hash      text NOT NULL UNIQUE
);
