-- Authenticator apps (RFC 6238). sealed is the secret under a key of ours, and
-- last_step the time step of the last code that was taken, so that none counts
-- twice. One that is not confirmed yet proves nothing.
CREATE TABLE authenticators (
    id           TEXT   NOT NULL PRIMARY KEY,
    user_id      TEXT   NOT NULL REFERENCES users (id),
    name         TEXT   NOT NULL,
    sealed       TEXT   NOT NULL,
    last_step    BIGINT NOT NULL,
    created_s    BIGINT NOT NULL,
    confirmed_s  BIGINT NOT NULL,
    last_used_s  BIGINT NOT NULL
) /*clustered*/;
CREATE INDEX authenticators_user ON authenticators (user_id);

-- Recovery codes that have not been used, as hashes.
CREATE TABLE recovery_codes (
    user_id    TEXT   NOT NULL REFERENCES users (id),
    hash       TEXT   NOT NULL,
    created_s  BIGINT NOT NULL,
    PRIMARY KEY (user_id, hash)
) /*clustered*/;

-- Codes that were tried without a right one after them, by method. Before next_s none
-- is looked at.
CREATE TABLE factor_tries (
    user_id  TEXT    NOT NULL REFERENCES users (id),
    method   TEXT    NOT NULL,
    failed   INTEGER NOT NULL,
    next_s   BIGINT  NOT NULL,
    PRIMARY KEY (user_id, method)
) /*clustered*/;
