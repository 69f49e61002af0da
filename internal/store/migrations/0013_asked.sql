-- What was asked for on one device, or by a client alone, and is decided on
-- another (RFC 8628, CIBA). id is also that of the grant that it leads to. hash is
-- of device_code or auth_req_id, user_code a keyed digest, request what is asked
-- as JSON, sealed what a ping needs. sid, acr, amr and auth_time_s are of the
-- session in which it was allowed.
CREATE TABLE asked (
    id           TEXT   NOT NULL PRIMARY KEY,
    hash         TEXT   NOT NULL,
    grant_type   TEXT   NOT NULL,
    client_id    TEXT   NOT NULL,
    epoch        TEXT   NOT NULL,
    user_code    TEXT   NOT NULL,
    user_id      TEXT   NOT NULL,
    hint         TEXT   NOT NULL,
    request      TEXT   NOT NULL,
    sealed       TEXT   NOT NULL,
    state        TEXT   NOT NULL,
    sid          TEXT   NOT NULL DEFAULT '',
    acr          TEXT   NOT NULL DEFAULT '',
    amr          TEXT   NOT NULL DEFAULT '',
    auth_time_s  BIGINT NOT NULL DEFAULT 0,
    created_s    BIGINT NOT NULL,
    expires_s    BIGINT NOT NULL
) /*clustered*/;
CREATE UNIQUE INDEX asked_user_code ON asked (user_code) WHERE user_code <> '';
CREATE INDEX asked_user ON asked (user_id);
CREATE INDEX asked_hint ON asked (client_id, hint);
CREATE INDEX asked_end ON asked (expires_s);
