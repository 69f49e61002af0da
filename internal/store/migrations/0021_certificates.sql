-- Certificates of the listeners with their keys, the key of the account at the
-- authority, and answers to its challenges, sealed by a key of ours.
CREATE TABLE certificate_items (
    name    TEXT NOT NULL PRIMARY KEY,
    sealed  TEXT NOT NULL
) /*clustered*/;
