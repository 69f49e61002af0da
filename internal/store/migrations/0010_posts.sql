-- Messages to addresses of clients that wait to be sent: logout tokens, signals.
-- What is sent is made when it is sent, of what payload says; nothing in it is a
-- secret. Those to one recipient are sent one after another. until_s is when one
-- is given up; claimed_s is until when a node has it in hand.
CREATE TABLE posts (
    id         TEXT    NOT NULL PRIMARY KEY,
    kind       TEXT    NOT NULL,
    recipient  TEXT    NOT NULL,
    payload    TEXT    NOT NULL,
    created_s  BIGINT  NOT NULL,
    due_s      BIGINT  NOT NULL,
    until_s    BIGINT  NOT NULL,
    claimed_s  BIGINT  NOT NULL,
    attempts   INTEGER NOT NULL
) /*clustered*/;
CREATE INDEX posts_due ON posts (due_s);
CREATE INDEX posts_recipient ON posts (recipient);
CREATE INDEX posts_claimed ON posts (claimed_s);
