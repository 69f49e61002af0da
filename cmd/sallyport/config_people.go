package main

import "sallyport/internal/token"

// peopleConfig is how people sign in.
type peopleConfig struct {
	SessionTier string `yaml:"session_tier" default:"standard" enum:"low,standard,high" example:"standard" doc:"Whose limits the sessions of people have: low 30 days, standard an hour unused and a day in all, high 15 minutes unused and 12 hours in all."`
}

// sessionTier is valid after the configuration has been read.
func (p *peopleConfig) sessionTier() token.Tier {
	var t token.Tier
	if t.UnmarshalText([]byte(p.SessionTier)) != nil {
		return token.TierHigh
	}
	return t
}
