package main

import (
	"time"

	"sallyport/internal/oauth"
	"sallyport/internal/token"
)

// signalsConfig is about receivers of security events.
type signalsConfig struct {
	Enabled bool     `yaml:"enabled" example:"true" doc:"Let clients with the scope ssf.manage make a stream of security events and receive them (Shared Signals)."`
	Keep    duration `yaml:"keep" default:"168h" example:"72h" doc:"How long an event waits for its receiver: 1h to 168h. After that it is gone, and the receiver is told that some are."`
}

func checkSignals(j *judge) {
	s := &j.c.Signals
	if d := s.Keep.std(); d < time.Hour || d > token.EventLifetime {
		j.failf("signals.keep", "%s is not between 1h and %s", d, hours(token.EventLifetime))
	}
}

// signalsScopeProblem says why a client cannot have a scope of receivers.
func (c *config) signalsScopeProblem(client oauth.Client) string {
	switch {
	case client.Type != oauth.ServiceClient:
		return "ssf.read and ssf.manage are for service clients: no person can grant them"
	case !c.Signals.Enabled && !c.unclear("signals"):
		return "ssf.read and ssf.manage need signals.enabled: true"
	}
	return ""
}
