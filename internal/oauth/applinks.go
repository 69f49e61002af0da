package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"sallyport/internal/token/jose"
)

// An https redirect URI of a native app is only as good as the claim of the app
// to it (RFC 8252 §7.2): the system asks the host which app its links belong to.
// So do we, before a client is registered.

// maxLinkHosts is how many hosts one registration makes this server ask.
const maxLinkHosts = 3

var (
	errNotArray = errors.New("not a JSON array")
	errLinkFile = errors.New("malformed")
)

// AppLinkProblem says that a host does not know an app, or could not be asked.
type AppLinkProblem struct {
	URI string // of the file
	Why string
	// Unasked: the file could not be fetched, so nothing is known.
	Unasked bool
}

// AppLinkProblems asks the hosts of the https redirect URIs of a native client
// whether they know the app that it names. Without app_links it asks nothing.
func AppLinkProblems(ctx context.Context, fetch jose.Fetch, c *Client) []AppLinkProblem {
	l := &c.Settings.AppLinks
	if c.Type != Native || l.AndroidPackage == "" && l.AppleAppID == "" {
		return nil
	}
	var list []AppLinkProblem
	ask := func(uri string, read func([]byte) string) {
		body, err := fetch(ctx, uri)
		if err != nil {
			list = append(list, AppLinkProblem{uri, "cannot be read", true})
		} else if why := read(body); why != "" {
			list = append(list, AppLinkProblem{URI: uri, Why: why})
		}
	}
	for host, uris := range httpsRedirects(c) {
		if l.AndroidPackage != "" {
			ask("https://"+host+"/.well-known/assetlinks.json", func(body []byte) string { return androidProblem(body, l) })
		}
		if l.AppleAppID != "" {
			ask("https://"+host+"/.well-known/apple-app-site-association", func(body []byte) string { return appleProblem(body, l.AppleAppID, uris) })
		}
	}
	slices.SortFunc(list, func(a, b AppLinkProblem) int { return strings.Compare(a.URI, b.URI) })
	return list
}

// httpsRedirects are the https redirect URIs of a client by host.
func httpsRedirects(c *Client) map[string][]*url.URL {
	m := map[string][]*url.URL{}
	for _, uri := range c.RedirectURIs {
		if u, err := url.Parse(uri); err == nil && u.Scheme == "https" {
			m[u.Host] = append(m[u.Host], u)
		}
	}
	return m
}

func (s *Service) checkAppLinks(ctx context.Context, g *registrar, c *Client) *Error {
	if !g.AppLinks || s.fetch == nil {
		return nil
	}
	if len(httpsRedirects(c)) > maxLinkHosts {
		return fail(InvalidRedirectURI, fmt.Sprintf("app_links: the https redirect URIs are of more than %d hosts", maxLinkHosts))
	}
	if list := AppLinkProblems(ctx, s.fetch, c); len(list) > 0 {
		return fail(InvalidRedirectURI, "app_links: "+list[0].URI+" "+list[0].Why)
	}
	return nil
}

// androidProblem reads a statement list of Digital Asset Links: it must give all
// URLs to the package, signed by each of the certificates.
func androidProblem(body []byte, l *AppLinks) string {
	certs, err := assetLinks(body, l.AndroidPackage)
	if err != nil {
		return "is not a list of statements"
	}
	if certs == nil {
		return "does not name the package"
	}
	for _, cert := range l.AndroidCerts {
		if !slices.Contains(certs, strings.ToUpper(cert)) {
			return "does not name the certificate of the package"
		}
	}
	if len(l.AndroidCerts) == 0 {
		return "cannot be held against anything: android_cert_fingerprints is missing"
	}
	return ""
}

const handleAll = "delegate_permission/common.handle_all_urls"

// assetLinks are the fingerprints of the certificates by which the package may
// open all links; nil if it may not.
func assetLinks(body []byte, pkg string) ([]string, error) {
	var statements []json.RawMessage
	if err := scanArray(body, func(raw []byte) error { return json.Unmarshal(raw, &statements) }); err != nil {
		return nil, err
	}
	var certs []string
	for _, raw := range statements {
		var relation, prints []string
		var target json.RawMessage
		if err := pick(raw, map[string]any{"relation": &relation, "target": &target}); err != nil {
			return nil, err
		}
		if !slices.Contains(relation, handleAll) || len(target) == 0 {
			continue
		}
		var namespace, name string
		if err := pick(target, map[string]any{"namespace": &namespace, "package_name": &name, "sha256_cert_fingerprints": &prints}); err != nil {
			return nil, err
		}
		if namespace == "android_app" && name == pkg {
			for _, p := range prints {
				certs = append(certs, strings.ToUpper(p))
			}
		}
	}
	return certs, nil
}

// pick reads members of an object by their exact names.
func pick(raw []byte, into map[string]any) error {
	return jose.ScanObject(raw, func(name string, value []byte) error {
		to, wanted := into[name]
		if !wanted {
			return nil
		}
		if err := json.Unmarshal(value, to); err != nil {
			return errLinkFile
		}
		return nil
	})
}

// appleProblem reads an apple-app-site-association file: its app links must give
// the path of each redirect URI to the app.
func appleProblem(body []byte, appID string, uris []*url.URL) string {
	var links json.RawMessage
	if err := pick(body, map[string]any{"applinks": &links}); err != nil || len(links) == 0 {
		return "has no app links"
	}
	var details []json.RawMessage
	if err := pick(links, map[string]any{"details": &details}); err != nil {
		return "has no app links"
	}
	rules, known, err := appleRules(details, appID)
	switch {
	case err != nil:
		return "is malformed"
	case !known:
		return "does not name the app"
	}
	for _, u := range uris {
		if !appleMatches(rules, u) {
			return "does not give the path of a redirect URI to the app"
		}
	}
	return ""
}

// appleRule is one pattern, in the order of the file; the first that fits decides.
type appleRule struct {
	path    string
	exclude bool
	more    bool // it asks for query or fragment too
}

func appleRules(details []json.RawMessage, appID string) (rules []appleRule, known bool, err error) {
	for _, raw := range details {
		var one string
		var ids, paths []string
		var components []json.RawMessage
		if err := pick(raw, map[string]any{"appID": &one, "appIDs": &ids, "paths": &paths, "components": &components}); err != nil {
			return nil, false, err
		}
		if one != appID && !slices.Contains(ids, appID) {
			continue
		}
		known = true
		for _, raw := range components {
			r := appleRule{path: "*"}
			var query, fragment json.RawMessage
			if err := pick(raw, map[string]any{"/": &r.path, "exclude": &r.exclude, "?": &query, "#": &fragment}); err != nil {
				return nil, false, err
			}
			r.more = len(query) > 0 || len(fragment) > 0
			rules = append(rules, r)
		}
		for _, p := range paths {
			rest, not := strings.CutPrefix(p, "NOT ")
			rules = append(rules, appleRule{path: rest, exclude: not})
		}
	}
	return rules, known, nil
}

// appleMatches is on the safe side: a pattern that asks for query or fragment,
// which the answer to a request changes, only ever excludes.
func appleMatches(rules []appleRule, u *url.URL) bool {
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	for _, r := range rules {
		if !wildcard(r.path, path) || r.more && !r.exclude {
			continue
		}
		return !r.exclude
	}
	return false
}

// wildcard matches * with anything and ? with one byte, in time that is at most
// the product of the lengths.
func wildcard(pattern, s string) bool {
	p, i, star, mark := 0, 0, -1, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == s[i]):
			p++
			i++
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// scanArray hands over a JSON array that has passed the scanner for objects.
func scanArray(body []byte, f func(raw []byte) error) error {
	wrapped := append(append([]byte(`{"a":`), body...), '}')
	members := 0
	return jose.ScanObject(wrapped, func(_ string, value []byte) error {
		if members++; members > 1 || len(value) == 0 || value[0] != '[' {
			return errNotArray
		}
		return f(value)
	})
}
