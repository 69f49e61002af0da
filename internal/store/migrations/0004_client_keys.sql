-- responses says how a client wants its ID tokens and userinfo answers: its
-- registration metadata for that, as JSON.
ALTER TABLE clients ADD COLUMN responses TEXT NOT NULL DEFAULT '{}';
