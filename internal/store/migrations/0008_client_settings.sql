-- settings are what a client is registered with beyond the columns, as JSON by
-- the names of registration metadata. origin is how it came to be known: empty
-- for an administrator.
ALTER TABLE clients RENAME COLUMN responses TO settings;
ALTER TABLE clients ADD COLUMN origin TEXT NOT NULL DEFAULT '';

-- terms are what a grant was agreed to beyond its scope, as JSON; empty for most.
ALTER TABLE grants ADD COLUMN terms TEXT NOT NULL DEFAULT '';

-- What may be used once and has no row of its own: the row decides a race.
-- Names are digests.
CREATE TABLE spent (
    name       TEXT   NOT NULL PRIMARY KEY,
    expires_s  BIGINT NOT NULL
) /*clustered*/;
CREATE INDEX spent_end ON spent (expires_s);
