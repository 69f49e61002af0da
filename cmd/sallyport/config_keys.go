package main

import (
	"strings"
	"time"

	"sallyport/internal/token"
)

// keysConfig says how often keys change. The rest of their lives follows from
// what they make (token.Policies).
type keysConfig struct {
	Signing duration `yaml:"signing" default:"720h" example:"720h" doc:"How long a key signs ID tokens, JWT access tokens or inner tokens: 24h to 2160h."`
	Sealing duration `yaml:"sealing" default:"24h" example:"24h" doc:"How long a key seals access tokens, codes and forms: 1h to 168h."`
	Refresh duration `yaml:"refresh" default:"2160h" example:"2160h" doc:"How long a key makes refresh tokens: 24h to 4320h."`
}

// keyLimits bound the settings: a key that makes for longer is a prize, one
// that makes for shorter leaves caches no time.
var keyLimits = []struct {
	group, path string
	least, most time.Duration
	value       func(*keysConfig) time.Duration
}{
	{token.GroupSigning, "keys.signing", 24 * time.Hour, 90 * 24 * time.Hour, func(k *keysConfig) time.Duration { return k.Signing.std() }},
	{token.GroupSealing, "keys.sealing", time.Hour, 7 * 24 * time.Hour, func(k *keysConfig) time.Duration { return k.Sealing.std() }},
	{token.GroupRefresh, "keys.refresh", 24 * time.Hour, 180 * 24 * time.Hour, func(k *keysConfig) time.Duration { return k.Refresh.std() }},
}

func (k *keysConfig) rotate() map[string]time.Duration {
	m := map[string]time.Duration{}
	for _, l := range keyLimits {
		m[l.group] = l.value(k)
	}
	return m
}

func checkKeys(j *judge) {
	for _, l := range keyLimits {
		if d := l.value(&j.c.Keys); d < l.least || d > l.most {
			j.failf(l.path, "%s is not between %s and %s", d, hours(l.least), hours(l.most))
		}
	}
}

// hours is a duration as the settings are written.
func hours(d time.Duration) string { return strings.TrimSuffix(d.String(), "0m0s") }
