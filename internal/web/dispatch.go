package web

import (
	"net/http"
	"net/url"
	"strings"

	"sallyport/internal/audit"
)

// dispatch finds the route of a request by its exact, undecoded path. It never
// redirects to another spelling: such a redirect would repeat a POST with its
// credentials (AZ13, G13).
func (s *site) dispatch(w *answer, r *http.Request) {
	path := r.URL.EscapedPath()
	if s.servesBrowser(w, r, path) {
		return
	}
	e := s.endpointAt(path)
	if e == nil && !s.owns(path) {
		if !s.servesAPIHost(r) {
			s.fail(w, r, classProtocol.rules(), errHost)
			return
		}
		w.meter = s.meters.gateway
		s.gateway.ServeHTTP(w, r)
		return
	}
	if e != nil && isMutual(r) && !e.class.rules().mutual {
		e = nil
	}
	if e == nil {
		s.fail(w, r, classNotFound(r), errNotFound)
		return
	}
	w.meter, w.route = e.meter, e.path
	rules := e.class.rules()
	rules.headers(s, w.Header())
	if rules.page {
		r = withWish(w, r)
	}
	if err := s.serve(w, r, e, rules); err != nil {
		s.fail(w, r, rules, err)
	}
}

// classNotFound chooses how to say that there is nothing: people get a page.
func classNotFound(r *http.Request) *rules {
	if strings.Contains(r.Header.Get("Accept"), "text/html") {
		return classEntry.rules()
	}
	return classProtocol.rules()
}

// serve is the list of checks that stand before every handler.
func (s *site) serve(w *answer, r *http.Request, e *endpoint, rules *rules) error {
	if !s.servesHost(r) {
		return errHost
	}
	s.setOrigin(w.Header(), r, rules)
	if r.Method == http.MethodOptions && rules.origins != noOrigin {
		return s.preflight(w, r, e, rules)
	}
	route := e.methods[r.Method]
	if route == nil {
		return &httpError{status: http.StatusMethodNotAllowed, code: invalidRequest, description: "this method is not served here", allow: e.allow}
	}
	p, err := s.decode(w, r, rules)
	if err != nil {
		return err
	}
	if rules.page {
		known := wishes(r)
		known.page, known.flow = e.path, p.Get("flow")
	}
	if rules.form && r.Method == http.MethodPost {
		if err := s.checkForm(r, e.path, p); err != nil {
			return err
		}
	}
	if err := s.guardAsking(w, r, p, rules); err != nil {
		return err
	}
	return route.serve(s, w, r, p)
}

// seeOther is the only redirect of the issuer: 303, so that a browser never
// repeats a form (AZ13). location comes from the core or from us, never from a
// request; what two browsers could read differently is refused (G21).
func seeOther(w http.ResponseWriter, location string) error {
	for i := range len(location) {
		if c := location[i]; c <= ' ' || c == 0x7f || c == '\\' {
			return errUnsafeLocation
		}
	}
	h := w.Header()
	h.Set("Location", location)
	h.Set("Content-Length", "0")
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

// local returns an address of our own, with a pending request if there is one.
func (s *site) local(path, flow string) string {
	if flow == "" {
		return s.prefix + path
	}
	return s.prefix + path + "?flow=" + url.QueryEscape(flow)
}

func note(r *http.Request, name audit.Name, reason string) {
	audit.FromContext(r.Context()).Add(audit.Event{Name: name, Reason: reason})
}
