package web

import (
	"errors"
	"net/http"
	"net/url"
	"time"

	"sallyport/internal/audit"
	"sallyport/internal/locale"
	"sallyport/internal/oauth"
	"sallyport/internal/ratelimit"
)

// deviceAuthorization is the device authorization endpoint (RFC 8628 §3.1).
func (s *site) deviceAuthorization(w http.ResponseWriter, r *http.Request, p url.Values) error {
	return s.guardClient(w, r, p, func(req oauth.Request) error {
		key := ratelimit.Key(oauth.ClaimedClient(req), ratelimit.Address(req.Remote))
		if err := s.allow(w, r, ratelimit.DeviceAsk, key, "device authorization requests"); err != nil {
			return err
		}
		res, err := s.oauth.DeviceAuthorization(r.Context(), req)
		if err != nil {
			return err
		}
		if res.Nonce != "" {
			w.Header().Set("DPoP-Nonce", res.Nonce)
		}
		writeJSON(w, r, http.StatusOK, res.AppendJSON(make([]byte, 0, 512)))
		return nil
	})
}

// deviceView is the page on which people type what a device shows.
type deviceView struct {
	frame
	CSRF     string
	UserCode string
	Problem  string
	SignIn   bool // signing in first helps
}

// showDevice asks for a code. An address that has one fills it in, and does no
// more: who opens it still goes on, compares and agrees (RFC 8628 §3.3.1, §5.4).
func (s *site) showDevice(w http.ResponseWriter, r *http.Request, p url.Values) error {
	if done, err := s.turnedAway(w, r, ""); done { // no app is known yet
		return err
	}
	if p.Has("sign_in") {
		return s.goOn(w, s.oauth.SignInFor(devicePath, ""), loginPath)
	}
	shown, _ := oauth.ReadUserCode(p.Get("user_code"))
	return s.devicePage(w, r, http.StatusOK, deviceView{UserCode: shown})
}

func (s *site) devicePage(w http.ResponseWriter, r *http.Request, status int, view deviceView) error {
	csrf, err := s.formToken(w, r, devicePath, "")
	if err != nil {
		return err
	}
	view.frame, view.CSRF = s.frame(r, s.language(r).Text("device.title"), view.Problem != ""), csrf
	return s.render(w, status, pageDevice, &view)
}

// device takes a code. Whatever is wrong with one has the same words.
func (s *site) device(w http.ResponseWriter, r *http.Request, p url.Values) error {
	if done, err := s.turnedAway(w, r, ""); done { // no app is known yet
		return err
	}
	session, err := s.visitor(r)
	if err != nil {
		return err
	}
	l, bounds := s.language(r), codeBounds(r, session)
	for i, b := range bounds {
		ok, wait := s.limits.Allow(s.now(), b.name, b.key)
		if ok {
			continue
		}
		s.refund(bounds[:i])
		note(r, audit.RequestRefused, string(b.name))
		setRetryAfter(w.Header(), wait)
		return s.devicePage(w, r, http.StatusTooManyRequests, deviceView{
			Problem: l.Text("device.throttled", "for", l.Span(wait)), SignIn: b.name == ratelimit.CodeAll,
		})
	}
	a, err := s.oauth.OpenUserCode(r.Context(), p.Get("user_code"))
	if errors.Is(err, oauth.ErrUserCode) {
		note(r, audit.DeviceCodeWrong, "")
		return s.devicePage(w, r, http.StatusBadRequest, deviceView{Problem: l.Text("device.wrong")})
	}
	s.refund(bounds)
	if err != nil {
		return err
	}
	client(r, a.ClientID)
	return s.proceed(w, r, a, session)
}

// codeBound is one count of wrong codes.
type codeBound struct {
	name ratelimit.Name
	key  string
}

// codeBounds are those under which an attempt counts (TK22). Addresses are cheap,
// so there is a bound for all together; so that whoever reaches it shuts nobody
// out, people who are signed in count by themselves.
func codeBounds(r *http.Request, session *oauth.Session) []codeBound {
	list := []codeBound{{ratelimit.CodeAddress, ratelimit.Key(ratelimit.Address(remote(r)))}}
	if session != nil {
		return append(list, codeBound{ratelimit.CodePerson, ratelimit.Key(session.UserID)})
	}
	return append(list, codeBound{ratelimit.CodeAll, ""})
}

func (s *site) refund(list []codeBound) {
	for _, b := range list {
		s.limits.Refund(b.name, b.key)
	}
}

// elsewhereView is what the consent page says of what asks from elsewhere.
type elsewhereView struct {
	UserCode string
	Message  string
	From     string
	At, Ago  string
}

func (s *site) elsewhere(l *locale.Language, a *oauth.Authorization) *elsewhereView {
	e := a.Elsewhere
	if e == nil {
		return nil
	}
	at := time.Unix(e.AskedAt, 0)
	return &elsewhereView{
		UserCode: e.UserCode, Message: legible(e.Message), From: legible(e.From),
		At: l.Clock(at), Ago: l.Span(max(time.Second, s.now().Sub(at))),
	}
}

// doneView says how it went.
type doneView struct {
	frame
	Allowed bool
}

func (s *site) done(w http.ResponseWriter, r *http.Request, how string) error {
	view := doneView{Allowed: how == oauth.DoneAllowed}
	title := "done.denied"
	if view.Allowed {
		title = "done.allowed"
	}
	view.frame = s.frame(r, s.language(r).Text(title), false)
	view.Picker = nil // what it was about is over
	return s.render(w, http.StatusOK, pageDone, &view)
}
