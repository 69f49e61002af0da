package main

import "sallyport/internal/token"

// peopleConfig is how people sign in.
type peopleConfig struct {
	SessionTier           string `yaml:"session_tier" default:"standard" enum:"low,standard,high" example:"standard" doc:"Whose limits the sessions of people have: low 30 days, standard an hour unused and a day in all, high 15 minutes unused and 12 hours in all."`
	BreachedPasswordsFile string `yaml:"breached_passwords_file" example:"breached.filter" doc:"A filter of passwords that have leaked, made by sallyport user passwords build-filter, besides the one that is built in. Nobody can choose a password that is in it."`
}

// sessionTier is valid after the configuration has been read.
func (p *peopleConfig) sessionTier() token.Tier {
	var t token.Tier
	if t.UnmarshalText([]byte(p.SessionTier)) != nil {
		return token.TierHigh
	}
	return t
}
