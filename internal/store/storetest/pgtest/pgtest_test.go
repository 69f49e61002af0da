//go:build unix

package pgtest_test

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"sallyport/internal/store/storetest/pgtest"
)

func TestEachDatabaseIsFresh(t *testing.T) {
	t.Parallel()
	for range 2 {
		conn, err := pgx.Connect(t.Context(), pgtest.New(t))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Exec(t.Context(), "CREATE TABLE mine (id INTEGER)"); err != nil {
			t.Error(err)
		}
		_ = conn.Close(t.Context())
	}
}
