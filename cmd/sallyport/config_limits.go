package main

import (
	"fmt"
	"time"

	"sallyport/internal/gateway"
	"sallyport/internal/ratelimit"
)

// gatewayLimits bound how much the gateway takes in as a whole.
type gatewayLimits struct {
	Failures    string   `yaml:"failures_per_address" default:"3000/m burst 1000" example:"600/m" doc:"How many access tokens that are none an address may send before its calls are refused for a while. off where a proxy stands before this server: all calls have its address."`
	Concurrency int      `yaml:"concurrency" default:"10000" example:"2000" doc:"Calls under way at once, without streams, at each node; 0 for any number. More are refused, so that signing in and revoking go on."`
	MaxDelay    duration `yaml:"max_delay" default:"250ms" example:"100ms" doc:"How long work may wait for a processor before calls are refused, some connections at a time, until it waits less: 10ms to 10s, or 0s for never."`
}

// limitsConfig bound how much may be asked of an API, or of an operation beside
// that. Defaults are those of an API.
type limitsConfig struct {
	PerUser    string `yaml:"per_user" example:"600/m burst 100" doc:"Of a person, with whatever tokens and apps; of a service that acts for itself. Without it, of an API 6000/m. off for no limit."`
	PerClient  string `yaml:"per_client" example:"5000/s" doc:"Of all people with one app."`
	PerInstall string `yaml:"per_install" example:"300/m" doc:"Of one installation of an app, where its attestation says which it is."`
	PerAddress string `yaml:"per_address" example:"6000/m" doc:"Of an IPv4 address or IPv6 /64, by each node for itself."`
	Total      string `yaml:"total" example:"10000/s" doc:"Of everybody."`

	Concurrency int `yaml:"concurrency" example:"200" doc:"Calls under way at once at each node, without streams. Without it, any number."`
}

// apiLimits bound how much may be asked of an API.
type apiLimits struct {
	Limits apiLimitsConfig `yaml:"limits" doc:"How much may be asked of the API: docs/reference/limits.md. A rate is written 600/m or 10/s burst 50, per s, m, h or d."`
}

type apiLimitsConfig struct {
	limitsConfig
	ConcurrencyPerUser int `yaml:"concurrency_per_user" default:"200" example:"20" doc:"Calls of one person under way at once at each node, without streams; 0 for any number."`
	StreamsPerUser     int `yaml:"streams_per_user" default:"100" example:"10" doc:"Event streams and upgraded connections of one person at each node; 0 for any number."`
}

// operationLimits bound how much may be asked of an operation.
type operationLimits struct {
	Limits limitsConfig `yaml:"limits" doc:"How much may be asked of this operation, beside the limits of the API."`
}

// defaultPerUser is more than any app asks for and less than a script takes.
const defaultPerUser = "6000/m"

// rates are the rates of l by their setting.
func (l *limitsConfig) rates() map[string]string {
	return map[string]string{"per_user": l.PerUser, "per_client": l.PerClient, "per_install": l.PerInstall, "per_address": l.PerAddress, "total": l.Total}
}

// gateway is valid after the configuration was checked.
func (l *limitsConfig) gateway() gateway.Limits {
	return gateway.Limits{
		PerUser: rateOf(l.PerUser), PerClient: rateOf(l.PerClient), PerInstall: rateOf(l.PerInstall), PerAddress: rateOf(l.PerAddress), Total: rateOf(l.Total),
		Concurrency: l.Concurrency,
	}
}

// rateOf is the smallest rate there is for what is none: it was refused before.
func rateOf(s string) ratelimit.Rate {
	r, err := ratelimit.ParseRate(s)
	if err != nil {
		return ratelimit.Rate{Count: 1, Per: 24 * time.Hour, Burst: 1}
	}
	return r
}

func (a *apiLimits) gateway() gateway.Limits {
	l := a.Limits.limitsConfig
	if l.PerUser == "" {
		l.PerUser = defaultPerUser
	}
	g := l.gateway()
	g.ConcurrencyPerUser, g.StreamsPerUser = a.Limits.ConcurrencyPerUser, a.Limits.StreamsPerUser
	return g
}

func (o *operationLimits) gateway() gateway.Limits { return o.Limits.gateway() }

// checkLimits reads all rates as the gateway does.
func checkLimits(j *judge) {
	check := func(at string, l *limitsConfig) {
		for _, name := range sortedKeys(l.rates()) {
			if _, err := ratelimit.ParseRate(l.rates()[name]); err != nil {
				j.failf(at+"."+name, "%v", err)
			}
		}
		if l.Concurrency < 0 {
			j.failf(at+".concurrency", "is negative")
		}
	}
	if _, err := ratelimit.ParseRate(j.c.Gateway.Failures); err != nil {
		j.failf("gateway.failures_per_address", "%v", err)
	}
	if j.c.Gateway.Concurrency < 0 {
		j.failf("gateway.concurrency", "is negative")
	}
	if d := j.c.Gateway.MaxDelay.std(); d != 0 && (d < 10*time.Millisecond || d > 10*time.Second) {
		j.failf("gateway.max_delay", "%s is not between 10ms and 10s", d)
	}
	for i := range j.c.APIs {
		a, at := &j.c.APIs[i], fmt.Sprintf("apis[%d].limits", i)
		check(at, &a.Limits.limitsConfig)
		if a.Limits.ConcurrencyPerUser < 0 || a.Limits.StreamsPerUser < 0 {
			j.failf(at, "a negative number of calls or streams allows nothing: 0 is any number")
		}
		for k := range a.Operations {
			check(fmt.Sprintf("apis[%d].operations[%d].limits", i, k), &a.Operations[k].Limits)
		}
	}
}
