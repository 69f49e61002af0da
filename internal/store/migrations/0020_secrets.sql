-- Secrets of others, each value sealed. The highest version of a name counts.
-- until_s is when one with a successor ends. sealed is empty once it has ended
-- or was compromised.
CREATE TABLE secrets (
    name           TEXT   NOT NULL,
    version        BIGINT NOT NULL,
    id             TEXT   NOT NULL,
    kind           TEXT   NOT NULL,
    sealed         TEXT   NOT NULL,
    set_by         TEXT   NOT NULL DEFAULT '',
    created_s      BIGINT NOT NULL,
    until_s        BIGINT NOT NULL DEFAULT 0,
    compromised_s  BIGINT NOT NULL DEFAULT 0,
    used_s         BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (name, version)
) /*clustered*/;
