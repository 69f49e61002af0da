-- What has happened to an account, for the person it belongs to.
CREATE TABLE user_events (
    id         TEXT   NOT NULL PRIMARY KEY,
    user_id    TEXT   NOT NULL REFERENCES users (id),
    kind       TEXT   NOT NULL,
    device     TEXT   NOT NULL,
    place      TEXT   NOT NULL,
    detail     TEXT   NOT NULL,
    created_s  BIGINT NOT NULL
) /*clustered*/;
CREATE INDEX user_events_user ON user_events (user_id, id);
CREATE INDEX user_events_end ON user_events (created_s);

-- Browsers from which a person has signed in. mark is a digest of the value that
-- the browser is known by.
CREATE TABLE known_browsers (
    user_id    TEXT   NOT NULL REFERENCES users (id),
    mark       TEXT   NOT NULL,
    device     TEXT   NOT NULL,
    place      TEXT   NOT NULL,
    first_s    BIGINT NOT NULL,
    last_s     BIGINT NOT NULL,
    PRIMARY KEY (user_id, mark)
) /*clustered*/;
CREATE INDEX known_browsers_end ON known_browsers (last_s);
