package token

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"sallyport/internal/secret"
	"sallyport/internal/token/jose"
)

// AccessReader opens access tokens in the forms that our own nodes accept:
// sealed and JWT. Nested ones are for their API alone. Safe for concurrent use.
type AccessReader struct {
	ring  *Ring
	jwts  *jose.Verifier
	now   func() time.Time
	known jwtCache
}

// NewAccessReader returns a reader of the tokens that issuer made with ring.
func NewAccessReader(ring *Ring, issuer string, now func() time.Time) (*AccessReader, error) {
	jwts, err := jose.NewVerifier(jose.Profile{
		Purpose: "access token", Types: []string{TypeAccess}, Algorithms: []jose.Algorithm{jose.ES256},
		Keys: ring.KeySource(SignAccess), Issuer: jose.Exactly(issuer),
		Audience: jose.Any(), // which one depends on the call; the caller checks
		MaxLife:  MaxAccessLifetime,
		Require:  []string{"sub", "client_id", "jti"}, Now: now,
	})
	if err != nil {
		return nil, fmt.Errorf("read access tokens: %w", err)
	}
	return &AccessReader{ring: ring, jwts: jwts, now: now}, nil
}

// LooksLikeJWT reports whether an access token is in the JWT form rather than
// sealed. It decides nothing but who looks at it.
func LooksLikeJWT(tok string) bool {
	return !strings.HasPrefix(tok, string(secret.AccessToken)) && strings.Count(tok, ".") == 2
}

// Open fills a from an access token of either form and says which it was. An
// error matches ErrInvalid, and jose.ReasonOf says more of a JWT, or it matches
// jose.ErrKeysUnavailable; a is then in no useful state. Like OpenAccess it
// judges form and key: audience, scope, binding and revocation are the caller's,
// and so is expiry, though a JWT that has ended is refused here already. A JWT
// says no tier: the caller knows its APIs, and a has the highest.
func (r *AccessReader) Open(ctx context.Context, tok string, a *Access) (Format, error) {
	if !LooksLikeJWT(tok) {
		return FormatSealed, r.ring.OpenAccess(tok, a)
	}
	id, now, drops := sha256.Sum256([]byte(tok)), r.now().Unix(), r.ring.Drops()
	if r.known.get(&id, now, drops, a) {
		return FormatJWT, nil
	}
	err := r.verify(ctx, tok, a)
	if err == nil {
		r.known.put(&id, now, drops, a)
	}
	return FormatJWT, err
}

func (r *AccessReader) verify(ctx context.Context, tok string, a *Access) error {
	c, err := r.jwts.Verify(ctx, tok)
	if errors.Is(err, jose.ErrKeysUnavailable) {
		return err
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	*a = Access{Tier: TierHigh, Subject: c.Subject, IssuedAt: c.IssuedAt, Lifetime: c.ExpiresAt - c.IssuedAt}
	if err := a.setClaims(c); err != nil {
		return ErrInvalid
	}
	if userID, pairwise := r.ring.Person(a.Subject); pairwise { // what the client may read of it, and we need not
		a.Subject = userID
	}
	return nil
}

// setClaims reads what appendClaims writes. The signature is ours, so anything
// else means that another program signs with our key.
func (a *Access) setClaims(c *jose.Claims) error {
	if err := a.setTokenID(c.ID); err != nil {
		return err
	}
	for _, audience := range c.Audience {
		if strings.ContainsRune(audience, ' ') {
			return ErrInvalid
		}
	}
	a.Audience = strings.Join(c.Audience, " ")
	if c.IssuedAt == 0 || a.Audience == "" {
		return ErrInvalid
	}
	for _, text := range []struct {
		to   *string
		name string
	}{{&a.ClientID, "client_id"}, {&a.Scope, "scope"}, {&a.ACR, "acr"}} {
		var err error
		if *text.to, err = c.String(text.name); err != nil {
			return err
		}
	}
	var err error
	if a.AuthTime, err = c.Int("auth_time"); err != nil {
		return err
	}
	amr, err := c.Strings("amr")
	if err != nil {
		return err
	}
	a.AMR = strings.Join(amr, " ")
	if a.AuthTime < 0 || a.AuthTime > a.IssuedAt+60 {
		return ErrInvalid
	}
	a.Details, a.Actor = string(c.Raw("authorization_details")), string(c.Raw("act"))
	if a.Scope == "" && a.Details == "" || !a.wellFormed() { // it allows nothing
		return ErrInvalid
	}
	return a.setConfirmation(c.Raw("cnf"))
}

// setConfirmation reads cnf (RFC 7800 §3.1). A token that is bound by a method
// which we do not know, or by two, is bound by none that we could check.
func (a *Access) setConfirmation(cnf []byte) error {
	if cnf == nil {
		return nil
	}
	err := jose.ScanObject(cnf, func(name string, value []byte) error {
		text := strings.Trim(string(value), `"`)
		digest, err := base64.RawURLEncoding.Strict().DecodeString(text)
		if a.Confirm.Method != ConfirmNone || err != nil || len(digest) != len(a.Confirm.Digest) || len(value) != len(text)+2 {
			return ErrInvalid
		}
		for method, known := range confirmationNames {
			if known == name {
				a.Confirm.Method = method
			}
		}
		if a.Confirm.Method == ConfirmNone {
			return ErrInvalid
		}
		copy(a.Confirm.Digest[:], digest)
		return nil
	})
	if err != nil || a.Confirm.Method == ConfirmNone {
		return ErrInvalid
	}
	return nil
}
