-- API keys, as hashes. operations is a list of "METHOD /template". expires_s is
-- never 0. revoked_s is 0 for a key that lives.
CREATE TABLE api_keys (
    id          TEXT   NOT NULL PRIMARY KEY,
    hash        TEXT   NOT NULL,
    api         TEXT   NOT NULL,
    operations  TEXT   NOT NULL,
    owner       TEXT   NOT NULL DEFAULT '',
    successor   TEXT   NOT NULL DEFAULT '',
    created_s   BIGINT NOT NULL,
    expires_s   BIGINT NOT NULL,
    revoked_s   BIGINT NOT NULL DEFAULT 0,
    used_s      BIGINT NOT NULL DEFAULT 0
) /*clustered*/;
CREATE UNIQUE INDEX api_keys_hash ON api_keys (hash);
CREATE INDEX api_keys_end ON api_keys (expires_s);
