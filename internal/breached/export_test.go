package breached

// Split makes a builder write as many shards as for a long list.
func (b *Builder) Split() { b.single = 0 }
