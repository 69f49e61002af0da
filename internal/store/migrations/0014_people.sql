-- version counts the changes of how a person proves who they are: a sign-in that
-- began before one does not count after it. locale is the language of mails.
ALTER TABLE users ADD COLUMN version BIGINT NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN locale TEXT NOT NULL DEFAULT '';

-- methods are how the person proved who they are. tier is whose limits the
-- session has, keep whether it outlives the browser. purpose is the one act that
-- the sign-in was for. provider and provider_sid are of the sign-in elsewhere.
ALTER TABLE sessions ADD COLUMN methods TEXT NOT NULL DEFAULT 'pwd';
ALTER TABLE sessions ADD COLUMN tier TEXT NOT NULL DEFAULT 'standard';
ALTER TABLE sessions ADD COLUMN keep INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN purpose TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN device TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN place TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN provider TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN provider_sid TEXT NOT NULL DEFAULT '';
CREATE INDEX sessions_provider ON sessions (provider, provider_sid) WHERE provider <> '';

-- Where a grant was made; it outlives its session.
ALTER TABLE grants ADD COLUMN device TEXT NOT NULL DEFAULT '';
ALTER TABLE grants ADD COLUMN place TEXT NOT NULL DEFAULT '';

-- What a client asked for and the person left out of what they agreed to. A record
-- without any scope is of a consent that was withdrawn at granted_s, and is kept
-- until no code from before can be redeemed.
ALTER TABLE consents ADD COLUMN declined TEXT NOT NULL DEFAULT '';
CREATE INDEX consents_withdrawn ON consents (granted_s) WHERE scope = '';
