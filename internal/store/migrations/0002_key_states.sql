-- Keys get a life: known at created_s, making from active_s on, and refused
-- from compromised_s on, when wrapped is emptied too. wrapped_by is the
-- fingerprint of the master key.
ALTER TABLE token_keys ADD COLUMN active_s BIGINT NOT NULL DEFAULT 0;
ALTER TABLE token_keys ADD COLUMN compromised_s BIGINT NOT NULL DEFAULT 0;
ALTER TABLE token_keys ADD COLUMN wrapped_by TEXT NOT NULL DEFAULT '';
UPDATE token_keys SET active_s = created_s;

-- Whoever changes keys changes this row first, and so waits for whoever was
-- first.
CREATE TABLE key_head (
    id       INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    changes  BIGINT  NOT NULL
);
INSERT INTO key_head (id, changes) VALUES (1, 0);
