package web

import (
	"net/http"
	"net/url"

	"sallyport/internal/oauth"
	"sallyport/internal/ratelimit"
)

// guardAsking bounds how often one network makes this server ask an address that
// a request names: a client_id that is one and of which nothing is known yet, or
// a request_uri. All networks share a budget for the former, and none may use it
// up alone. What is known costs nothing.
func (s *site) guardAsking(w http.ResponseWriter, r *http.Request, p url.Values, rules *rules) error {
	if rules.params != fromBody && rules.params != fromBoth || !s.asks(r, p, rules) {
		return nil
	}
	return s.allow(w, r, ratelimit.Ask, ratelimit.Network(remote(r)), "requests that need something from elsewhere")
}

func (s *site) asks(r *http.Request, p url.Values, rules *rules) bool {
	if rules.cookies && oauth.FetchedRequest(p.Get("request_uri")) {
		return true
	}
	id := p.Get("client_id")
	if id == "" && !rules.cookies && s.oauth.TakesDocuments() {
		id = oauth.ClaimedClient(s.protocolRequest(r, p)) // in a header, or an assertion
	}
	return s.oauth.UnknownDocument(id)
}
