package web

import (
	"errors"
	"net/http"
	"net/url"

	"sallyport/internal/oauth"
	"sallyport/internal/ratelimit"
	"sallyport/internal/token"
)

// token is the token endpoint (RFC 6749 §3.2).
func (s *site) token(w http.ResponseWriter, r *http.Request, p url.Values) error {
	return s.guardClient(w, r, p, func(req oauth.Request) error {
		res, err := s.oauth.Token(r.Context(), req)
		if err != nil {
			return err
		}
		if res.Nonce != "" {
			w.Header().Set("DPoP-Nonce", res.Nonce)
		}
		writeJSON(w, r, http.StatusOK, res.AppendJSON(make([]byte, 0, 1024)))
		return nil
	})
}

// introspect is the introspection endpoint (RFC 7662 §2). A caller that accepts
// a JWT gets one (RFC 9701 §4).
func (s *site) introspect(w http.ResponseWriter, r *http.Request, p url.Values) error {
	return s.guardClient(w, r, p, func(req oauth.Request) error {
		w.Header().Add("Vary", "Accept")
		mediaType := "application/json"
		var body []byte
		var active bool
		if prefers(r.Header["Accept"], introspectionType, "application/json") {
			answer, err := s.oauth.IntrospectSigned(r.Context(), req)
			if err != nil {
				return err
			}
			mediaType, body, active = introspectionType, []byte(answer.JWT.Reveal()), answer.Active
		} else {
			var err error
			if body, err = s.oauth.Introspect(r.Context(), req); err != nil {
				return err
			}
			active = !oauth.IsInactive(body)
		}
		if !active { // only these can be fishing (RFC 7662 §4)
			if err := s.allow(w, r, ratelimit.Introspect, ratelimit.Key(oauth.ClaimedClient(req)), "tokens that are not active"); err != nil {
				return err
			}
		}
		writeBody(w, r, http.StatusOK, mediaType, body)
		return nil
	})
}

// introspectionType is the media type of introspection answers as JWTs.
const introspectionType = "application/token-introspection+jwt"

// revoke is the revocation endpoint (RFC 7009 §2). What could not be stored is
// 503, so that the client tries again (§2.2.1).
func (s *site) revoke(w http.ResponseWriter, r *http.Request, p url.Values) error {
	return s.guardClient(w, r, p, func(req oauth.Request) error {
		err := s.oauth.Revoke(r.Context(), req)
		var known *oauth.Error
		switch {
		case errors.As(err, &known):
			return err
		case err != nil:
			return &httpError{status: http.StatusServiceUnavailable, code: oauth.TemporarilyUnavailable, description: "the token is not revoked yet; try again", cause: err}
		}
		w.Header().Set("Content-Length", "0")
		w.WriteHeader(http.StatusOK)
		return nil
	})
}

// userInfo is the UserInfo endpoint (OpenID Connect Core §5.3). The token comes
// in the Authorization header and nowhere else.
func (s *site) userInfo(w http.ResponseWriter, r *http.Request, p url.Values) error {
	if p.Has("access_token") {
		return bad("the access token belongs into the Authorization header")
	}
	answer, err := s.oauth.UserInfo(r.Context(), s.protocolRequest(r, p))
	if err != nil {
		return err
	}
	if answer.JWT {
		writeBody(w, r, http.StatusOK, "application/jwt", answer.Body)
		return nil
	}
	writeJSON(w, r, http.StatusOK, answer.Body)
	return nil
}

// challengeHeader is OAuth-Client-Attestation-Challenge as net/http spells it.
const challengeHeader = "Oauth-Client-Attestation-Challenge"

// challenge is the challenge endpoint of attestation-based client authentication
// (draft-ietf-oauth-attestation-based-client-auth-10 §6.1).
func (s *site) challenge(w http.ResponseWriter, r *http.Request, _ url.Values) error {
	c := s.oauth.Challenge()
	if c == "" {
		return &httpError{status: http.StatusNotFound, code: notFound, description: "no client attestations are accepted here"}
	}
	writeJSON(w, r, http.StatusOK, append(token.AppendJSONString([]byte(`{"attestation_challenge":`), c), '}'))
	return nil
}

// refusedAuth are the codes of a client authentication that failed.
var refusedAuth = map[string]bool{oauth.InvalidClient: true, oauth.InvalidAttestation: true}

// guardClient slows down who guesses at a client's secret: wrong ones count for
// the client and the address together, and for the client from everywhere, and
// past either limit they are answered 429. The right one is always let through,
// and a public client, which has none, is never counted: so nobody who shares an
// address with a client, sends requests from its user's browser or from a
// thousand places can lock it out.
func (s *site) guardClient(w http.ResponseWriter, r *http.Request, p url.Values, serve func(oauth.Request) error) error {
	req := s.protocolRequest(r, p)
	if len(req.Attestation) > 0 { // for the next proof (ABCA §6.2)
		if c := s.oauth.Challenge(); c != "" {
			w.Header()[challengeHeader] = []string{c}
		}
	}
	err := serve(req)
	var e *oauth.Error
	if !errors.As(err, &e) || !refusedAuth[e.Code] {
		return err
	}
	client := oauth.ClaimedClient(req)
	for _, one := range []struct {
		limit ratelimit.Name
		key   string
	}{
		{ratelimit.ClientAuth, ratelimit.Key(client, ratelimit.Address(req.Remote))},
		{ratelimit.ClientAuthAll, ratelimit.Key(client)},
	} {
		if err := s.allow(w, r, one.limit, one.key, "failed client authentications"); err != nil {
			return err
		}
	}
	return err
}
