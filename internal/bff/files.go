package bff

import (
	"errors"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"
)

// Files are the pages of an app: a folder as its build tool writes it, with an
// index.html.
type Files fs.FS

// filePolicy lets pages run their own files and talk to their own origin, where
// the APIs are. Nothing else: what an attacker puts into a page neither runs nor
// reports home.
const filePolicy = "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"

const indexFile = "index.html"

// serveFile answers the path of a page or of a file. A path without an ending is a
// place within the app, which index.html knows.
func (a *app) serveFile(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		refuse(w, r, wrongMethod, "unlisted_method")
		return
	}
	name := strings.TrimPrefix(r.URL.Path, "/")
	if !fs.ValidPath(name) || path.Ext(name) == "" || r.URL.RawPath != "" || strings.Contains("/"+name, "/.") {
		name = indexFile
	}
	f, err := a.Files.Open(name)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			fault(r, err)
		}
		refuse(w, r, notFound, "unlisted_path")
		return
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	seeker, ok := f.(io.ReadSeeker)
	if err != nil || !ok || !info.Mode().IsRegular() {
		refuse(w, r, notFound, "unlisted_path")
		return
	}
	h := w.Header()
	commonHeaders(h)
	h.Set("Content-Security-Policy", filePolicy)
	h.Set("Referrer-Policy", "same-origin") // without any, requests of the page would come from Origin: null
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-cache")
	modified := info.ModTime()
	if name == indexFile {
		modified = time.Time{}
	}
	http.ServeContent(w, r, name, modified, seeker)
}
