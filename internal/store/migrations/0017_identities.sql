-- Who a person is at another OpenID provider. subject is never used again there.
CREATE TABLE identities (
    provider     TEXT   NOT NULL,
    subject      TEXT   NOT NULL,
    user_id      TEXT   NOT NULL REFERENCES users (id),
    name         TEXT   NOT NULL,
    linked_s     BIGINT NOT NULL,
    last_used_s  BIGINT NOT NULL,
    PRIMARY KEY (provider, subject)
) /*clustered*/;
CREATE INDEX identities_user ON identities (user_id);
