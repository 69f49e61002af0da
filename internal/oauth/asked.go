package oauth

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"time"

	"sallyport/internal/audit"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// The grant types in which a person decides elsewhere.
const (
	grantDevice = "urn:ietf:params:oauth:grant-type:device_code"
	grantCIBA   = "urn:openid:params:grant-type:ciba"
)

// Elsewhere is what an Authorization has that did not come through the browser in
// which it is decided. It has no redirect URI, and ends in a row.
type Elsewhere struct {
	Page     string `json:"p,omitempty"` // a page of ours that only wants somebody to be signed in; then there is no client
	Purpose  string `json:"o,omitempty"` // the one act on that page for which they sign in, whoever is signed in already
	UserCode string `json:"u,omitempty"` // as the device shows it, to compare
	Message  string `json:"m,omitempty"` // binding_message, which the other device shows too
	From     string `json:"f,omitempty"` // the network address that asked
	AskedAt  int64  `json:"t,omitempty"`
}

// step is what follows the sign-in: the person is asked each time, whatever they
// have agreed to before, since nothing here proves what asks (RFC 8628 §5.4).
func (e *Elsewhere) step() Step {
	if e.Page != "" {
		return StepApprove
	}
	return StepConsent
}

// SignInFor is a request that only wants somebody to be signed in, for a page of
// ours: a path below the issuer, perhaps with a query. With a purpose it wants
// them to sign in now, for that act alone.
func (s *Service) SignInFor(page, purpose string) *Authorization {
	return &Authorization{Elsewhere: &Elsewhere{Page: page, Purpose: purpose}, ExpiresAt: s.now().Add(flowLife).Unix(), client: &Client{Name: ownPage}}
}

const ownPage = "what waits for you"

const askedSecretBytes = 32

// newAsked makes the row of a request and the credential that stands for it: the
// ID and 256 random bits, of which a hash is kept.
func (s *Service) newAsked(a *Authorization, kind secret.Prefix, life time.Duration) (Asked, secret.Value, error) {
	now := s.now()
	a.GrantID, a.Pushed = secret.NewID(now), secret.ID{}
	handle := secret.Encode(kind, append(a.GrantID[:], secret.Random(askedSecretBytes)...))
	body, err := marshal(a)
	if err != nil {
		return Asked{}, secret.Value{}, unavailable("write request", err)
	}
	if len(body) > maxPending {
		return Asked{}, secret.Value{}, fail(InvalidRequest, "the request is too long")
	}
	return Asked{
		ID: a.GrantID, Hash: handle.Hash(), GrantType: a.Terms.GrantType, ClientID: a.ClientID, ClientEpoch: a.client.Epoch,
		Request: body, State: AskedPending, CreatedAt: now, ExpiresAt: now.Add(life),
	}, handle, nil
}

// readAsked reads what a client asks for on behalf of a person elsewhere: scope
// and extensions, by the same rules as the authorization endpoint, and the key
// that the answer is bound to (RFC 9449 §10).
func (s *Service) readAsked(ctx context.Context, c *Client, r Request, grantType string) (*Authorization, possession, error) {
	a := &Authorization{ClientID: c.ID, client: c, Terms: Terms{GrantType: grantType}, Elsewhere: &Elsewhere{AskedAt: s.now().Unix()}}
	if r.Remote.IsValid() {
		a.Elsewhere.From = r.Remote.String()
	}
	if perr := a.readScope(r.Params); perr != nil {
		return nil, possession{}, perr
	}
	if perr := s.readExtensions(ctx, a, r.Params); perr != nil {
		return nil, possession{}, perr
	}
	a.Terms.GrantType, a.Terms.ClientKey = grantType, c.instance
	held, err := s.bindAsked(ctx, a, r, s.reachOf(a.Scope, a.Terms.Details).tier)
	return a, held, err
}

// bindAsked binds the request to the key of its DPoP proof or of dpop_jkt: then
// nobody else can redeem it.
func (s *Service) bindAsked(ctx context.Context, a *Authorization, r Request, tier token.Tier) (possession, error) {
	a.JKT = r.param("dpop_jkt")
	if a.JKT != "" && !validThumbprint(a.JKT) {
		return possession{}, fail(InvalidRequest, "dpop_jkt must be the SHA-256 thumbprint of a key, 43 base64url characters")
	}
	if len(r.DPoP) == 0 {
		return possession{}, nil
	}
	held, err := s.checkProof(ctx, a.ClientID, r, token.ProofRequest{NeedNonce: tier.Limits().ProofNonce})
	if err != nil {
		return possession{}, err
	}
	jkt := base64.RawURLEncoding.EncodeToString(held.confirm.Digest[:])
	if a.JKT != "" && a.JKT != jkt {
		return possession{}, fail(InvalidDPoPProof, "dpop_jkt is not the key of the DPoP proof")
	}
	a.JKT = jkt
	return held, nil
}

// openAsked makes the Authorization that a person decides from a row.
func (s *Service) openAsked(ctx context.Context, row *Asked) (*Authorization, error) {
	var a Authorization
	if err := json.Unmarshal(row.Request, &a); err != nil {
		return nil, unavailable("read request", err)
	}
	a.GrantID, a.ExpiresAt = row.ID, row.ExpiresAt.Unix()
	return s.standsFor(ctx, &a)
}

var errAskedGone = &PageError{InvalidRequest, "this request was answered already, or it took too long; start again on the other device"}

// decide writes down what the person decided. The row decides a race.
func (s *Service) decide(ctx context.Context, a *Authorization, to AskedState, by Session, now time.Time) error {
	row, err := s.store.Asked(ctx, a.GrantID)
	if errors.Is(err, ErrNotFound) {
		return errAskedGone
	}
	if err != nil {
		return unavailable("find request", err)
	}
	var posts []Post
	if row.Sealed != "" {
		p, err := s.pingOf(&row)
		if err != nil {
			return err
		}
		posts = append(posts, p)
	}
	switch err := s.store.DecideAsked(ctx, a.GrantID, to, by, now, posts); {
	case errors.Is(err, ErrStale):
		return errAskedGone
	case err != nil:
		return unavailable("decide request", err)
	}
	return nil
}

func (s *Service) approveAsked(ctx context.Context, a *Authorization, session *Session) (Outcome, error) {
	if a.Elsewhere.Page != "" {
		return Outcome{Location: s.issuer + a.Elsewhere.Page}, nil
	}
	if err := s.decide(ctx, a, AskedAllowed, *session, s.now()); err != nil {
		return Outcome{}, err
	}
	note(ctx, audit.Event{Name: audit.ConsentGiven, Client: a.ClientID, Subject: session.UserID, Grant: a.GrantID.String(), Reason: a.Terms.GrantType})
	s.tellPerson(ctx, session.UserID, ToldConnected, a.ClientID)
	return Outcome{Done: DoneAllowed}, nil
}

func (s *Service) denyAsked(ctx context.Context, a *Authorization) (Outcome, error) {
	if err := s.decide(ctx, a, AskedDenied, Session{UserID: a.HintSubject}, s.now()); err != nil {
		return Outcome{}, err
	}
	note(ctx, audit.Event{Name: audit.ConsentDenied, Client: a.ClientID, Grant: a.GrantID.String(), Reason: a.Terms.GrantType})
	return Outcome{Done: DoneDenied}, nil
}
