-- Marks of the revocation feed. Each transaction that adds to the feed leaves a
-- random mark at the number that it ends with, so a reader can tell whether the
-- feed that it reads is still the one that it has read: a backup that was put
-- back, or a replica that took over without the last transactions, has other
-- marks at the same numbers, also once it has overtaken the reader. Only marks
-- below the newest are ever deleted.

CREATE TABLE feed_marks (
    seq        BIGINT NOT NULL PRIMARY KEY,
    mark       TEXT   NOT NULL,
    expires_s  BIGINT NOT NULL
) /*clustered*/;
INSERT INTO feed_marks (seq, mark, expires_s) SELECT seq, /*random*/, 0 FROM feed_head;
