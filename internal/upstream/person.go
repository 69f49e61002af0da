package upstream

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// openIDPerson is who an ID token is about. What it lacks of an address, the userinfo
// endpoint may say (OpenID Connect Core §5.3).
func (p *provider) openIDPerson(ctx context.Context, m *metadata, got tokens, sent away) (Person, error) {
	c, err := p.verifyID(ctx, m, got, sent)
	if err != nil {
		return Person{}, err
	}
	who := Person{Provider: p.Name, Issuer: c.Issuer, Subject: c.Subject, MultiFactor: p.multiFactor(c)}
	if who.SID, err = c.String("sid"); err != nil || len(who.SID) > maxIdentity {
		return Person{}, refuse("id_token_sid")
	}
	claims, err := parseMembers(c.JSON())
	if err != nil {
		return Person{}, refuse("id_token_claims")
	}
	p.describe(&who, claims)
	if who.Email == "" && m.userinfo != "" && p.has("email") {
		more, err := p.userinfo(ctx, m, got, c.Subject)
		if err != nil {
			return Person{}, err
		}
		p.describe(&who, more)
	}
	return who, nil
}

// userinfo must be about the same person as the ID token (OpenID Connect Core §5.3.2).
func (p *provider) userinfo(ctx context.Context, m *metadata, got tokens, subject string) (members, error) {
	body, err := p.get(ctx, m.userinfo, got.access, "userinfo")
	if err != nil {
		return nil, err
	}
	return parseUserinfo(body, subject)
}

func parseUserinfo(body []byte, subject string) (members, error) {
	claims, err := parseMembers(body)
	if err != nil {
		return nil, refuse("userinfo_form")
	}
	if sub, err := claims.text("sub"); err != nil || sub != subject {
		return nil, refuse("userinfo_sub")
	}
	return claims, nil
}

// describe takes over what is for showing. A claim that is not what it should be is as
// good as none.
func (p *provider) describe(who *Person, claims members) {
	take := func(into *string, name string) {
		if s, err := claims.text(name); *into == "" && err == nil {
			*into = showable(s)
		}
	}
	take(&who.Name, "name")
	take(&who.Login, "preferred_username")
	if email, err := claims.text("email"); err == nil && isAddress(email) {
		who.Email = email
		who.EmailVerified = p.believes(email) && p.isTrue(claims[kinds[p.Kind].verified])
	}
}

// isTrue reads a boolean. A string is none: "false" would be true to a careless reader
// (GW12). One kind of provider says that it writes strings.
func (p *provider) isTrue(raw json.RawMessage) bool {
	switch string(raw) {
	case `true`:
		return true
	case `"true"`:
		return kinds[p.Kind].words
	case `1`, `"1"`: // how Microsoft writes xms_edov
		return p.Kind == Microsoft
	}
	return false
}

// believes reports whether the provider's word counts for the domain of an address.
func (p *provider) believes(email string) bool {
	_, domain, _ := strings.Cut(email, "@")
	return slices.Contains(p.EmailDomains, strings.ToLower(domain)) || slices.Contains(p.EmailDomains, "*")
}

const (
	maxShown = 200
	maxEmail = 254
)

// isAddress is strict: one @, and nothing that another reader could take for the end of
// the address.
func isAddress(s string) bool {
	local, domain, found := strings.Cut(s, "@")
	return found && local != "" && strings.Contains(domain, ".") && len(s) <= maxEmail && utf8.ValidString(s) &&
		!strings.ContainsFunc(domain, func(r rune) bool {
			return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-')
		}) &&
		!strings.ContainsFunc(local, func(r rune) bool {
			return r <= ' ' || r == 0x7f || strings.ContainsRune(`"(),:;<>@[\]`, r) || !unicode.IsPrint(r)
		})
}

// showable makes a text of a stranger fit for a page.
func showable(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, s)
	if runes := []rune(s); len(runes) > maxShown {
		s = string(runes[:maxShown])
	}
	return strings.TrimSpace(s)
}
