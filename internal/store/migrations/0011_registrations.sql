-- A client that registered itself (RFC 7591). token_hash is that of its
-- registration access token, empty once that has ended. expires_s is when a
-- client that has never been given a token is removed; 0 for one that has.
CREATE TABLE registrations (
    client_id   TEXT   NOT NULL PRIMARY KEY,
    token_hash  TEXT   NOT NULL,
    statement   TEXT   NOT NULL DEFAULT '',
    created_s   BIGINT NOT NULL,
    expires_s   BIGINT NOT NULL DEFAULT 0
) /*clustered*/;
CREATE INDEX registrations_end ON registrations (expires_s) WHERE expires_s > 0;
CREATE INDEX registrations_token ON registrations (token_hash);

-- How many there are: the row decides a race for the last place.
CREATE TABLE registration_total (
    id  BIGINT NOT NULL PRIMARY KEY,
    n   BIGINT NOT NULL
);
INSERT INTO registration_total (id, n) VALUES (1, 0);

-- Initial access tokens (RFC 7591 §3), as hashes. uses_left counts down to 0.
CREATE TABLE initial_tokens (
    hash       TEXT   NOT NULL PRIMARY KEY,
    note       TEXT   NOT NULL DEFAULT '',
    uses_left  BIGINT NOT NULL,
    created_s  BIGINT NOT NULL,
    expires_s  BIGINT NOT NULL
) /*clustered*/;
