package oauth

import (
	"context"

	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// typeIntrospection is the typ of signed introspection answers (RFC 9701 §4).
const typeIntrospection = "token-introspection+jwt"

// IntrospectionAnswer is a signed introspection answer.
type IntrospectionAnswer struct {
	JWT    secret.Value // signed, and encrypted for a caller that is registered so
	Active bool         // what it says of the token
}

// IntrospectSigned is Introspect with the answer as a JWT for the caller alone
// (RFC 9701): whoever keeps it can show later what was answered. Nothing of the
// token stands among the claims of the JWT itself, neither sub nor exp, so that
// nobody takes it for a token (§5, §8.1).
func (s *Service) IntrospectSigned(ctx context.Context, r Request) (IntrospectionAnswer, error) {
	caller, err := s.authenticateConfidential(ctx, r)
	if err != nil {
		return IntrospectionAnswer{}, err
	}
	body, err := s.introspect(ctx, caller, r)
	if err != nil {
		return IntrospectionAnswer{}, err
	}
	b := token.AppendJSONString(append(make([]byte, 0, len(body)+192), `{"iss":`...), s.issuer)
	b = token.AppendJSONString(append(b, `,"aud":`...), caller.ID)
	b = appendInt(b, `,"iat":`, s.now().Unix())
	b = append(append(append(b, `,"token_introspection":`...), body...), '}')
	signer, err := s.clientSigner(caller.Settings.IntrospectionSig)
	if err != nil {
		return IntrospectionAnswer{}, err
	}
	jwt, err := signer.Sign(typeIntrospection, b)
	if err != nil {
		return IntrospectionAnswer{}, unavailable("sign introspection answer", err)
	}
	wrapped, err := s.encryptFor(ctx, caller, caller.Settings.IntrospectionAlg, caller.Settings.IntrospectionEnc, secret.New(jwt), "introspection answer")
	return IntrospectionAnswer{JWT: wrapped, Active: !IsInactive(body)}, err
}
