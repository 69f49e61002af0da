package web

import "net/http"

// servesBrowser answers at the origins of browser apps, where nothing of the
// issuer is: their sign-in, their pages, and the APIs. Nobody calls those with a
// client certificate.
func (s *site) servesBrowser(w *answer, r *http.Request, path string) bool {
	if s.apps == nil || isMutual(r) || !s.apps.Serves(r.Host) {
		return false
	}
	if s.apps.Owns(r.Host, path) {
		w.meter = s.meters.browser
		s.apps.ServeHTTP(w, r)
		return true
	}
	w.meter = s.meters.gateway
	s.gateway.ServeHTTP(w, r)
	return true
}
