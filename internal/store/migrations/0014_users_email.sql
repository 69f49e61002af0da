-- People are found by their address when all that they have is ended.
CREATE INDEX users_email ON users (lower(email));
