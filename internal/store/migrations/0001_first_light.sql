-- The subset of SQL that SQLite and PostgreSQL share. Times are Unix seconds,
-- 0 for never; ids are time-ordered text; hashes and salts are hex; lists are
-- JSON. A statement ends with a semicolon at the end of a line. Where the text
-- says clustered, SQLite keeps the rows in the primary key itself.

CREATE TABLE users (
    id              TEXT    NOT NULL PRIMARY KEY,
    folded          TEXT    NOT NULL UNIQUE,
    username        TEXT    NOT NULL,
    name            TEXT    NOT NULL,
    email           TEXT    NOT NULL,
    email_verified  INTEGER NOT NULL,
    password_hash   TEXT    NOT NULL,
    disabled        INTEGER NOT NULL,
    created_s       BIGINT  NOT NULL
) /*clustered*/;

CREATE TABLE sessions (
    id                TEXT   NOT NULL PRIMARY KEY,
    sid               TEXT   NOT NULL,
    hash              TEXT   NOT NULL,
    user_id           TEXT   NOT NULL REFERENCES users (id),
    acr               TEXT   NOT NULL,
    amr               TEXT   NOT NULL,
    auth_time_s       BIGINT NOT NULL,
    created_s         BIGINT NOT NULL,
    last_seen_s       BIGINT NOT NULL,
    idle_until_s      BIGINT NOT NULL,
    absolute_until_s  BIGINT NOT NULL
) /*clustered*/;
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_sid ON sessions (sid);
CREATE INDEX sessions_end ON sessions (absolute_until_s);

CREATE TABLE clients (
    id                         TEXT    NOT NULL PRIMARY KEY,
    name                       TEXT    NOT NULL,
    type                       TEXT    NOT NULL,
    redirect_uris              TEXT    NOT NULL,
    post_logout_redirect_uris  TEXT    NOT NULL,
    scope                      TEXT    NOT NULL,
    resources                  TEXT    NOT NULL,
    disabled                   INTEGER NOT NULL,
    created_s                  BIGINT  NOT NULL,
    epoch                      TEXT    NOT NULL
) /*clustered*/;

CREATE TABLE client_secrets (
    client_id  TEXT   NOT NULL REFERENCES clients (id),
    hash       TEXT   NOT NULL,
    created_s  BIGINT NOT NULL,
    expires_s  BIGINT NOT NULL,
    PRIMARY KEY (client_id, hash)
) /*clustered*/;

-- client_id is no reference: a client may be defined in the configuration file.
-- Nor is sid: a grant may outlive the session that it came from.
CREATE TABLE grants (
    id                TEXT    NOT NULL PRIMARY KEY,
    client_id         TEXT    NOT NULL,
    user_id           TEXT    NOT NULL REFERENCES users (id),
    sid               TEXT    NOT NULL,
    scope             TEXT    NOT NULL,
    audience          TEXT    NOT NULL,
    acr               TEXT    NOT NULL,
    amr               TEXT    NOT NULL,
    auth_time_s       BIGINT  NOT NULL,
    nonce             TEXT    NOT NULL,
    created_s         BIGINT  NOT NULL,
    refreshable       INTEGER NOT NULL,
    generation        BIGINT  NOT NULL,
    salt              TEXT    NOT NULL,
    rotated_s         BIGINT  NOT NULL,
    idle_until_s      BIGINT  NOT NULL,
    absolute_until_s  BIGINT  NOT NULL,
    revoked_s         BIGINT  NOT NULL,
    revoke_reason     TEXT    NOT NULL
) /*clustered*/;
CREATE INDEX grants_sid ON grants (sid);
CREATE INDEX grants_user ON grants (user_id);
CREATE INDEX grants_client ON grants (client_id);
CREATE INDEX grants_end ON grants (absolute_until_s);

CREATE TABLE consents (
    user_id    TEXT   NOT NULL REFERENCES users (id),
    client_id  TEXT   NOT NULL,
    scope      TEXT   NOT NULL,
    granted_s  BIGINT NOT NULL,
    PRIMARY KEY (user_id, client_id)
) /*clustered*/;
CREATE INDEX consents_client ON consents (client_id);

-- first_of is the purpose in the first key of that purpose and NULL in later
-- ones, so two nodes that start together cannot both be first.
CREATE TABLE token_keys (
    id         TEXT   NOT NULL PRIMARY KEY,
    purpose    TEXT   NOT NULL,
    algorithm  TEXT   NOT NULL,
    wrapped    TEXT   NOT NULL,
    created_s  BIGINT NOT NULL,
    first_of   TEXT   UNIQUE
);

-- The revocation feed. seq comes from the one row of feed_head, whose lock is
-- held until the commit: so seq rises in the order of commits, and a reader
-- that has seen n never finds n-1 later.
CREATE TABLE feed_head (
    id   INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    seq  BIGINT  NOT NULL
);
INSERT INTO feed_head (id, seq) VALUES (1, 0);

CREATE TABLE feed (
    seq        BIGINT NOT NULL PRIMARY KEY,
    kind       TEXT   NOT NULL,
    id         TEXT   NOT NULL,
    reason     TEXT   NOT NULL,
    expires_s  BIGINT NOT NULL
) /*clustered*/;
CREATE INDEX feed_end ON feed (expires_s);
CREATE UNIQUE INDEX feed_serial ON feed (id) WHERE kind = 'serial';
