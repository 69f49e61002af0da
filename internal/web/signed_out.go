package web

import (
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"sallyport/internal/oauth"
	"sallyport/internal/secret"
)

// signedOutView is what the signed-out page shows.
type signedOutView struct {
	frame
	Frames   []string
	Location template.URL // registered by the client, character by character
	Host     string
	Script   string
}

// framesFor is how long the frames of apps may take to load, before the browser
// goes on without them.
const framesFor = 5 * time.Second

// signedOut is the page after signing out that loads a frame of each app that
// wants one (OpenID Connect Front-Channel Logout 1.0 §3), and then goes on to
// where the app that asked wants the browser. It ends nothing.
func (s *site) signedOut(w http.ResponseWriter, r *http.Request, p url.Values) error {
	after, err := s.openLogout(oauth.SignedOutLabel, p.Get("flow"))
	if err != nil {
		return err
	}
	view := signedOutView{frame: s.frame(r, s.language(r).Text("signed_out.title"), false), Script: s.continueURL}
	for _, text := range after["frame"] {
		id, clientID, _ := strings.Cut(text, " ")
		sid, err := secret.ParseID(id)
		if err != nil {
			return err
		}
		uri, err := s.oauth.FrontChannel(r.Context(), clientID, sid)
		if err != nil {
			return err
		}
		if uri != "" {
			view.Frames = append(view.Frames, uri)
		}
	}
	if to := after.Get("to"); to != "" {
		view.Location, view.Host = template.URL(to), legible(hostOf(to)) //nolint:gosec // see Location
		w.Header().Set("Refresh", strconv.Itoa(int(framesFor/time.Second))+"; url="+to)
	}
	w.Header().Set("Content-Security-Policy", framesPolicy(view.Frames))
	return s.render(w, http.StatusOK, pageSignedOut, &view)
}

// hostOf is what a person knows of an address: its host, or the scheme of an app.
func hostOf(uri string) string {
	u, err := url.Parse(uri)
	if err != nil {
		return ""
	}
	if u.Host == "" {
		return u.Scheme
	}
	return u.Host
}

// framesPolicy is pagePolicy for a page with frames of these addresses and no
// others, and with our own script.
func framesPolicy(frames []string) string {
	var sources []string
	for _, uri := range frames {
		if source := formTarget(uri); source != "" && !slices.Contains(sources, source) {
			sources = append(sources, source)
		}
	}
	policy := pagePolicy("") + "; script-src 'self'"
	if len(sources) > 0 {
		policy += "; frame-src " + strings.Join(sources, " ")
	}
	return policy
}
