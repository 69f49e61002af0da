package jose

// Missing is how many unknown kids are remembered.
func Missing(r *RemoteKeys) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.missing)
}
