package web

import (
	"context"
	"net/http"

	"sallyport/internal/locale"
	"sallyport/internal/secret"
)

// languageCookie remembers which language a person has chosen in this browser.
const languageCookie = "__Host-sallyport-language"

// language is what pages are written in: what the person has chosen here, what
// the app asks for (ui_locales), what the browser prefers, in this order.
func (s *site) language(r *http.Request) *locale.Language {
	if list := r.CookiesNamed(languageCookie); len(list) == 1 {
		if l, ok := locale.Named(list[0].Value); ok {
			return l
		}
	}
	return locale.For(wishes(r).UILocales, r.Header.Get("Accept-Language"))
}

// wish is what is known of a page's request while it is answered: what the app
// that it is about asks of pages, and what the frame needs.
type wish struct {
	UILocales string

	w       http.ResponseWriter
	page    string // path of the route; empty where other sites send browsers to
	flow    string
	browser secret.Value
}

type wishKey struct{}

func withWish(w http.ResponseWriter, r *http.Request) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), wishKey{}, &wish{w: w}))
}

// wishes may be filled as soon as the app is known; only requests of pages have one.
func wishes(r *http.Request) *wish {
	if w, ok := r.Context().Value(wishKey{}).(*wish); ok {
		return w
	}
	return &wish{}
}
