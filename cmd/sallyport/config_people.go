package main

import (
	"strings"

	"sallyport/internal/account"
	"sallyport/internal/token"
)

// peopleConfig is how people sign in.
type peopleConfig struct {
	SessionTier  string `yaml:"session_tier" default:"standard" enum:"low,standard,high" example:"standard" doc:"Whose limits the sessions of people have: low 30 days, standard an hour unused and a day in all, high 15 minutes unused and 12 hours in all. An app that asks for an API of a higher tier gets a sign-in within the limits of that."`
	SecondFactor string `yaml:"second_factor" default:"offered" enum:"offered,required" example:"required" doc:"Whether people must sign in with two factors to use any app. Those who have set one up are always asked for it; tier high and acr ask for it anyway."`
	SessionsMax  int    `yaml:"sessions_max" default:"20" example:"20" doc:"In how many browsers a person may be signed in at once, 1 to 1000. The one unused for longest ends; apps stay connected."`

	EmailSignIn   string   `yaml:"email_sign_in" default:"off" enum:"off,on" example:"on" doc:"Whether people may sign in with a code that is mailed to them, instead of a password. It is no second factor: who has one is asked for it. It needs mail."`
	SignUp        string   `yaml:"sign_up" default:"off" enum:"off,invitation,domains,open" example:"invitation" doc:"Who may open an account by themselves: nobody, who has an invitation (sallyport user invite), also who has an address of people.sign_up_domains, or everybody. The address is always made sure of. It needs mail."`
	SignUpDomains []string `yaml:"sign_up_domains" example:"[example.com]" doc:"Domains of addresses that may sign up, each exact, with sign_up: domains."`
	RecoveryWait  duration `yaml:"recovery_wait" default:"24h" example:"24h" doc:"How long who has lost the password waits, and can prove nothing but that mail reaches them. All their addresses are told, with a link that stops it. One hour to 30 days."`

	BreachedPasswordsFile string `yaml:"breached_passwords_file" example:"breached.filter" doc:"A filter of passwords that have leaked, made by sallyport user passwords build-filter, besides the one that is built in. Nobody can choose a password that is in it."`

	PlacesFile string `yaml:"places_file" file:"policy" example:"places.csv" doc:"A table of where addresses are, CSV without a header: NETWORK,PLACE or FIRST,LAST,PLACE. People see the place beside a session and in letters; nothing is decided by it. It is read at the start."`

	Theme themeConfig `yaml:"theme" doc:"How the pages look: six values, each of which may be left out. The address of the server stays beside the name: it is what people can trust."`
}

// themeConfig is how the pages look.
type themeConfig struct {
	Name       string `yaml:"name" example:"Example Bank" doc:"Who runs the service, at most 40 characters."`
	LogoFile   string `yaml:"logo_file" file:"policy" example:"logo.svg" doc:"A logo, SVG or PNG, at most 64 kB. It is cleaned: a picture that runs, loads or moves anything is refused. It is shown 28 px high on both papers."`
	Accent     string `yaml:"accent" example:"#0b57d0" doc:"Links and buttons by day, #rrggbb. It must have a contrast of 4.5:1 with white and with paper."`
	AccentDark string `yaml:"accent_dark" example:"#a8c7fa" doc:"Links and buttons at night."`
	Paper      string `yaml:"paper" example:"#f8fafd" doc:"Behind everything by day. Text must have a contrast of 4.5:1 with it."`
	PaperDark  string `yaml:"paper_dark" example:"#101418" doc:"Behind everything at night."`
}

// letters fills in what of the options is about mail.
func (c *config) letters(o account.Options) account.Options {
	o.Mail, o.Issuer, o.MailSignIn = c.Mail.sends(), c.Issuer, c.People.EmailSignIn == "on"
	if c.People.SignUp != "off" {
		o.SignUp = account.SignUp(c.People.SignUp)
	}
	for _, d := range c.People.SignUpDomains {
		o.SignUpDomains = append(o.SignUpDomains, strings.ToLower(d))
	}
	o.RecoveryWait = c.People.RecoveryWait.std()
	return o
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
