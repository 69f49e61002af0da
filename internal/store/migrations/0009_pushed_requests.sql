-- Authorization requests that were pushed (RFC 9126) and not answered yet. The
-- request is sealed, the handle under which the client knows it is a digest: a
-- copy of this table starts nothing. expires_s ends the handle, kept_until_s the
-- sign-in that it may have begun. The row decides which approval counts.
CREATE TABLE pushed_requests (
    id            TEXT   NOT NULL PRIMARY KEY,
    handle        TEXT   NOT NULL UNIQUE,
    client_id     TEXT   NOT NULL,
    request       TEXT   NOT NULL,
    expires_s     BIGINT NOT NULL,
    kept_until_s  BIGINT NOT NULL
) /*clustered*/;
CREATE INDEX pushed_requests_end ON pushed_requests (kept_until_s);
