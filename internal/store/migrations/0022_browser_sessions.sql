-- Browsers that are signed in to a browser app. hash is that of the cookie, tokens
-- are sealed for this row. version rises with each renewal of the tokens, and
-- claimed_until_s is until when one node is at it.
CREATE TABLE browser_sessions (
    id                TEXT   NOT NULL PRIMARY KEY,
    hash              TEXT   NOT NULL,
    app               TEXT   NOT NULL,
    grant_id          TEXT   NOT NULL,
    tokens            TEXT   NOT NULL,
    version           BIGINT NOT NULL,
    claimed_until_s   BIGINT NOT NULL,
    created_s         BIGINT NOT NULL,
    last_seen_s       BIGINT NOT NULL,
    idle_until_s      BIGINT NOT NULL,
    absolute_until_s  BIGINT NOT NULL
) /*clustered*/;
CREATE INDEX browser_sessions_end ON browser_sessions (idle_until_s);
