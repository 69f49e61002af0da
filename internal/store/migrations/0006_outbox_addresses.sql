-- A notice to several addresses is one row for each of them as soon as a node
-- takes it: each is settled alone. address is a hash that tells them apart; the
-- addresses themselves are looked up when it is sent. Empty: all of them.
ALTER TABLE outbox ADD COLUMN address TEXT NOT NULL DEFAULT '';

CREATE INDEX outbox_recipient ON outbox (recipient, address);
