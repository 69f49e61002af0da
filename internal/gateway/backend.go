package gateway

// Backend is what an upstream is told, and how. The zero value is the usual one.
type Backend struct{}
