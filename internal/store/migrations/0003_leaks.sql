-- contacts are addresses of those who look after a client, as a JSON list.
ALTER TABLE clients ADD COLUMN contacts TEXT NOT NULL DEFAULT '[]';

CREATE INDEX client_secrets_hash ON client_secrets (hash);

-- What the configuration file cannot keep of its clients. A row is made when a
-- client is first used, so that a compromise has something to lock.
CREATE TABLE config_clients (
    id     TEXT NOT NULL PRIMARY KEY,
    epoch  TEXT NOT NULL
) /*clustered*/;

-- Secrets of the configuration file that are refused although it names them. A
-- secret that two clients share is dead for both.
CREATE TABLE dead_secrets (
    hash       TEXT   NOT NULL,
    client_id  TEXT   NOT NULL,
    died_s     BIGINT NOT NULL,
    PRIMARY KEY (hash, client_id)
) /*clustered*/;

-- Messages that wait. claimed_s is until when a node has one in hand.
CREATE TABLE outbox (
    id         TEXT    NOT NULL PRIMARY KEY,
    recipient  TEXT    NOT NULL,
    body       TEXT    NOT NULL,
    created_s  BIGINT  NOT NULL,
    due_s      BIGINT  NOT NULL,
    claimed_s  BIGINT  NOT NULL,
    attempts   INTEGER NOT NULL
) /*clustered*/;
CREATE INDEX outbox_due ON outbox (due_s);
