-- Streams of receivers of signals: each client has one. push_header is sealed.
-- last_seq numbers the events, in the order of their commits.
CREATE TABLE signal_streams (
    id            TEXT    NOT NULL PRIMARY KEY,
    client_id     TEXT    NOT NULL UNIQUE,
    created_s     BIGINT  NOT NULL,
    method        TEXT    NOT NULL,
    endpoint_url  TEXT    NOT NULL,
    push_header   TEXT    NOT NULL,
    requested     TEXT    NOT NULL,
    description   TEXT    NOT NULL,
    format        TEXT    NOT NULL,
    status        TEXT    NOT NULL,
    reason        TEXT    NOT NULL,
    last_seq      BIGINT  NOT NULL,
    asked_s       BIGINT  NOT NULL,
    due_s         BIGINT  NOT NULL,
    claimed_s     BIGINT  NOT NULL,
    attempts      INTEGER NOT NULL,
    problem       TEXT    NOT NULL
) /*clustered*/;

-- Events that wait in a stream. control ones are sent whatever its status is.
CREATE TABLE signal_events (
    stream_id  TEXT    NOT NULL,
    seq        BIGINT  NOT NULL,
    id         TEXT    NOT NULL UNIQUE,
    txn        TEXT    NOT NULL,
    type       TEXT    NOT NULL,
    user_id    TEXT    NOT NULL,
    sid        TEXT    NOT NULL,
    claims     TEXT    NOT NULL,
    control    INTEGER NOT NULL,
    created_s  BIGINT  NOT NULL,
    PRIMARY KEY (stream_id, seq)
) /*clustered*/;
CREATE INDEX signal_events_end ON signal_events (created_s);

-- Names of people that a receiver has removed from its stream.
CREATE TABLE signal_subjects (
    stream_id  TEXT NOT NULL,
    name       TEXT NOT NULL,
    PRIMARY KEY (stream_id, name)
) /*clustered*/;
