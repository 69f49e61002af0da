package bff

import (
	_ "embed"
	"net/http"
	"strconv"
)

// script is what the pages of an app use. It has no dependency, keeps nothing, and
// sees no token.
//
//go:embed bff.js
var script string

func (a *app) serveScript(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	commonHeaders(h)
	h.Set("Content-Type", "text/javascript; charset=utf-8")
	h.Set("Cache-Control", "public, max-age=3600")
	h.Set("Content-Length", strconv.Itoa(len(a.script)))
	_, _ = w.Write(a.script)
}
