package main

import "sallyport/internal/egress"

// injectMore are the credentials that are more than a text that is sent.
type injectMore struct{}

// injectors are those that are set. secret is the name of the secret.
func (i *injectMore) injectors(_ egress.Secrets, _ string) []egress.Injector { return nil }
