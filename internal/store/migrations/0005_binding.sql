-- Sender-constrained tokens. The confirmation of a grant is the key that its
-- refresh tokens are bound to, jkt: or x5t: and a SHA-256 in hex, empty for
-- none; confirmed_from is the first generation that is. The marks of a client
-- say that it gets no token without such a key.

ALTER TABLE grants ADD COLUMN confirmation TEXT NOT NULL DEFAULT '';
ALTER TABLE grants ADD COLUMN confirmed_from BIGINT NOT NULL DEFAULT 0;
ALTER TABLE clients ADD COLUMN dpop_bound INTEGER NOT NULL DEFAULT 0;
ALTER TABLE clients ADD COLUMN certificate_bound INTEGER NOT NULL DEFAULT 0;
