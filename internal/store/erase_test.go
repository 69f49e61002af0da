package store_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/internal/account"
	"sallyport/internal/secret"
	"sallyport/internal/store"
)

// notExported are the tables with a person in them that nobody takes along, and why.
var notExported = map[string]string{
	"factor_tries":       "counts wrong codes for some minutes",
	"mail_codes":         "digests that live for minutes",
	"verified_addresses": "names whose an address is, which addresses and users say",
	"recoveries":         "a recovery under way, which an event tells of",
	"asked":              "a request that waits for minutes, and becomes a grant",
	"signal_events":      "messages to receivers, until they have them",
	"signal_subjects":    "what receivers want to hear",
}

// Messages to others that tell of the end name the person until they have arrived.
var outgoing = []string{"signal_events", "posts"}

// AP11 Every table that can name a person is emptied of them, and nothing anywhere
// else names them, the outbox included.
func TestAP11NothingOfAPersonIsLeft(t *testing.T) {
	t.Parallel()
	s := open(t, "sqlite:"+filepath.Join(t.TempDir(), "test.db"), time.Now)
	ctx, now := t.Context(), time.Now()
	const id = "01PERSON-WHO-LEAVES"
	must(t, s.Account().AddUser(ctx, account.User{ID: id, Username: "ada-who-leaves", Email: "ada-who-leaves@example.com", CreatedAt: now}))
	must(t, s.Account().AddUser(ctx, account.User{ID: "bob", Username: "bob", CreatedAt: now}))
	texts := func(q string, args ...any) []string {
		t.Helper()
		list, err := store.Texts(ctx, s, q, args...)
		must(t, err)
		return list
	}
	tables := texts(`SELECT m.name FROM sqlite_master m WHERE m.type = 'table' AND EXISTS (SELECT 1 FROM pragma_table_info(m.name) p WHERE p.name = 'user_id') ORDER BY 1`)
	if len(tables) < 12 {
		t.Fatalf("tables with a person: %v", tables)
	}
	for _, table := range tables {
		if known := slices.Contains(store.Exported(), table); known == (notExported[table] != "") {
			t.Errorf("%s is neither exported nor named as not, or both", table)
		}
		for _, person := range []string{id, "bob"} {
			plant(t, s, texts, table, person)
		}
	}
	must(t, store.Exec(ctx, s, `INSERT INTO outbox (id, recipient, address, body, created_s, due_s, claimed_s, attempts) VALUES ('l1', $1, '', '{}', 0, 0, 0, 0)`, "letter:"+id))
	must(t, s.Account().EraseUser(ctx, id, nil, now, now.Add(time.Hour)))
	for _, table := range texts(`SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY 1`) {
		if slices.Contains(outgoing, table) {
			continue
		}
		for _, column := range texts(`SELECT name FROM pragma_table_info($1) WHERE type = 'TEXT'`, table) {
			left := texts(fmt.Sprintf(`SELECT %s FROM %s WHERE %s LIKE $1 OR %s LIKE $2`, column, table, column, column), "%"+id+"%", "%ada-who-leaves%")
			if len(left) > 0 && !(table == "outbox" && !strings.Contains(left[0], "letter:")) {
				t.Errorf("AP11 %s.%s still has %q", table, column, left)
			}
		}
	}
	for _, table := range tables {
		if n := texts(`SELECT user_id FROM ` + table + ` WHERE user_id = 'bob'`); len(n) == 0 && table != "signal_events" {
			t.Errorf("%s has lost somebody else", table)
		}
	}
}

// plant puts a row of a person into a table, whatever its other columns are.
func plant(t *testing.T, s *store.Store, texts func(string, ...any) []string, table, person string) {
	t.Helper()
	var names, values []string
	for _, column := range texts(`SELECT name || ' ' || type FROM pragma_table_info($1)`, table) {
		name, kind, _ := strings.Cut(column, " ")
		value := "0"
		switch {
		case name == "user_id":
			value = "'" + person + "'"
		case kind == "TEXT" && slices.Contains([]string{"id", "sid", "folded", "subject", "hash", "mark", "user_code", "link", "stop", "stream_id"}, name):
			value = "'" + secret.NewID(time.Now()).String() + "'"
		case kind == "TEXT":
			value = "''"
		case kind == "BLOB":
			value = "x''"
		}
		names, values = append(names, name), append(values, value)
	}
	err := store.Exec(t.Context(), s, `INSERT INTO `+table+` (`+strings.Join(names, ", ")+`) VALUES (`+strings.Join(values, ", ")+`)`)
	if err != nil {
		t.Errorf("plant into %s: %v", table, err)
	}
}
