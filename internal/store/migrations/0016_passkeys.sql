-- Passkeys (WebAuthn). id is the credential ID and public_key the COSE key, both
-- base64url. backup_eligible: the key may be copied between devices of the
-- person. backed_up: it is.
CREATE TABLE passkeys (
    id               TEXT    NOT NULL PRIMARY KEY,
    user_id          TEXT    NOT NULL REFERENCES users (id),
    name             TEXT    NOT NULL,
    public_key       TEXT    NOT NULL,
    sign_count       BIGINT  NOT NULL,
    transports       TEXT    NOT NULL,
    aaguid           TEXT    NOT NULL,
    backup_eligible  INTEGER NOT NULL,
    backed_up        INTEGER NOT NULL,
    created_s        BIGINT  NOT NULL,
    last_used_s      BIGINT  NOT NULL
) /*clustered*/;
CREATE INDEX passkeys_user ON passkeys (user_id);
