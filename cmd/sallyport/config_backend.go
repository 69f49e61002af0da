package main

import "sallyport/internal/gateway"

// apiBackend is what the backend of an API is told, and how.
type apiBackend struct{}

func (a *apiBackend) gateway() gateway.Backend { return gateway.Backend{} }
