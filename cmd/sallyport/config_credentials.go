package main

// apiCredentials are what an API takes besides access tokens.
type apiCredentials struct{}

func (a *apiCredentials) keys() bool { return false }
