package web

import (
	"crypto/sha256"
	"encoding/base64"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"sallyport/internal/oauth"
)

// submitScript sends the form of a page at once. It is the only script of the
// issuer; the policy of the page lets it in by its digest, and the page works
// without it.
const submitScript = `document.forms[0].submit()`

var submitHash = func() string {
	sum := sha256.Sum256([]byte(submitScript))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}()

// formPostView is a page that posts an authorization response.
type formPostView struct {
	frame
	Action template.URL // a registered http or https redirect URI
	Host   string
	Fields []formField
	Script template.JS
}

type formField struct{ Name, Value string }

// formPost hands an authorization response to the app by a form (OAuth 2.0 Form
// Post Response Mode 1.0 §2). The form may go to the origin of the redirect URI
// and nowhere else.
func (s *site) formPost(w http.ResponseWriter, r *http.Request, p *oauth.FormPost) error {
	target := formTarget(p.Action)
	if target == "" {
		return errUnsafeLocation
	}
	host := target
	if u, err := url.Parse(p.Action); err == nil {
		host = legible(u.Host)
	}
	v := formPostView{frame: s.frame(r, s.language(r).Text("form_post.title"), false), Action: template.URL(p.Action), Host: host, Script: submitScript} //nolint:gosec // registered, and never from a request alone
	v.Picker = nil                                                                                                                                       // the answer is on its way already
	for name, values := range p.Params {
		v.Fields = append(v.Fields, formField{name, values[0]})
	}
	slices.SortFunc(v.Fields, func(a, b formField) int { return strings.Compare(a.Name, b.Name) })
	w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src "+submitHash+
		"; style-src 'self'; img-src 'self'; form-action "+target+"; frame-ancestors 'none'; base-uri 'none'")
	return s.render(w, http.StatusOK, pageFormPost, &v)
}
