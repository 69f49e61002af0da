package oauth

import (
	"context"
	"strconv"

	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// TokenResponse is a successful answer of the token endpoint (RFC 6749 §5.1).
type TokenResponse struct {
	AccessToken      secret.Value
	TokenType        string // Bearer or DPoP
	ExpiresInSeconds int64
	Scope            string
	Details          string       // authorization_details of the access token, a JSON array; or empty
	RefreshToken     secret.Value // zero: none
	IDToken          secret.Value // zero: none
	IssuedTokenType  string       // of a token exchange, RFC 8693 §2.2.1; or empty
	Nonce            string       // for DPoP-Nonce: the client's next proofs should have it; or empty
}

// AppendJSON appends the body of the response to dst.
func (t *TokenResponse) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"access_token":`...)
	dst = token.AppendJSONString(dst, t.AccessToken.Reveal())
	dst = append(dst, `,"token_type":"`...)
	dst = append(dst, t.TokenType...)
	dst = append(dst, `","expires_in":`...)
	dst = strconv.AppendInt(dst, t.ExpiresInSeconds, 10)
	dst = append(dst, `,"scope":`...)
	dst = token.AppendJSONString(dst, t.Scope)
	if t.Details != "" { // RFC 9396 §7
		dst = append(append(dst, `,"authorization_details":`...), t.Details...)
	}
	if !t.RefreshToken.IsZero() {
		dst = append(dst, `,"refresh_token":`...)
		dst = token.AppendJSONString(dst, t.RefreshToken.Reveal())
	}
	if !t.IDToken.IsZero() {
		dst = append(dst, `,"id_token":`...)
		dst = token.AppendJSONString(dst, t.IDToken.Reveal())
	}
	if t.IssuedTokenType != "" {
		dst = append(append(append(dst, `,"issued_token_type":"`...), t.IssuedTokenType...), '"')
	}
	return append(dst, '}')
}

// Token answers the token endpoint: find the grant type, authenticate the
// client, check that it may use it, exchange. The proof of a key is judged when
// what is presented has been found right, and spent last. Nothing is written
// before all checks have passed, so a stranger's request neither spends nor
// revokes.
func (s *Service) Token(ctx context.Context, r Request) (*TokenResponse, error) {
	name := r.param("grant_type")
	if name == "" {
		return nil, fail(InvalidRequest, "grant_type is missing")
	}
	client, err := s.callerOf(ctx, name, r)
	if err != nil {
		return nil, err
	}
	for i := range grantTypes {
		if grantTypes[i].name != name {
			continue
		}
		if !client.mayUse(&grantTypes[i]) {
			return nil, fail(UnauthorizedClient, "this client may not use "+name)
		}
		res, err := grantTypes[i].exchange(s, ctx, client, r)
		if err != nil {
			return nil, err
		}
		return res, s.used(ctx, client)
	}
	if instead, ok := refusedGrants[name]; ok {
		return nil, fail(UnsupportedGrantType, instead)
	}
	return nil, fail(UnsupportedGrantType, "unknown grant_type")
}
