ALTER TABLE entries ADD COLUMN noted_at timestamptz DEFAULT clock_timestamp();
