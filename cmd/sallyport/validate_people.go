package main

import (
	"fmt"
	"strings"
	"time"

	"sallyport/internal/account"
)

// maxSessionsMax bounds people.sessions_max.
const maxSessionsMax = 1000

// checkPeople judges how people may stay signed in.
func checkPeople(j *judge) {
	if n := j.c.People.SessionsMax; n < 1 || n > maxSessionsMax {
		j.failf("people.sessions_max", "%d is not between 1 and %d", n, maxSessionsMax)
	}
	if _, err := j.c.places(); err != nil {
		j.failf("people.places_file", "%s", strings.TrimPrefix(err.Error(), "people.places_file: "))
	}
	checkPeopleMail(j)
}

// checkPeopleMail judges what people get by mail.
func checkPeopleMail(j *judge) {
	p := &j.c.People
	if !j.c.Mail.sends() && !j.c.unclear("mail") {
		if p.EmailSignIn == "on" {
			j.failf("people.email_sign_in", "needs mail.server")
		}
		if p.SignUp != "off" {
			j.failf("people.sign_up", "needs mail.server: every address is made sure of")
		}
	}
	if (p.SignUp == "domains") != (len(p.SignUpDomains) > 0) {
		j.failf("people.sign_up_domains", "belongs to people.sign_up: domains, and each needs the other")
	}
	for i, d := range p.SignUpDomains {
		if _, err := account.FoldAddress("a@" + d); err != nil || !strings.Contains(d, ".") {
			j.failf(fmt.Sprintf("people.sign_up_domains[%d]", i), "%q is not a domain like example.com", d)
		}
	}
	if w := p.RecoveryWait.std(); w < time.Hour || w > 30*24*time.Hour {
		j.failf("people.recovery_wait", "%s is not between 1h and 720h", w)
	}
}
