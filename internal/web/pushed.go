package web

import (
	"net/http"
	"net/url"

	"sallyport/internal/oauth"
	"sallyport/internal/ratelimit"
)

// pushed is the pushed authorization request endpoint (RFC 9126 §2). What it
// keeps is bounded for each client, for a client that proves nothing for each
// address too, so that no stranger uses up what an app needs, and for clients that
// strangers make themselves for the network that they are used from.
func (s *site) pushed(w http.ResponseWriter, r *http.Request, p url.Values) error {
	return s.guardClient(w, r, p, func(req oauth.Request) error {
		push, err := s.oauth.ReadPush(r.Context(), req)
		if err != nil {
			return err
		}
		if err := s.mayPush(w, r, push); err != nil {
			return err
		}
		res, err := push.Store(r.Context())
		if err != nil {
			return err
		}
		if res.Nonce != "" {
			w.Header().Set("DPoP-Nonce", res.Nonce)
		}
		writeJSON(w, r, http.StatusCreated, res.AppendJSON(make([]byte, 0, 256)))
		return nil
	})
}

// mayPush counts what is about to be kept.
func (s *site) mayPush(w http.ResponseWriter, r *http.Request, push *oauth.Push) error {
	clientID, proven := push.Client()
	limit, key := ratelimit.PushedRequest, ratelimit.Key(clientID)
	if !proven {
		limit, key = ratelimit.PushedPublic, ratelimit.Key(clientID, ratelimit.Address(remote(r)))
	}
	if err := s.allow(w, r, limit, key, "pushed requests"); err != nil || !push.Stranger() {
		return err
	}
	return s.allow(w, r, ratelimit.PushedStranger, ratelimit.Network(remote(r)), "pushed requests")
}
