package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"time"

	"sallyport/internal/audit"
	"sallyport/internal/secret"
	"sallyport/internal/token"
	"sallyport/internal/token/jose"
)

// What a found credential is called.
const (
	kindAccess  = "access_token"
	kindRefresh = "refresh_token"
	kindCode    = "authorization_code"
	kindFlow    = "pending_sign_in"
	kindSecret  = "client_secret"
	kindSession = "session_cookie"
	kindMaster  = "master_key"
	kindBrowser = "browser_session"
	kindDevice  = "device_code"
	kindCIBA    = "auth_req_id"
	kindID      = "id_token"
	kindInner   = "inner_token"
	kindAPIKey  = "api_key"
)

// leakedAPIKey ends an API key. In the place of a client stands the key, which is
// nobody who could be told.
func (s *Service) leakedAPIKey(ctx context.Context, l *leak) ([]LeakFinding, error) {
	h := l.value.Hash()
	id, err := s.store.APIKeyOf(ctx, h)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	l.is(kindAPIKey, audit.ActionTokenRevoked, token.KeySubject(id), "")
	return l.end(func(e Ending) (Ended, error) { return s.store.LeakAPIKey(ctx, id, e) })
}

// leakedAccess ends the token alone: its grant is not in the hands of who has it.
func (s *Service) leakedAccess(ctx context.Context, l *leak) ([]LeakFinding, error) {
	var a token.Access
	if s.ring.OpenAccess(l.value.Reveal(), &a) != nil {
		return nil, nil //nolint:nilerr // what does not open is not ours
	}
	return s.leakedToken(ctx, l, &a)
}

func (s *Service) leakedToken(ctx context.Context, l *leak, a *token.Access) ([]LeakFinding, error) {
	userID := ""
	if a.IsPerson() {
		userID, l.Grant = a.Subject, a.GrantID.String()
	}
	l.is(kindAccess, audit.ActionTokenRevoked, a.ClientID, userID)
	if a.Expired(l.now) || s.feed.Revoked(a) {
		return l.finding(Ended{}), nil
	}
	return l.end(func(e Ending) (Ended, error) { return s.store.LeakSerial(ctx, a.Serial, e) })
}

// leakedRefresh ends the grant, whichever generation was found: who has an old
// one may have the next.
func (s *Service) leakedRefresh(ctx context.Context, l *leak) ([]LeakFinding, error) {
	parsed, err := token.ParseRefresh(l.value.Reveal())
	if err != nil {
		return nil, nil //nolint:nilerr // what is malformed is not ours
	}
	g, err := s.store.Grant(ctx, parsed.GrantID)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil || !s.ring.CheckRefresh(parsed, g.Salt) {
		return nil, err
	}
	l.is(kindRefresh, audit.ActionGrantRevoked, g.ClientID, g.UserID)
	l.Grant = g.ID.String()
	return l.end(func(e Ending) (Ended, error) { return s.store.LeakGrant(ctx, g.ID, e) })
}

// leakedCode sees to it that the code is never redeemed, or ends what it was
// redeemed for.
func (s *Service) leakedCode(ctx context.Context, l *leak) ([]LeakFinding, error) {
	plain, err := s.ring.Open(secret.AuthCode, codeLabel, l.value.Reveal())
	if err != nil {
		return nil, nil //nolint:nilerr // what does not open is not ours
	}
	var k code
	if err := json.Unmarshal(plain, &k); err != nil {
		return nil, err
	}
	l.is(kindCode, audit.ActionGrantRevoked, k.ClientID, k.UserID)
	l.Grant = k.GrantID.String()
	expires := time.Unix(k.ExpiresAt, 0)
	if !l.now.Before(expires) { // it cannot be redeemed any more, but it may have been
		return l.end(func(e Ending) (Ended, error) { return s.store.LeakGrant(ctx, k.GrantID, e) })
	}
	dead := Grant{
		ID: k.GrantID, ClientID: k.ClientID, UserID: k.UserID, SID: k.SID, CreatedAt: l.now, RotatedAt: l.now, AuthTime: time.Unix(k.AuthTime, 0),
		Salt: secret.Random(16), IdleUntil: expires, AbsoluteUntil: expires,
	}
	return l.end(func(e Ending) (Ended, error) { return s.store.LeakCode(ctx, dead, e) })
}

// The labels of a pending sign-out and of what is shown after one, which are
// flows too.
const (
	LogoutLabel    = "web.logout"
	SignedOutLabel = "web.signed_out"
)

// leakedAsked sees to it that nothing comes of a request that is decided
// elsewhere, or ends the grant that it has led to.
func (s *Service) leakedAsked(ctx context.Context, l *leak) ([]LeakFinding, error) {
	payload, err := secret.Decode(l.kind, l.value.Reveal())
	if err != nil || len(payload) != len(secret.ID{})+askedSecretBytes {
		return nil, nil //nolint:nilerr // what is malformed is not ours
	}
	row, err := s.store.Asked(ctx, secret.ID(payload[:len(secret.ID{})]))
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil || !row.Hash.Equal(l.value.Hash()) {
		return nil, err
	}
	kind := kindDevice
	if row.GrantType == grantCIBA {
		kind = kindCIBA
	}
	l.is(kind, audit.ActionGrantRevoked, row.ClientID, row.UserID)
	l.Grant = row.ID.String()
	return l.end(func(e Ending) (Ended, error) { return s.store.LeakAsked(ctx, row.ID, e) })
}

// leakedFlow: a pending request opens nothing but a sign-in page in the browser
// that it belongs to, for minutes. There is nothing to end.
func (s *Service) leakedFlow(ctx context.Context, l *leak) ([]LeakFinding, error) {
	for _, label := range []string{flowLabel, LogoutLabel, SignedOutLabel} {
		if _, err := s.ring.Open(secret.PendingSignIn, label, l.value.Reveal()); err == nil {
			l.is(kindFlow, audit.ActionNone, "", "")
			return s.tell(ctx, l)
		}
	}
	return nil, nil
}

// leakedSecret ends a client secret without overlap, and the tokens that the
// client has for itself. A secret that clients share is found for each.
func (s *Service) leakedSecret(ctx context.Context, l *leak) ([]LeakFinding, error) {
	h := l.value.Hash()
	inFile := s.clients.hashes[h]
	stored, err := s.store.SecretOwners(ctx, h)
	if err != nil {
		return nil, err
	}
	var all []LeakFinding
	for i, clientID := range append(slices.Clone(inFile), stored...) {
		l.is(kindSecret, audit.ActionSecretEnded, clientID, "")
		found, err := l.end(func(e Ending) (Ended, error) { return s.store.LeakSecret(ctx, clientID, h, i < len(inFile), e) })
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// leakedSession signs the browser out.
func (s *Service) leakedSession(ctx context.Context, l *leak) ([]LeakFinding, error) {
	payload, err := secret.Decode(secret.SessionCookie, l.value.Reveal())
	if err != nil || len(payload) < len(secret.ID{}) {
		return nil, nil //nolint:nilerr // what is malformed is not ours
	}
	sid, userID, err := s.store.SessionOf(ctx, secret.ID(payload[:len(secret.ID{})]), l.value.Hash())
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	l.is(kindSession, audit.ActionSessionEnded, "", userID)
	return l.end(func(e Ending) (Ended, error) { return s.store.LeakSession(ctx, sid, e) })
}

// leakedBrowserSession ends what the tokens behind the cookie of a browser app came
// from, and so them.
func (s *Service) leakedBrowserSession(ctx context.Context, l *leak) ([]LeakFinding, error) {
	payload, err := secret.Decode(secret.BrowserSession, l.value.Reveal())
	if err != nil || len(payload) < len(secret.ID{}) {
		return nil, nil //nolint:nilerr // what is malformed is not ours
	}
	id, err := s.store.BrowserGrant(ctx, secret.ID(payload[:len(secret.ID{})]), l.value.Hash())
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	g, err := s.store.Grant(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	l.is(kindBrowser, audit.ActionGrantRevoked, g.ClientID, g.UserID)
	l.Grant = id.String()
	return l.end(func(e Ending) (Ended, error) { return s.store.LeakGrant(ctx, id, e) })
}

// leakedMaster: no node can change the master key by itself. People must.
func (s *Service) leakedMaster(ctx context.Context, l *leak) ([]LeakFinding, error) {
	if s.isMaster == nil || !s.isMaster(l.value) {
		return nil, nil
	}
	l.Event = audit.LeakMasterKey
	l.is(kindMaster, audit.ActionNotPossible, "", "")
	return s.tell(ctx, l)
}

// jwtKinds are the JWTs that we sign. One that has ended long ago is still
// somebody's.
var jwtKinds = []struct {
	kind, typ string
	purpose   token.Purpose
	algorithm jose.Algorithm
}{
	{kindAccess, token.TypeAccess, token.SignAccess, jose.ES256},
	{kindID, "jwt", token.SignIDToken, jose.ES256},
	{kindID, "jwt", token.SignIDTokenRSA, jose.RS256},
	{kindInner, token.TypeInner, token.SignInner, jose.EdDSA},
}

// jwtVerifiers are made in the order of jwtKinds.
func (s *Service) jwtVerifiers() ([]*jose.Verifier, error) {
	var list []*jose.Verifier
	for _, k := range jwtKinds {
		v, err := jose.NewVerifier(jose.Profile{
			Purpose: "leaked " + k.kind, Types: []string{k.typ}, Algorithms: []jose.Algorithm{k.algorithm},
			Keys: s.ring.KeySource(k.purpose), Issuer: jose.Exactly(s.issuer), Audience: jose.Any(),
			MaxLife: token.MaxAccessLifetime, AllowExpired: true, Now: s.now,
		})
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

// leakedJWT ends an access token by its jti. An ID token and an inner token give
// no access at our doors: there is nothing to end, but they are personal data,
// and where they were found is a fault.
func (s *Service) leakedJWT(ctx context.Context, l *leak) ([]LeakFinding, error) {
	var a token.Access
	if _, err := s.reader.Open(ctx, l.value.Reveal(), &a); err == nil {
		return s.leakedToken(ctx, l, &a)
	}
	for i, k := range jwtKinds {
		c, err := s.leaked[i].Verify(ctx, l.value.Reveal())
		if err != nil {
			continue
		}
		a = token.Access{Subject: c.Subject}
		if a.ClientID, err = c.String("client_id"); err != nil {
			return nil, err
		}
		if k.kind == kindID && len(c.Audience) == 1 { // its audience is the client
			a.ClientID = c.Audience[0]
		}
		userID := ""
		if a.IsPerson() {
			userID = a.Subject
		}
		l.is(k.kind, audit.ActionNone, a.ClientID, userID)
		if k.kind == kindAccess {
			return l.finding(Ended{}), nil
		}
		return s.tell(ctx, l)
	}
	return nil, nil
}

// tell is for what cannot be ended, so that nothing says whether it was reported
// before: within an hour, a node tells of it once.
func (s *Service) tell(ctx context.Context, l *leak) ([]LeakFinding, error) {
	if !s.told.first(l.value.Hash(), l.now) {
		return []LeakFinding{{Leak: l.Leak}}, nil
	}
	notices, err := l.notices()
	if err != nil {
		return nil, err
	}
	lost, err := s.store.Tell(ctx, notices)
	return []LeakFinding{{Leak: l.Leak, Lost: lost}}, err
}

// toldOnce remembers what people were told of lately. Safe for concurrent use.
type toldOnce struct {
	mu sync.Mutex
	m  map[secret.Hash]time.Time
}

const (
	toldFor = time.Hour
	maxTold = 1000
)

func (t *toldOnce) first(h secret.Hash, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if at, known := t.m[h]; known && now.Sub(at) < toldFor {
		return false
	}
	if t.m == nil || len(t.m) >= maxTold {
		t.m = map[secret.Hash]time.Time{}
	}
	t.m[h] = now
	return true
}
