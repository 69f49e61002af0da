package store

// dialect is where the two kinds of SQL differ. There is little of it, and it
// stays so: every statement elsewhere runs on both engines as it stands.
type dialect struct {
	clustered       string // follows CREATE TABLE (…) to keep rows in the primary key
	random          string // is a text that nobody can guess, a new one each time
	findBookkeeping string // counts our table of migrations: 0 or 1
}

func (*sqliteEngine) dialect() dialect {
	return dialect{
		clustered:       "WITHOUT ROWID",
		random:          "lower(hex(randomblob(16)))",
		findBookkeeping: `SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'sallyport_migrations'`,
	}
}

func (*postgresEngine) dialect() dialect {
	return dialect{
		random:          "gen_random_uuid()::text",
		findBookkeeping: `SELECT count(*) FROM pg_catalog.pg_class WHERE oid = to_regclass('sallyport_migrations')`,
	}
}
