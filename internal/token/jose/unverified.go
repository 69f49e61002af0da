package jose

// Unverified is what a token says of itself before anybody has verified it:
// anybody may have written it. It is for finding whose keys to verify it with,
// and for nothing else.
type Unverified struct {
	Issuer  string // "" if it has none
	Subject string // "" if it has none
}

// ReadUnverified reads who a compact JWS claims to be from, by the strict
// profile of this package and without its signature. The error matches
// ErrInvalid.
func ReadUnverified(compact string) (Unverified, error) {
	s, err := split(compact)
	if err != nil {
		return Unverified{}, err
	}
	c, err := parseClaims(s.payload)
	if err != nil {
		return Unverified{}, err
	}
	return Unverified{c.Issuer, c.Subject}, nil
}
