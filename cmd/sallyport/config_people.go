package main

import "sallyport/internal/token"

// peopleConfig is how people sign in.
type peopleConfig struct {
	SessionTier  string `yaml:"session_tier" default:"standard" enum:"low,standard,high" example:"standard" doc:"Whose limits the sessions of people have: low 30 days, standard an hour unused and a day in all, high 15 minutes unused and 12 hours in all. An app that asks for an API of a higher tier gets a sign-in within the limits of that."`
	SecondFactor string `yaml:"second_factor" default:"offered" enum:"offered,required" example:"required" doc:"Whether people must sign in with two factors to use any app. Those who have set one up are always asked for it; tier high and acr ask for it anyway."`
	SessionsMax  int    `yaml:"sessions_max" default:"20" example:"20" doc:"In how many browsers a person may be signed in at once, 1 to 1000. The one unused for longest ends; apps stay connected."`

	BreachedPasswordsFile string `yaml:"breached_passwords_file" example:"breached.filter" doc:"A filter of passwords that have leaked, made by sallyport user passwords build-filter, besides the one that is built in. Nobody can choose a password that is in it."`

	Theme themeConfig `yaml:"theme" doc:"How the pages look: six values, each of which may be left out. The address of the server stays beside the name: it is what people can trust."`
}

// themeConfig is how the pages look.
type themeConfig struct {
	Name       string `yaml:"name" example:"Example Bank" doc:"Who runs the service, at most 40 characters."`
	LogoFile   string `yaml:"logo_file" example:"logo.svg" doc:"A logo, SVG or PNG, at most 64 kB. It is cleaned: a picture that runs, loads or moves anything is refused. It is shown 28 px high on both papers."`
	Accent     string `yaml:"accent" example:"#0b57d0" doc:"Links and buttons by day, #rrggbb. It must have a contrast of 4.5:1 with white and with paper."`
	AccentDark string `yaml:"accent_dark" example:"#a8c7fa" doc:"Links and buttons at night."`
	Paper      string `yaml:"paper" example:"#f8fafd" doc:"Behind everything by day. Text must have a contrast of 4.5:1 with it."`
	PaperDark  string `yaml:"paper_dark" example:"#101418" doc:"Behind everything at night."`
}

// minACR is the weakest sign-in that gets a person into an app; empty: any.
func (p *peopleConfig) minACR() string {
	if p.SecondFactor == "required" {
		return token.ACRMFA
	}
	return ""
}

// sessionTier is valid after the configuration has been read.
func (p *peopleConfig) sessionTier() token.Tier {
	var t token.Tier
	if t.UnmarshalText([]byte(p.SessionTier)) != nil {
		return token.TierHigh
	}
	return t
}
