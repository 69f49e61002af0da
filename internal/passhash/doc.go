// Package passhash knows how passwords are kept: our own hashes, Argon2id with a
// key of ours (a pepper) over the result, and those of other systems that people are brought from.
// schemes is the only list. It knows nothing of people. Start at Parse.
package passhash
