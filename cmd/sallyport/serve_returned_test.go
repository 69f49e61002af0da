package main

import (
	"database/sql"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sallyport/internal/revocation"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// The database goes back under a node: the node says so once, reads its keys
// anew, and refuses what it refused before.
func TestAP15ANodeSaysThatItsDatabaseWentBack(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	c, err := readConfig(v.config(), nil)
	if err != nil {
		t.Fatal(err)
	}
	log := &watched{}
	n, err := openNode(t.Context(), c, slog.New(slog.NewJSONHandler(log, nil)), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.close)
	a := &token.Access{Serial: secret.NewID(time.Now())}
	if err := n.store.OAuth().RevokeSerial(t.Context(), a.Serial, revocation.ReasonRevoked, time.Now(), token.KeepRevocation(time.Now())); err != nil {
		t.Fatal(err)
	}
	if err := n.feed.CatchUp(t.Context()); err != nil || !n.feed.Revoked(a) {
		t.Fatal("not revoked", err)
	}
	for len(n.keys.news) > 0 {
		<-n.keys.news
	}
	db, err := sql.Open("sqlite", filepath.Join(v.dir, "sallyport.db"))
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{`DELETE FROM feed`, `DELETE FROM feed_marks WHERE seq > 0`, `INSERT INTO feed_marks VALUES (0, 'another', 0) ON CONFLICT DO NOTHING`, `UPDATE feed_head SET seq = 0`} {
		if _, err := db.ExecContext(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := n.feed.CatchUp(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if said := strings.Count(log.String(), "the database is not where it was"); said != 1 || len(n.keys.news) != 1 || !n.feed.Revoked(a) {
		t.Errorf("said %d times, keys to be read: %d, still revoked: %v", said, len(n.keys.news), n.feed.Revoked(a))
	}
}
