package bff

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"

	"sallyport/internal/token"
)

// login begins a sign-in (RFC 6749 §4.1.1, RFC 7636): code with PKCE, state and
// nonce, all of this browser. Only a browser that goes there as a whole is sent
// on: no frame, no picture, no fetch.
func (a *app) login(w http.ResponseWriter, r *http.Request) {
	pageHeaders(w.Header())
	if !isVisit(r) {
		refuse(w, r, notAVisit, "sign_in_not_a_visit")
		return
	}
	q, ok := once(r.URL.RawQuery)
	if !ok {
		refusePage(w, r, http.StatusBadRequest, "sign_in_malformed", a.Path+"/login")
		return
	}
	returnTo := q.Get("return_to")
	if !safeReturn(returnTo) {
		returnTo = a.AfterLogin
	}
	f := newFlow(a.Now(), returnTo)
	sum := sha256.Sum256([]byte(f.Verifier))
	params := url.Values{
		"response_type": {"code"}, "client_id": {a.ClientID}, "redirect_uri": {a.redirectURI}, "scope": {a.Scope}, "state": {f.State},
		"nonce": {f.Nonce}, "code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}
	if a.claims != "" {
		params.Set("claims", a.claims)
	}
	stepUp(params, q)
	address, err := a.Client.Begin(r.Context(), remote(r), params)
	if err == nil {
		err = a.remember(w, r, f)
	}
	if err != nil {
		fault(r, err)
		refusePage(w, r, http.StatusServiceUnavailable, "sign_in_unavailable", a.Path+"/login")
		return
	}
	h := w.Header()
	h.Set("Location", address)
	h.Set("Content-Length", "0")
	w.WriteHeader(http.StatusSeeOther)
}

var seconds = regexp.MustCompile(`^[0-9]{1,9}$`)

// stepUp passes on what an API has asked for (RFC 9470 §4), and nothing else that
// is in the address.
func stepUp(params, q url.Values) {
	if acr := q.Get("acr_values"); token.ACRSatisfies(acr, acr) && acr != "" {
		params.Set("acr_values", acr)
	}
	if age := q.Get("max_age"); seconds.MatchString(age) {
		if n, err := strconv.Atoi(age); err == nil {
			params.Set("max_age", strconv.Itoa(n))
		}
	}
}

// isVisit reports whether a browser goes to the address as a whole. A client that
// says nothing of it is none that could be made to go.
func isVisit(r *http.Request) bool {
	mode, dest := r.Header["Sec-Fetch-Mode"], r.Header["Sec-Fetch-Dest"]
	return (len(mode) == 0 || len(mode) == 1 && mode[0] == "navigate") && (len(dest) == 0 || len(dest) == 1 && dest[0] == "document")
}

// once reads a query in which every name is there once at most.
func once(raw string) (url.Values, bool) {
	const most = 8 << 10
	if len(raw) > most {
		return nil, false
	}
	q, err := url.ParseQuery(raw)
	if err != nil {
		return nil, false
	}
	for _, values := range q {
		if len(values) > 1 {
			return nil, false
		}
	}
	return q, true
}

func remote(r *http.Request) netip.Addr {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr().Unmap()
}
