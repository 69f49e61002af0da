package web

import (
	"net/http"
	"time"

	"sallyport/internal/account"
	"sallyport/internal/locale"
)

// momentOf is when something was, if it was.
type momentOf struct{ at time.Time }

func (m momentOf) line(l *locale.Language, key string) []string {
	if m.at.IsZero() {
		return nil
	}
	return []string{l.Text(key, "when", l.Moment(m.at))}
}

// warnings are what keeps the account from being safe, and its person from getting
// in when something is lost.
func (h *waysOf) warnings(l *locale.Language) []warning {
	second := h.factors.Passkeys+h.factors.Authenticators > 0
	switch codes := h.factors.RecoveryCodes; {
	case !second && h.needed:
		return []warning{{"no_second", l.Text("security.warn.needed")}}
	case !second:
		return []warning{{"no_second", l.Text("account.no_second")}}
	case codes == 0:
		return []warning{{"no_codes", l.Text("security.warn.no_codes")}}
	case codes <= account.FewRecoveryCodes:
		return []warning{{"few_codes", l.Text("security.warn.few_codes", "n", codes)}}
	}
	return nil
}

// ways are the cards, in this order. One whose page is not here is left out.
func (s *site) ways(l *locale.Language, h waysOf) []way {
	var passkeyUsed, appUsed momentOf
	for _, c := range h.passkeys {
		passkeyUsed.later(c.LastUsed)
	}
	for _, a := range h.authenticators {
		appUsed.later(a.LastUsed)
	}
	passkeys := counted(l, "security.passkeys.count", h.factors.Passkeys)
	apps := counted(l, "security.authenticator.count", h.factors.Authenticators)
	codes := counted(l, "security.codes.count", h.factors.RecoveryCodes)
	linked := counted(l, "security.linked.count", h.factors.Identities)
	password := []string{l.Text("security.password.set")}
	if h.user.PasswordHash == "" {
		password = nil
	}
	var addresses []string
	if h.user.Email != "" {
		addresses = []string{legible(h.user.Email)}
	}
	var list []way
	for _, c := range []struct {
		id, path, heading, none, action string
		lines                           []string
	}{
		{"passkeys", securityPath + "/passkeys", "security.passkeys", "security.passkeys.none", "security.manage", append(passkeys, passkeyUsed.line(l, "security.used")...)},
		{"authenticator", authenticatorPath, "security.authenticator", "security.authenticator.none", "security.manage", append(apps, appUsed.line(l, "security.used")...)},
		{"recovery_codes", recoveryCodesPath, "security.codes", "security.codes.none", "security.manage", append(codes, h.codes.line(l, "security.made")...)},
		{"password", passwordPath, "security.password", "security.password.none", "security.change", append(password, h.password.line(l, "security.changed")...)},
		{"linked", accountPath + "/linked", "security.linked", "security.linked.none", "security.manage", linked},
		{"addresses", accountPath + "/addresses", "security.addresses", "security.addresses.none", "security.manage", addresses},
	} {
		if e := s.endpoints[s.prefix+c.path]; e == nil || e.methods[http.MethodGet] == nil {
			continue
		}
		one := way{ID: c.id, Heading: l.Text(c.heading), Lines: c.lines, Address: s.prefix + c.path, Action: l.Text(c.action)}
		if len(c.lines) == 0 {
			one.None, one.Lines = true, []string{l.Text(c.none)}
			one.Action = l.Text("security.set_up")
		}
		one.Name = l.Text("security.of", "action", one.Action, "way", one.Heading)
		list = append(list, one)
	}
	return list
}

func (m *momentOf) later(t time.Time) {
	if t.After(m.at) {
		m.at = t
	}
}

func counted(l *locale.Language, key string, n int) []string {
	if n == 0 {
		return nil
	}
	return []string{l.Text(key, "n", n)}
}
