CREATE TABLE prices (
    entry_id bigint PRIMARY KEY REFERENCES entries (id),
    cents    bigint NOT NULL CHECK (cents >= 0)
);
