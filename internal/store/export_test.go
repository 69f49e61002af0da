package store

import "context"

// SetBatch changes how many transitions share a commit on SQLite. Call it
// before the first one.
func SetBatch(s *Store, n int) { s.engine.(*sqliteEngine).group.maxBatch = n }

// Texts reads one column of texts.
func Texts(ctx context.Context, s *Store, q string, args ...any) (list []string, err error) {
	err = s.write(ctx, "read texts", func(ctx context.Context, t *tx) error {
		list, err = t.texts(ctx, q, args...)
		return err
	})
	return list, err
}

// Exec runs one statement.
func Exec(ctx context.Context, s *Store, q string, args ...any) error {
	return s.write(ctx, "run", func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, q, args...)
		return err
	})
}

// Exported are the tables that Export reads, but for users.
func Exported() (tables []string) {
	for _, x := range exported {
		tables = append(tables, x.table)
	}
	return tables
}
