package oauth

import (
	"context"
	"encoding/hex"
	"errors"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"sallyport/internal/audit"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

const (
	cibaLife    = 5 * time.Minute
	cibaLifeMax = 15 * time.Minute // of requested_expiry
	// CIBAPath is where people find what waits for them, below the issuer.
	CIBAPath = "/ciba"
	// maxCIBAWaiting is how many requests of one client may wait for whoever it
	// names in one way, so that nobody is buried in questions.
	maxCIBAWaiting  = 20
	maxNotifyToken  = 1024 // characters, CIBA Core §7.1
	maxBindingRunes = 64
	maxHintRunes    = 320
	cibaPing        = "ping"
	cibaPoll        = "poll"
	cibaHintLabel   = "ciba hint:"
)

// cibaModes are the ways in which a client learns that somebody has answered.
// Push is not among them: FAPI-CIBA §5.2.2 forbids it.
var cibaModes = []string{cibaPoll, cibaPing}

// CIBAResponse is a successful answer of the backchannel authentication endpoint
// (CIBA Core §7.3).
type CIBAResponse struct {
	AuthRequestID    secret.Value
	ExpiresInSeconds int64
	IntervalSeconds  int64
	Nonce            string // for DPoP-Nonce, or empty
}

// AppendJSON appends the body of the response to dst.
func (b *CIBAResponse) AppendJSON(dst []byte) []byte {
	dst = token.AppendJSONString(append(dst, `{"auth_req_id":`...), b.AuthRequestID.Reveal())
	dst = strconv.AppendInt(append(dst, `,"expires_in":`...), b.ExpiresInSeconds, 10)
	dst = strconv.AppendInt(append(dst, `,"interval":`...), b.IntervalSeconds, 10)
	return append(dst, '}')
}

// BackchannelAuthentication answers the backchannel authentication endpoint (CIBA
// Core §7). A hint that names nobody is answered like one that names somebody, and
// then nobody answers: see ADR 0021.
func (s *Service) BackchannelAuthentication(ctx context.Context, r Request) (*CIBAResponse, error) {
	c, err := s.authenticateFor(ctx, r, grantCIBA)
	if err != nil {
		return nil, err
	}
	signed, err := s.openCIBARequest(ctx, c, r)
	if err != nil {
		return nil, err
	}
	r.Params = signed.params
	a, held, err := s.readAsked(ctx, c, r, grantCIBA)
	if err != nil {
		return nil, err
	}
	q, perr := readCIBA(c, a, r.Params)
	if perr != nil {
		return nil, perr
	}
	who, perr, err := s.personHinted(ctx, c, r.Params)
	switch {
	case perr != nil:
		return nil, perr
	case err != nil:
		return nil, err
	}
	if err := s.spendRequest(ctx, signed); err != nil {
		return nil, err
	}
	if err := s.settle(ctx, c.ID, held); err != nil {
		return nil, err
	}
	handle, err := s.addCIBA(ctx, a, q, who)
	if err != nil {
		return nil, err
	}
	return &CIBAResponse{AuthRequestID: handle, ExpiresInSeconds: seconds(q.life), IntervalSeconds: seconds(pollInterval), Nonce: s.nextNonce(held)}, nil
}

// ciba is what a request has beyond what every request has.
type ciba struct {
	life   time.Duration
	notify secret.Value // client_notification_token
}

func readCIBA(c *Client, a *Authorization, p url.Values) (*ciba, *Error) {
	q := &ciba{life: cibaLife, notify: secret.New(p.Get("client_notification_token"))}
	a.Elsewhere.Message = p.Get("binding_message")
	switch {
	case !contains(a.Scope, "openid"):
		return nil, fail(InvalidScope, "scope must have openid")
	case !validBindingMessage(a.Elsewhere.Message):
		return nil, fail(InvalidBindingMessage, "binding_message may have 64 characters that can be shown on one line")
	case a.Elsewhere.Message == "" && len(a.Terms.Details) == 0 && c.profile().bound:
		return nil, fail(InvalidRequest, "binding_message or authorization_details is needed with this client's profile") // FAPI-CIBA §5.2.2
	case c.Settings.CIBAMode == cibaPing && q.notify.IsZero():
		return nil, fail(InvalidRequest, "client_notification_token is missing")
	case !validBearer(q.notify.Reveal()):
		return nil, fail(InvalidRequest, "client_notification_token must be at most 1024 characters of a bearer token")
	}
	if text := p.Get("requested_expiry"); text != "" {
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil || n <= 0 {
			return nil, fail(InvalidRequest, "requested_expiry must be a positive number of seconds")
		}
		q.life = min(time.Duration(n)*time.Second, cibaLifeMax)
	}
	return q, nil
}

// validBindingMessage keeps to what two screens show alike.
func validBindingMessage(m string) bool {
	return utf8.ValidString(m) && utf8.RuneCountInString(m) <= maxBindingRunes && strings.TrimSpace(m) == m &&
		!strings.ContainsFunc(m, func(c rune) bool { return !unicode.IsPrint(c) })
}

// validBearer checks the form of RFC 6750 §2.1, empty too.
func validBearer(t string) bool {
	return len(t) <= maxNotifyToken && !strings.ContainsFunc(t, func(c rune) bool {
		return c > 0x7e || !strings.ContainsRune("-._~+/=", c) && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z')
	})
}

// hinted is whom the client means.
type hinted struct {
	user User   // no ID: nobody
	key  string // digest of how it said so
}

// personHinted reads the one hint of a request (CIBA Core §7.1). Nobody is no
// error.
func (s *Service) personHinted(ctx context.Context, c *Client, p url.Values) (hinted, *Error, error) {
	login, idToken := p.Get("login_hint"), p.Get("id_token_hint")
	switch {
	case p.Has("login_hint_token"):
		return hinted{}, fail(InvalidRequest, "login_hint_token is not supported: use login_hint or id_token_hint"), nil
	case (login == "") == (idToken == ""):
		return hinted{}, fail(InvalidRequest, "exactly one of login_hint and id_token_hint is needed"), nil
	case utf8.RuneCountInString(login) > maxHintRunes:
		return hinted{}, fail(InvalidRequest, "login_hint is too long"), nil
	}
	h := hinted{key: hex.EncodeToString(s.ring.MAC(token.MACForm, []byte(cibaHintLabel), []byte(login+idToken)))}
	var err error
	if login != "" {
		h.user, err = s.store.UserByHint(ctx, login)
	} else {
		hint, page := s.readHint(ctx, idToken)
		if page != nil || hint.Audience != c.ID {
			return hinted{}, fail(InvalidRequest, "id_token_hint is not an ID token of this issuer for this client"), nil
		}
		h.user, err = s.users.User(ctx, hint.Subject)
	}
	if errors.Is(err, ErrNotFound) || err == nil && h.user.Disabled {
		h.user = User{}
		return h, nil, nil
	}
	if err != nil {
		return hinted{}, nil, unavailable("find person", err)
	}
	return h, nil, nil
}

// addCIBA makes the row and the mail to the person in one transaction.
func (s *Service) addCIBA(ctx context.Context, a *Authorization, q *ciba, who hinted) (secret.Value, error) {
	a.HintSubject = who.user.ID
	row, handle, err := s.newAsked(a, secret.AuthRequestID, q.life)
	if err != nil {
		return secret.Value{}, err
	}
	row.UserID, row.Hint = who.user.ID, who.key
	if row.UserID == "" {
		row.State = AskedNobody
	}
	if a.client.Settings.CIBAMode == cibaPing {
		if row.Sealed, err = s.sealPing(handle, q.notify); err != nil {
			return secret.Value{}, err
		}
	}
	var mail []Notice
	if row.UserID != "" {
		if mail, err = s.askByMail(a, &row); err != nil {
			return secret.Value{}, err
		}
	}
	switch err := s.store.AddAsked(ctx, row, maxCIBAWaiting, mail); {
	case errors.Is(err, ErrStale):
		return secret.Value{}, fail(TooManyRequests, "too many requests wait for the same person")
	case err != nil:
		return secret.Value{}, unavailable("add request", err)
	}
	e := audit.Event{Name: audit.CIBAAsked, Client: a.ClientID, Subject: row.UserID, Grant: row.ID.String()}
	if row.UserID == "" {
		e.Reason = "nobody"
	}
	note(ctx, e)
	return handle, nil
}

// WaitingView is one request that waits for a person.
type WaitingView struct {
	ID         string
	ClientName string
	Message    string
	AskedAt    time.Time
	ExpiresAt  time.Time
}

// Waiting lists what waits for a person, the newest first.
func (s *Service) Waiting(ctx context.Context, userID string) ([]WaitingView, error) {
	rows, err := s.store.AskedOf(ctx, userID, s.now())
	if err != nil {
		return nil, unavailable("list requests", err)
	}
	var list []WaitingView
	for i := range rows {
		a, err := s.openAsked(ctx, &rows[i])
		var gone *PageError
		if errors.As(err, &gone) { // the client is gone
			continue
		}
		if err != nil {
			return nil, err
		}
		list = append(list, WaitingView{rows[i].ID.String(), a.client.DisplayName(), a.Elsewhere.Message, rows[i].CreatedAt, rows[i].ExpiresAt})
	}
	return list, nil
}

// OpenWaiting finds the request with an ID, which is no secret: whoever opens it
// must still be the person that it waits for.
func (s *Service) OpenWaiting(ctx context.Context, id string) (*Authorization, error) {
	parsed, err := secret.ParseID(id)
	if err != nil {
		return nil, errAskedGone
	}
	row, err := s.store.Asked(ctx, parsed)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, unavailable("find request", err)
	}
	if err != nil || row.GrantType != grantCIBA || row.State != AskedPending || !s.now().Before(row.ExpiresAt) {
		return nil, errAskedGone
	}
	return s.openAsked(ctx, &row)
}
