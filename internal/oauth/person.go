package oauth

import (
	"cmp"
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"sallyport/internal/audit"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

const (
	// mostGrants is how many grants of a person are looked at, and mostConsents how
	// many records of consent.
	mostGrants   = 1000
	mostConsents = 500
)

// AppView is an app as a person sees it that has access in their name. The texts
// but those of scopes and APIs come from the client or from who registered it.
type AppView struct {
	ClientID   string
	ClientName string
	Developer  string // as the app says itself; or empty
	Publisher  string // host of the document that the client is described in; or empty
	Verified   bool   // an administrator knows the client, and so its name
	Agreed     bool   // there is a record of consent, so it may come back without asking
	Scopes     []ScopeView
	Declined   []ScopeView
	Details    []DetailView
	Audiences  []string
	Since      time.Time
	LastUsed   time.Time // of its tokens for new ones; zero: it has none
	Until      time.Time // when the last of its grants ends; zero: it has none
	Grants     []GrantView
}

// GrantView is one install or device of an app.
type GrantView struct {
	ID        secret.ID
	ClientID  string
	Device    string // empty: not known
	Place     string
	Elsewhere bool // another device asked for it than the one where it was allowed
	Scope     string
	Audience  string
	ACR       string
	AMR       string
	AuthTime  time.Time
	CreatedAt time.Time
	LastUsed  time.Time
	Until     time.Time
}

// Apps lists the apps that have access in the name of a person, the one that was
// used last first. Of somebody with more than a thousand grants, whole is false.
func (s *Service) Apps(ctx context.Context, userID string) (list []AppView, whole bool, err error) {
	now := s.now()
	grants, err := s.store.GrantsOf(ctx, userID, "", now, mostGrants)
	if err != nil {
		return nil, false, unavailable("list grants", err)
	}
	consents, err := s.store.ConsentsOf(ctx, userID, mostConsents)
	if err != nil {
		return nil, false, unavailable("list consents", err)
	}
	apps := map[string]*AppView{}
	app := func(id string) *AppView {
		if apps[id] == nil {
			apps[id] = &AppView{ClientID: id}
		}
		return apps[id]
	}
	for i := range consents {
		s.addConsent(app(consents[i].ClientID), &consents[i])
	}
	for i := range grants {
		if until := s.endOf(&grants[i]); now.Before(until) {
			s.addGrant(app(grants[i].ClientID), &grants[i], until)
		}
	}
	for _, a := range apps {
		if err := s.introduce(ctx, a); err != nil {
			return nil, false, err
		}
		list = append(list, *a)
	}
	slices.SortFunc(list, func(a, b AppView) int {
		return cmp.Or(b.LastUsed.Compare(a.LastUsed), b.Since.Compare(a.Since), strings.Compare(a.ClientID, b.ClientID))
	})
	return list, len(grants) < mostGrants && len(consents) < mostConsents, nil
}

// endOf is when nothing of a grant works any more.
func (s *Service) endOf(g *Grant) time.Time {
	if g.Refreshable {
		return g.AbsoluteUntil
	}
	return g.CreatedAt.Add(s.reachOf(g.Scope, g.Terms.Details).lifetime)
}

func (s *Service) addConsent(a *AppView, c *Consent) {
	a.Agreed, a.Since = true, c.GrantedAt
	for _, m := range fields(c.Scope) {
		a.addScope(s.scopeInWords(m))
	}
	for _, m := range fields(c.Declined) {
		a.Declined = append(a.Declined, s.scopeInWords(m))
	}
}

func (s *Service) addGrant(a *AppView, g *Grant, until time.Time) {
	a.Grants = append(a.Grants, GrantView{
		ID: g.ID, ClientID: g.ClientID, Device: g.Device, Place: g.Place, Elsewhere: g.Terms.GrantType != "", Scope: g.Scope, Audience: g.Audience,
		ACR: g.ACR, AMR: g.AMR, AuthTime: g.AuthTime, CreatedAt: g.CreatedAt, LastUsed: g.RotatedAt, Until: until,
	})
	if a.Since.IsZero() || g.CreatedAt.Before(a.Since) {
		a.Since = g.CreatedAt
	}
	if g.RotatedAt.After(a.LastUsed) {
		a.LastUsed = g.RotatedAt
	}
	if until.After(a.Until) {
		a.Until = until
	}
	for _, m := range fields(g.Scope) {
		a.addScope(s.scopeInWords(m))
	}
	for _, d := range s.detailsInWords(g.Terms.Details) {
		if len(a.Details) < maxDetailViews {
			a.Details = append(a.Details, d)
		}
	}
	for _, audience := range fields(g.Audience) {
		if audience != s.issuer && !slices.Contains(a.Audiences, audience) {
			a.Audiences = append(a.Audiences, audience)
		}
	}
}

// maxDetailViews bounds what is shown of authorization_details of one app.
const maxDetailViews = 50

func (a *AppView) addScope(v ScopeView) {
	if !slices.ContainsFunc(a.Scopes, func(has ScopeView) bool { return has.Name == v.Name }) {
		a.Scopes = append(a.Scopes, v)
	}
}

// introduce says who the client is. No address is asked for it: a page must not
// wait for strangers.
func (s *Service) introduce(ctx context.Context, a *AppView) error {
	a.ClientName = a.ClientID
	if u, err := url.Parse(a.ClientID); err == nil && strings.HasPrefix(a.ClientID, documentScheme) {
		a.Publisher = u.Host
	}
	c, err := s.clients.remembered(ctx, a.ClientID)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return unavailable("find client", err)
	}
	a.ClientName, a.Developer, a.Verified = c.DisplayName(), c.Settings.Developer, c.Origin == OriginAdmin
	return nil
}

// HasAgreed reports whether a person has agreed to anything for a client before.
func (s *Service) HasAgreed(ctx context.Context, userID, clientID string) (bool, error) {
	c, err := s.store.Consent(ctx, userID, clientID)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, unavailable("find consent", err)
	}
	return c.Scope != "", nil
}

// EndSessionOf ends one session of a person with every grant that came from it, and
// has the clients told. A session that is not theirs is as one that is not there:
// nothing happens, and ended is false. When it returns nil, this node already
// refuses the tokens; and so for the others here.
func (s *Service) EndSessionOf(ctx context.Context, userID string, id secret.ID) (ended bool, err error) {
	now := s.now()
	if ended, err = s.store.EndSessionOf(ctx, userID, id, token.ReasonLogout, now, token.KeepRevocation(now)); err != nil {
		return false, unavailable("end session", err)
	}
	if ended {
		note(ctx, audit.Event{Name: audit.SessionEnded, Subject: userID})
	}
	return ended, s.applied(ctx)
}

// EndOtherSessions ends everything of a person but the session with sid and its
// grants, and returns how many sessions that were.
func (s *Service) EndOtherSessions(ctx context.Context, userID string, sid secret.ID) (int, error) {
	now := s.now()
	n, err := s.store.EndOtherSessions(ctx, userID, sid, token.ReasonLogout, now, token.KeepRevocation(now))
	if err != nil {
		return 0, unavailable("end other sessions", err)
	}
	note(ctx, audit.Event{Name: audit.SessionsEnded, Subject: userID, Reason: "others"})
	return n, s.applied(ctx)
}

// EndEverything ends every session and grant of a person, who has asked for it.
func (s *Service) EndEverything(ctx context.Context, userID string) error {
	now := s.now()
	if err := s.store.EndUser(ctx, userID, token.ReasonLogout, now, token.KeepRevocation(now)); err != nil {
		return unavailable("end sessions of a person", err)
	}
	note(ctx, audit.Event{Name: audit.SessionsEnded, Subject: userID})
	return s.applied(ctx)
}

// EndGrantOf ends one grant of a person, and so every token of that install.
func (s *Service) EndGrantOf(ctx context.Context, userID string, id secret.ID) (ended bool, err error) {
	now := s.now()
	if ended, err = s.store.EndGrantOf(ctx, userID, id, token.ReasonRevoked, now, token.KeepRevocation(now)); err != nil {
		return false, unavailable("end grant", err)
	}
	if ended {
		note(ctx, audit.Event{Name: audit.TokenRevoked, Subject: userID, Grant: id.String(), Reason: "by_person"})
	}
	return ended, s.applied(ctx)
}

// Withdraw takes back what a person has agreed to for a client: the scopes, or
// everything where there are none. Every grant that carries any of it ends: a token
// is never narrowed behind the back of the API that holds it.
//
// It returns what the client is called, or nothing where there was nothing to end.
func (s *Service) Withdraw(ctx context.Context, userID, clientID string, scopes ...string) (name string, err error) {
	now := s.now()
	n, err := s.store.Withdraw(ctx, userID, clientID, scopes, token.ReasonRevoked, now, token.KeepRevocation(now))
	if err != nil {
		return "", unavailable("withdraw consent", err)
	}
	if n == 0 {
		return "", nil
	}
	note(ctx, audit.Event{Name: audit.ConsentWithdrawn, Client: clientID, Subject: userID})
	app := AppView{ClientID: clientID}
	if err := s.introduce(ctx, &app); err != nil {
		return "", err
	}
	return app.ClientName, s.applied(ctx)
}

// InForce returns when everything that was ended before the call is refused on
// this node.
func (s *Service) InForce(ctx context.Context) error { return s.applied(ctx) }
