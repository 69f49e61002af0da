package oauth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"time"

	"sallyport/internal/secret"
	"sallyport/internal/token"
	"sallyport/internal/token/jose"
)

// accessAt makes an access token for a grant of c, for what it is aimed at.
func (s *Service) accessAt(ctx context.Context, c *Client, g *Grant, to aim, confirm token.Confirmation, now time.Time) (*TokenResponse, error) {
	if err := s.needFresh(to.tier); err != nil {
		return nil, err
	}
	life := min(c.lives(to.tier).access(to.lifetime), g.AbsoluteUntil.Sub(now))
	if to.audience == "" || life < time.Second {
		return nil, fail(InvalidScope, "scope names no API that the client may still use")
	}
	a := token.Access{
		GrantID: g.ID, Serial: secret.NewID(now), ClientID: g.ClientID, Subject: g.UserID,
		Audience: to.audience, Scope: to.scope, IssuedAt: now.Unix(), Lifetime: seconds(life),
		AuthTime: g.AuthTime.Unix(), ACR: g.ACR, AMR: g.AMR, Tier: to.tier, Confirm: confirm, Details: to.details,
	}
	return s.respond(ctx, &a, to.reach)
}

// idTokenLife is short: an ID token says that somebody signed in, once.
const idTokenLife = 5 * time.Minute

// idToken makes the ID token of a grant (OpenID Connect Core §2, §3.1.3.6):
// signed, and then encrypted for a client that wants that (§10.2). It says what
// names nobody but sub, and of the person what the request has asked to find in
// it by name (§5.5).
func (s *Service) idToken(ctx context.Context, c *Client, g *Grant, access secret.Value, now time.Time) (secret.Value, error) {
	sum := sha256.Sum256([]byte(access.Reveal()))
	b := make([]byte, 0, 512)
	b = append(b, `{"iss":`...)
	b = token.AppendJSONString(b, s.issuer)
	b = append(b, `,"sub":`...)
	b = token.AppendJSONString(b, s.subjectFor(c, g.UserID))
	b = append(b, `,"aud":`...)
	b = token.AppendJSONString(b, g.ClientID)
	b = appendInt(b, `,"iat":`, now.Unix())
	b = appendInt(b, `,"exp":`, now.Add(idTokenLife).Unix())
	b = appendInt(b, `,"auth_time":`, g.AuthTime.Unix())
	if g.Nonce != "" {
		b = append(b, `,"nonce":`...)
		b = token.AppendJSONString(b, g.Nonce)
	}
	if g.ACR != "" {
		b = append(b, `,"acr":`...)
		b = token.AppendJSONString(b, g.ACR)
	}
	b = append(b, `,"amr":`...)
	b = appendJSONList(b, g.AMR)
	b = append(b, `,"sid":`...)
	b = token.AppendJSONString(b, s.sidFor(c, g.SID))
	b = append(b, `,"at_hash":"`...)
	b = base64.RawURLEncoding.AppendEncode(b, sum[:len(sum)/2])
	b = append(b, '"')
	if asked := g.Terms.askedClaims(inIDToken); len(asked) > 0 {
		u, err := s.users.User(ctx, g.UserID)
		if err != nil {
			return secret.Value{}, unavailable("find user", err)
		}
		b = appendPerson(b, &u, func(claim, scope string) bool { return slices.Contains(asked, claim) && contains(c.Scope, scope) })
	}
	b = append(b, '}')
	signer, err := s.clientSigner(c.Settings.IDTokenSig)
	if err != nil {
		return secret.Value{}, err
	}
	jwt, err := signer.Sign(token.TypeID, b)
	if err != nil {
		return secret.Value{}, unavailable("sign ID token", err)
	}
	return s.encryptFor(ctx, c, c.Settings.IDTokenAlg, c.Settings.IDTokenEnc, secret.New(jwt), "ID token")
}

// clientSigner returns the key that signs what a client reads: ID tokens,
// userinfo, authorization responses, introspection answers, logout tokens. alg is
// what the client is registered with for it; empty is ES256.
func (s *Service) clientSigner(alg jose.Algorithm) (*token.Signer, error) {
	switch alg {
	case "", jose.ES256:
		return s.ring.Signer(token.SignIDToken), nil
	case jose.RS256:
		return s.ring.Signer(token.SignIDTokenRSA), nil
	}
	return nil, fmt.Errorf("sign for a client: there is no key for %s", alg)
}

func appendInt(b []byte, name string, n int64) []byte {
	return strconv.AppendInt(append(b, name...), n, 10)
}

// appendJSONList appends the members of a space-separated list as an array.
func appendJSONList(b []byte, list string) []byte {
	b = append(b, '[')
	for i, m := range fields(list) {
		if i > 0 {
			b = append(b, ',')
		}
		b = token.AppendJSONString(b, m)
	}
	return append(b, ']')
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }
