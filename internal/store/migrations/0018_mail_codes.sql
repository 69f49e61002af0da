-- Addresses of a person besides the one in users; verified_s 0: not made sure of.
CREATE TABLE addresses (
    user_id     TEXT   NOT NULL REFERENCES users (id),
    folded      TEXT   NOT NULL,
    address     TEXT   NOT NULL,
    created_s   BIGINT NOT NULL,
    verified_s  BIGINT NOT NULL,
    PRIMARY KEY (user_id, folded)
) /*clustered*/;
CREATE INDEX addresses_folded ON addresses (folded);

-- Whose an address is that somebody has made sure of: one person at most.
CREATE TABLE verified_addresses (
    folded   TEXT NOT NULL PRIMARY KEY,
    user_id  TEXT NOT NULL REFERENCES users (id)
) /*clustered*/;
CREATE INDEX verified_addresses_user ON verified_addresses (user_id);
INSERT INTO verified_addresses (folded, user_id)
    SELECT lower(email), min(id) FROM users WHERE email_verified <> 0 AND email <> '' GROUP BY lower(email);

-- What was mailed and waits to be typed or opened: a code, of which only a keyed
-- digest is kept, for one purpose in one browser. A row may stand for nobody, so
-- that asking for a stranger's account costs and shows the same.
CREATE TABLE mail_codes (
    id         TEXT    NOT NULL PRIMARY KEY,
    purpose    TEXT    NOT NULL,
    user_id    TEXT    NOT NULL,
    address    TEXT    NOT NULL,
    digest     TEXT    NOT NULL,
    link       TEXT    NOT NULL,
    browser    TEXT    NOT NULL,
    data       TEXT    NOT NULL,
    tries      INTEGER NOT NULL,
    created_s  BIGINT  NOT NULL,
    expires_s  BIGINT  NOT NULL
) /*clustered*/;
CREATE INDEX mail_codes_user ON mail_codes (user_id);
CREATE INDEX mail_codes_browser ON mail_codes (browser, purpose);
CREATE UNIQUE INDEX mail_codes_link ON mail_codes (link);
CREATE INDEX mail_codes_end ON mail_codes (expires_s);

-- Invitations to sign up. A row is deleted when it is used.
CREATE TABLE invitations (
    id         TEXT   NOT NULL PRIMARY KEY,
    hash       TEXT   NOT NULL,
    address    TEXT   NOT NULL,
    created_s  BIGINT NOT NULL,
    expires_s  BIGINT NOT NULL
) /*clustered*/;
CREATE INDEX invitations_end ON invitations (expires_s);
CREATE UNIQUE INDEX invitations_hash ON invitations (hash);

-- People who could prove one thing only wait until ripe_s before they may set a new
-- password. stop is a digest of what stops it.
CREATE TABLE recoveries (
    user_id    TEXT   NOT NULL PRIMARY KEY REFERENCES users (id),
    stop       TEXT   NOT NULL,
    created_s  BIGINT NOT NULL,
    ripe_s     BIGINT NOT NULL,
    expires_s  BIGINT NOT NULL
) /*clustered*/;
CREATE UNIQUE INDEX recoveries_stop ON recoveries (stop);
CREATE INDEX recoveries_end ON recoveries (expires_s);

-- How many letters an address was sent in an hour. mark is a digest of the address
-- and the kind of letters.
CREATE TABLE letter_counts (
    mark    TEXT    NOT NULL,
    hour_s  BIGINT  NOT NULL,
    n       INTEGER NOT NULL,
    PRIMARY KEY (mark, hour_s)
) /*clustered*/;
CREATE INDEX letter_counts_end ON letter_counts (hour_s);
