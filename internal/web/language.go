package web

import (
	"context"
	"net/http"

	"sallyport/internal/locale"
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

// wish is what the app that a page is about asks of it.
type wish struct{ UILocales string }

type wishKey struct{}

func withWish(r *http.Request) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), wishKey{}, &wish{}))
}

// wishes may be filled as soon as the app is known; only requests of pages have one.
func wishes(r *http.Request) *wish {
	if w, ok := r.Context().Value(wishKey{}).(*wish); ok {
		return w
	}
	return &wish{}
}
