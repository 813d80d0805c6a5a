-- What an account may ask with all its keys together, beside what each key may. NULL is no limit.

ALTER TABLE control_accounts ADD COLUMN requests_per_minute INTEGER CHECK (requests_per_minute > 0);
ALTER TABLE control_accounts ADD COLUMN tokens_per_minute INTEGER CHECK (tokens_per_minute > 0);
ALTER TABLE control_accounts ADD COLUMN concurrency INTEGER CHECK (concurrency > 0);
