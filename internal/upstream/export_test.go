package upstream

// ParseAll reads bytes of a stranger with every reader of this package.
func ParseAll(b []byte) (issuer, subject, email string) {
	if m, err := parseMetadata(b); err == nil {
		issuer = m.issuer
	}
	if m, err := parseMembers(b); err == nil {
		_, _ = parseTokens(m, true)
	}
	_, _ = parseUserinfo(b, "u-1")
	_ = isLogoutEvent(b)
	if who, err := parseGitHubUser(b); err == nil {
		subject = who.Subject
	}
	email, _, _ = parseGitHubEmails(b)
	return issuer, subject, email
}

// IsAddress is isAddress.
func IsAddress(s string) bool { return isAddress(s) }
