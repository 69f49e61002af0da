package web

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"

	"sallyport/internal/theme"
)

// serveMetadata serves both discovery documents, which are one (RFC 8414 §3.2,
// OpenID Connect Discovery §4.2).
func (s *site) serveMetadata(w http.ResponseWriter, r *http.Request, _ url.Values) error {
	return s.metadata.serve(w, r)
}

// serveJWKS serves the public keys of ID tokens (RFC 7517 §5), those of this
// moment.
func (s *site) serveJWKS(w http.ResponseWriter, r *http.Request, _ url.Values) error {
	keys, err := s.oauth.JWKS()
	if err != nil {
		return fmt.Errorf("key set: %w", err)
	}
	d := newDocument("application/jwk-set+json", keys)
	return d.serve(w, r)
}

// document is something that is the same for everybody.
type document struct {
	contentType string
	body        []byte
	etag        string
}

func newDocument(contentType string, body []byte) document {
	sum := sha256.Sum256(body)
	return document{contentType, body, `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`}
}

// serve answers with the document or, if the client has it, with 304.
func (d *document) serve(w http.ResponseWriter, r *http.Request) error {
	h := w.Header()
	h.Set("ETag", d.etag)
	if matches(r.Header.Get("If-None-Match"), d.etag) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	h.Set("Content-Type", d.contentType)
	h.Set("Content-Length", strconv.Itoa(len(d.body)))
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write(d.body)
	}
	return nil
}

// matches compares entity tags weakly (RFC 9110 §13.1.2).
func matches(header, etag string) bool {
	for tag := range strings.SplitSeq(header, ",") {
		tag = strings.TrimPrefix(strings.TrimSpace(tag), "W/")
		if tag == etag || tag == "*" {
			return true
		}
	}
	return false
}

// loadAssets names each file by its content, so that browsers may keep it for
// ever and see a change at once.
func (s *site) loadAssets() error {
	s.assets = map[string]*document{}
	entries, err := fs.ReadDir(files, "static")
	if err != nil {
		return fmt.Errorf("web: static files: %w", err)
	}
	for _, e := range entries {
		body, err := fs.ReadFile(files, "static/"+e.Name())
		if err != nil {
			return fmt.Errorf("web: static files: %w", err)
		}
		address := s.addAsset(e.Name(), body)
		switch e.Name() {
		case "style.css":
			s.styleURL = address
		case "icon.svg":
			s.iconURL = address
		case "webauthn.js":
			s.passkeyURL = address
		case "continue.js":
			s.continueURL = address
		}
	}
	return nil
}

// addAsset returns the address of a file, which has its content in its name.
func (s *site) addAsset(name string, body []byte) string {
	sum, ext := sha256.Sum256(body), path.Ext(name)
	address := s.prefix + "/static/" + strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(sum[:5]) + ext
	d := newDocument(mime.TypeByExtension(ext), body)
	s.assets[address] = &d
	return address
}

// loadTheme adds what an operator has chosen to our own look.
func (s *site) loadTheme(t *theme.Theme) {
	if t == nil {
		return
	}
	s.name = t.Name
	if t.Style != nil {
		s.themeURL = s.addAsset("theme.css", t.Style)
	}
	if t.Logo != nil {
		s.logoURL = s.addAsset("logo"+string(t.Kind), t.Logo)
	}
}

func (s *site) serveStatic(w http.ResponseWriter, r *http.Request, _ url.Values) error {
	return s.assets[r.URL.EscapedPath()].serve(w, r)
}
