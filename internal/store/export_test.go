package store

// SetBatch changes how many transitions share a commit on SQLite. Call it
// before the first one.
func SetBatch(s *Store, n int) { s.engine.(*sqliteEngine).group.maxBatch = n }
