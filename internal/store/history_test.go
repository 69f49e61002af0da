package store_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"sallyport/internal/revocation"
	"sallyport/internal/secret"
	"sallyport/internal/store"
	"sallyport/internal/token"
)

// rewind makes the database forget all of the feed after a number, as a backup
// or a replica without the last transactions has.
var rewind = map[string]func(t *testing.T, dsn string, queries ...string){
	"sqlite": func(t *testing.T, dsn string, queries ...string) { run(t, dsn[len("sqlite:"):], queries...) },
	"postgres": func(t *testing.T, dsn string, queries ...string) {
		conn, err := pgx.Connect(t.Context(), dsn)
		must(t, err)
		for _, q := range queries {
			_, err := conn.Exec(t.Context(), q)
			must(t, err)
		}
		must(t, conn.Close(t.Context()))
	},
}

func TestAP15ARestoredBackupIsNoticedByRunningNodes(t *testing.T) {
	t.Parallel()
	for name, dsn := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := dsn(t)
			s := open(t, at, time.Now)
			f, returns := revocation.NewFollower(s.Feed(), time.Now), 0
			f.OnReturn(func() { returns++ })
			ended := []*token.Access{}
			for _, n := range []int{0, 5} { // the feed is followed from when it is empty
				for range n {
					ended = append(ended, endOne(t, s))
				}
				must(t, f.CatchUp(t.Context()))
			}
			rewind[name](t, at, `DELETE FROM feed WHERE seq > 2`, `DELETE FROM feed_marks WHERE seq > 2`, `UPDATE feed_head SET seq = 2`)
			for range 6 { // it overtakes the node between two of its reads
				ended = append(ended, endOne(t, s))
			}
			must(t, f.CatchUp(t.Context()))
			ended = append(ended, endOne(t, s))
			must(t, f.CatchUp(t.Context()))
			for i, a := range ended {
				if !f.Revoked(a) {
					t.Errorf("revocation %d is not in force", i)
				}
			}
			if returns != 1 || f.Size() != len(ended) {
				t.Errorf("%d returns, %d entries of %d", returns, f.Size(), len(ended))
			}
		})
	}
}

func endOne(t *testing.T, s *store.Store) *token.Access {
	t.Helper()
	now := time.Now()
	a := &token.Access{Serial: secret.NewID(now)}
	must(t, s.OAuth().RevokeSerial(t.Context(), a.Serial, revocation.ReasonRevoked, now, token.KeepRevocation(now)))
	return a
}
