package oauth

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"sallyport/internal/audit"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// Session is who is signed in, in the browser that asks.
type Session struct {
	ID       secret.ID // new with every sign-in
	SID      secret.ID // stays when the same person signs in again in this browser
	UserID   string
	Username string
	ACR      string
	AMR      string
	AuthTime time.Time
	Idle     time.Duration // how long it was unused before this request
}

// Step is what an authorization needs next.
type Step int

// The steps.
const (
	StepLogin    Step = iota // the person must sign in, perhaps again
	StepStronger             // who is signed in must add a second factor, or use a better one
	StepConsent              // the person must decide
	StepApprove              // nothing: Approve may be called
)

// SealAuthorization makes the handle under which a pending request travels
// through the browser. Nothing is kept in memory, so there is nothing to fill.
func (s *Service) SealAuthorization(a *Authorization) (secret.Value, error) {
	plain, err := marshal(a)
	if err != nil {
		return secret.Value{}, unavailable("seal request", err)
	}
	return s.ring.Seal(secret.PendingSignIn, flowLabel, plain)
}

// marshal is json.Marshal without the escapes for HTML, which make a character
// six times as long.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return b.Bytes(), err
}

// OpenAuthorization reads such a handle. It is a *PageError if the handle is
// forged or too old, or if the client has changed in the meantime so that the
// request would no longer be accepted.
func (s *Service) OpenAuthorization(ctx context.Context, flow string) (*Authorization, error) {
	plain, err := s.ring.Open(secret.PendingSignIn, flowLabel, flow)
	if err != nil {
		return nil, &PageError{InvalidRequest, "this sign-in link is damaged; start again from the app"}
	}
	var a Authorization
	if err := json.Unmarshal(plain, &a); err != nil {
		return nil, unavailable("read request", err)
	}
	if s.now().Unix() >= a.ExpiresAt {
		return nil, &PageError{InvalidRequest, "this took too long; start again from the app"}
	}
	return s.standsFor(ctx, &a)
}

// standsFor finds the client of a request that was accepted before, and refuses
// it if it would no longer be.
func (s *Service) standsFor(ctx context.Context, a *Authorization) (*Authorization, error) {
	if a.Elsewhere != nil && a.Elsewhere.Page != "" {
		a.client = &Client{Name: ownPage}
		return a, nil
	}
	var err error
	a.client, err = s.clients.get(ctx, a.ClientID)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, unavailable("find client", err)
	}
	if err != nil || a.client.Disabled || a.Elsewhere == nil && !matchRedirect(a.client, a.RedirectURI) {
		return nil, &PageError{InvalidClient, "the app is no longer known here"}
	}
	if _, perr := within(a.Scope, a.client.Scope); perr != nil {
		return nil, &PageError{perr.Code, perr.Description}
	}
	if a.Terms.Details = s.stillMay(a.client, a.Terms.Details); len(a.Terms.Details) == 0 && a.Scope == "" {
		return nil, &PageError{InvalidAuthorizationDetails, "the app may no longer ask for this"}
	}
	return a, nil
}

// LoggedIn notes that the session was made for this request, so that
// prompt=login and max_age are satisfied by it and by no other.
func (a *Authorization) LoggedIn(session secret.ID) { a.LoginBy = session }

// Next says what the request needs, given who is signed in; session is nil if
// nobody is. With prompt=none anything but StepApprove is a *RedirectError.
func (s *Service) Next(ctx context.Context, a *Authorization, session *Session) (Step, error) {
	silent := slices.Contains(a.Prompt, "none")
	if session != nil && session.ID == a.LoginBy && a.HintSubject != "" && a.HintSubject != session.UserID {
		// The client means one person and another has signed in for it (OpenID
		// Connect Core §3.1.2.2).
		return 0, s.redirectError(ctx, a, LoginRequired, "somebody else has signed in")
	}
	login, weak := s.needsLogin(a, session), s.tooWeak(a, session)
	if !login && s.tooOld(a, session) {
		// Loading the next page makes the session look used, so it is written down.
		login, a.Prompt = true, append(slices.Clip(a.Prompt), "login")
	}
	switch {
	case (login || weak) && silent && session == nil && a.client.lessTrusted():
		return 0, &PageError{LoginRequired, "nobody is signed in"}
	case login && silent:
		return 0, s.redirectError(ctx, a, LoginRequired, "nobody is signed in")
	case login:
		return StepLogin, nil
	case weak && silent:
		return 0, s.redirectError(ctx, a, LoginRequired, "who is signed in has not proven enough")
	case weak:
		return StepStronger, nil
	}
	if a.Elsewhere != nil {
		return a.Elsewhere.step(), nil
	}
	ask, err := s.needsConsent(ctx, a, session)
	if err != nil {
		return 0, err
	}
	if ask && silent {
		return 0, s.redirectError(ctx, a, ConsentRequired, "the person has not agreed yet")
	}
	if ask {
		return StepConsent, nil
	}
	return StepApprove, nil
}

// loginCounts is how long a sign-in satisfies the request that asked for it.
const loginCounts = 5 * time.Minute

func (s *Service) needsLogin(a *Authorization, session *Session) bool {
	if session == nil {
		return true
	}
	if a.HintSubject != "" && a.HintSubject != session.UserID {
		return true
	}
	if a.Elsewhere != nil && a.Elsewhere.Purpose != "" && session.ID != a.LoginBy {
		return true
	}
	if session.ID == a.LoginBy && s.now().Sub(session.AuthTime) < loginCounts {
		return false
	}
	if slices.Contains(a.Prompt, "login") || slices.Contains(a.Prompt, "select_account") {
		return true
	}
	if a.MaxAge == nil {
		return false
	}
	return *a.MaxAge == 0 || s.now().Sub(session.AuthTime) > time.Duration(*a.MaxAge)*time.Second
}

// tooOld reports whether the sign-in is older, or was unused for longer, than the
// riskiest API of the request allows: sessions have the limits of the deployment,
// which may be those of a lower tier (AU14). A sign-in for this very request ages like
// any other: its page may have been left open.
func (s *Service) tooOld(a *Authorization, session *Session) bool {
	tier := token.TierLow
	for _, m := range fields(a.Scope) {
		if res := s.byScope[m]; res != nil {
			tier = max(tier, res.Tier)
		}
	}
	for _, audience := range locationsOf(a.Terms.Details) {
		if res := s.byAudience(audience); res != nil {
			tier = max(tier, res.Tier)
		}
	}
	limits := tier.Limits()
	return session.Idle >= limits.SessionIdle || s.now().Sub(session.AuthTime) >= limits.SessionAbsolute
}

// tooWeak reports whether more has to be proven than the session has. Pages of ours
// are where people set up a second factor, so the policy does not keep them out.
func (s *Service) tooWeak(a *Authorization, session *Session) bool {
	if session == nil {
		return false
	}
	ownPage := a.Elsewhere != nil && a.Elsewhere.Page != ""
	return !meetsACR(session.ACR, a.ACRNeeded) || !ownPage && !token.ACRSatisfies(session.ACR, s.minACR)
}

// OnlyPasskey reports whether nothing less than phishing-resistant authentication
// is enough for the request.
func (s *Service) OnlyPasskey(a *Authorization) bool {
	return !meetsACR(token.ACRMFA, a.ACRNeeded) || !token.ACRSatisfies(token.ACRMFA, s.minACR)
}

// Unmet ends a request for a class of authentication that the person does not
// reach (OpenID Connect Core §5.5.1.1).
func (s *Service) Unmet(ctx context.Context, a *Authorization) error {
	return s.redirectError(ctx, a, UnmetAuthentication, "the sign-in is not of a class that was asked for")
}

// needsConsent asks each time where the redirect URI does not prove who the
// client is: another app on the device can claim a private-use scheme or a
// loopback port (OAuth 2.1 §7.3.1). It also does so for what is asked in detail:
// one payment is not the next. And for a client that nobody vouches for.
func (s *Service) needsConsent(ctx context.Context, a *Authorization, session *Session) (bool, error) {
	if slices.Contains(a.Prompt, "consent") || !a.proven() || len(a.Terms.Details) > 0 || a.client.lessTrusted() {
		return true, nil
	}
	c, err := s.store.Consent(ctx, session.UserID, a.ClientID)
	if errors.Is(err, ErrNotFound) {
		return true, nil
	}
	if err != nil {
		return false, unavailable("find consent", err)
	}
	var declined []string
	for _, m := range a.toAgree() {
		switch {
		case contains(c.Scope, m):
		case a.optional(m) && contains(c.Declined, m):
			declined = append(declined, m) // nobody is asked again and again
		default:
			return true, nil
		}
	}
	a.LeaveOut(declined)
	a.agreedBy = session.UserID
	return false, nil
}

// toAgree are the scopes that a person agrees to: those of the request, and those
// of the claims that it asks for by name.
func (a *Authorization) toAgree() []string {
	list := fields(a.Scope)
	for _, m := range a.Terms.claimScopes() {
		if !slices.Contains(list, m) {
			list = append(list, m)
		}
	}
	return list
}

func provenByRedirect(uri string) bool { return strings.HasPrefix(uri, "https://") }

// Approve remembers that the person agreed and returns where to send the
// browser, with a code. The caller has made sure that Next no longer asks for
// a sign-in, and that the person agreed where it asked for that.
func (s *Service) Approve(ctx context.Context, a *Authorization, session *Session) (Outcome, error) {
	if a.Elsewhere != nil {
		return s.approveAsked(ctx, a, session)
	}
	now := s.now()
	if err := s.rememberConsent(ctx, a, session, now); err != nil {
		return Outcome{}, err
	}
	k := code{
		GrantID: a.GrantID, ClientID: a.ClientID, ClientEpoch: a.client.Epoch, RedirectURI: a.RedirectURI, Challenge: a.Challenge,
		UserID: session.UserID, SID: session.SID, Scope: a.Scope, Nonce: a.Nonce,
		ACR: session.ACR, AMR: session.AMR, AuthTime: session.AuthTime.Unix(), ExpiresAt: now.Add(codeLife).Unix(),
		JKT: a.JKT, Terms: a.Terms,
	}
	plain, err := marshal(k)
	if err != nil {
		return Outcome{}, unavailable("make code", err)
	}
	handle, err := s.ring.Seal(secret.AuthCode, codeLabel, plain)
	if err != nil {
		return Outcome{}, unavailable("make code", err)
	}
	outcome, err := s.answer(ctx, a, url.Values{"code": {handle.Reveal()}})
	if err != nil {
		return Outcome{}, err
	}
	// The row of a pushed request goes last, and decides which approval counts.
	if err := s.takePushed(ctx, a); err != nil {
		return Outcome{}, err
	}
	note(ctx, audit.Event{Name: audit.CodeIssued, Client: a.ClientID, Subject: session.UserID, Grant: k.GrantID.String()})
	return outcome, nil
}

// rememberConsent adds the scopes of this request to what was agreed before.
func (s *Service) rememberConsent(ctx context.Context, a *Authorization, session *Session, now time.Time) error {
	if a.agreedBy == session.UserID { // read a moment ago, and it has it all
		return nil
	}
	before, err := s.store.Consent(ctx, session.UserID, a.ClientID)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return unavailable("find consent", err)
	}
	first := err != nil
	agreed, changed := a.toAgree(), first
	for _, m := range agreed {
		changed = changed || !contains(before.Scope, m)
	}
	for _, m := range a.declined {
		changed = changed || !contains(before.Declined, m)
	}
	if !changed {
		return nil
	}
	err = s.store.SaveConsent(ctx, Consent{
		UserID: session.UserID, ClientID: a.ClientID, Scope: strings.Join(agreed, " "), Declined: strings.Join(a.declined, " "), GrantedAt: now,
	})
	if err != nil {
		return unavailable("save consent", err)
	}
	note(ctx, audit.Event{Name: audit.ConsentGiven, Client: a.ClientID, Subject: session.UserID})
	if first {
		s.tellPerson(ctx, session.UserID, ToldConnected, a.ClientID)
	}
	return nil
}

// Deny returns where to send the browser when the person refused.
func (s *Service) Deny(ctx context.Context, a *Authorization) (Outcome, error) {
	if a.Elsewhere != nil {
		return s.denyAsked(ctx, a)
	}
	outcome, err := s.answer(ctx, a, url.Values{"error": {AccessDenied}, "error_description": {"the person refused"}})
	if err != nil {
		return Outcome{}, err
	}
	if err := s.takePushed(ctx, a); err != nil {
		return Outcome{}, err
	}
	note(ctx, audit.Event{Name: audit.ConsentDenied, Client: a.ClientID})
	return outcome, nil
}
