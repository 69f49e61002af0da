package oauth

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"sallyport/internal/token"
	"sallyport/internal/token/jose"
)

// cibaAlgorithms sign authentication requests (FAPI-CIBA §5.2.2: no RS256).
var cibaAlgorithms = []jose.Algorithm{jose.ES256, jose.EdDSA, jose.PS256}

// cibaParams are the parameters of an authentication request, which a signed one
// has as claims and nowhere else (CIBA Core §7.1.1).
var cibaParams = []string{
	"scope", "client_notification_token", "acr_values", "login_hint_token", "id_token_hint", "login_hint", "binding_message", "user_code",
	"requested_expiry", "resource", "authorization_details", "claims", "dpop_jkt",
}

// cibaRequest is a request as the client has made it.
type cibaRequest struct {
	params url.Values
	spends [32]byte // of a signed one: what is used up
	until  time.Time
}

// maxSignedLife is from nbf to exp at most.
const maxSignedLife = time.Hour

// openCIBARequest reads the signed request of a client (CIBA Core §7.1.1), or the
// plain one of a client that need not sign.
func (s *Service) openCIBARequest(ctx context.Context, c *Client, r Request) (cibaRequest, error) {
	jwt := r.param("request")
	must := c.Settings.CIBAAlg != "" || c.profile().bound
	switch {
	case jwt == "" && must:
		return cibaRequest{}, fail(InvalidRequest, "the request must be signed: use the parameter request")
	case jwt == "":
		return cibaRequest{params: r.Params}, nil
	}
	for _, name := range cibaParams {
		if r.Params.Has(name) {
			return cibaRequest{}, fail(InvalidRequest, name+" belongs into the signed request")
		}
	}
	keys, err := s.keysOf(c)
	if err != nil {
		return cibaRequest{}, refusedRequest(err)
	}
	algorithms := slices.DeleteFunc(slices.Clone(cibaAlgorithms), func(alg jose.Algorithm) bool {
		return !slices.Contains(c.profile().algorithms, alg) || c.Settings.CIBAAlg != "" && alg != c.Settings.CIBAAlg
	})
	v, err := jose.NewVerifier(jose.Profile{
		Purpose: "authentication request", Types: []string{"", "jwt", "oauth-authz-req+jwt"}, Algorithms: algorithms, Keys: keys,
		Issuer: jose.Exactly(c.ID), Audience: jose.Exactly(s.issuer), MaxAge: maxSignedLife, MaxLife: maxSignedLife, Require: []string{"jti"}, Now: s.now,
	})
	if err != nil {
		return cibaRequest{}, unavailable("read authentication request", err)
	}
	claims, err := v.Verify(ctx, jwt)
	if err != nil {
		return cibaRequest{}, refusedRequest(err)
	}
	return s.signedCIBA(c, claims)
}

func (s *Service) signedCIBA(c *Client, claims *jose.Claims) (cibaRequest, error) {
	jti, _ := claims.String("jti")
	life := time.Duration(claims.ExpiresAt-claims.NotBefore) * time.Second
	if claims.NotBefore == 0 || life > maxSignedLife {
		return cibaRequest{}, fail(InvalidRequest, "the signed request needs nbf, and exp at most an hour after it")
	}
	q := cibaRequest{
		params: url.Values{}, until: time.Unix(claims.ExpiresAt, 0).Add(time.Minute),
		spends: token.ReplayID(sha256.Sum256([]byte("ciba request of "+c.ID)), []byte(jti)),
	}
	for _, name := range cibaParams {
		if !claims.Has(name) {
			continue
		}
		values, ok := claimParams(claims.Raw(name))
		if !ok {
			return cibaRequest{}, fail(InvalidRequest, name+" has the wrong type in the signed request")
		}
		if values[0] != "" { // an empty parameter counts as absent
			q.params[name] = values
		}
	}
	return q, nil
}

// claimParams turns a claim into the parameter that it stands for: text as it is,
// a number as digits, a list of texts as several, and other JSON as JSON (RFC 9101
// §4).
func claimParams(raw []byte) ([]string, bool) {
	var value any
	if json.Unmarshal(raw, &value) != nil {
		return nil, false
	}
	switch v := value.(type) {
	case string:
		return []string{v}, strings.IndexByte(v, 0) < 0 // no database takes that
	case float64:
		n := int64(v)
		return []string{strconv.FormatInt(n, 10)}, float64(n) == v
	case map[string]any:
		return []string{string(raw)}, true
	case []any:
		list := make([]string, 0, len(v))
		for _, m := range v {
			text, ok := m.(string)
			if !ok {
				return []string{string(raw)}, true
			}
			list = append(list, text)
		}
		return list, len(list) > 0
	}
	return nil, false
}

// spendRequest uses a signed request up, when nothing else is wrong with it.
func (s *Service) spendRequest(ctx context.Context, q cibaRequest) error {
	if q.until.IsZero() {
		return nil
	}
	if s.replay == nil {
		return fail(TemporarilyUnavailable, "signed requests cannot be remembered here")
	}
	fresh, err := s.replay.Spend(ctx, q.spends, q.until)
	if err != nil {
		return &Error{Code: TemporarilyUnavailable, Description: "signed requests cannot be remembered at the moment", cause: err}
	}
	if !fresh {
		return fail(InvalidRequest, "the signed request was used before")
	}
	return nil
}

func refusedRequest(err error) error {
	if errors.Is(err, jose.ErrKeysUnavailable) {
		return &Error{Code: TemporarilyUnavailable, Description: "the keys of the client cannot be read at the moment", cause: err}
	}
	return &Error{Code: InvalidRequest, Description: "the signed request is not valid: signature, iss, aud, exp, iat, nbf and jti are needed", cause: err}
}
