package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"sallyport/internal/audit"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// codeLife is how long a code may be redeemed.
const codeLife = 60 * time.Second

const (
	codeLabel = "code"
	flowLabel = "flow"
)

// code is what an authorization code says. It travels sealed, and nothing is
// stored for it: the grant that it names exists once it has been redeemed.
type code struct {
	GrantID     secret.ID `json:"g"`
	ClientID    string    `json:"c"`
	ClientEpoch secret.ID `json:"k"`
	RedirectURI string    `json:"r"`
	Challenge   string    `json:"p"`
	UserID      string    `json:"u"`
	SID         secret.ID `json:"s"`
	Scope       string    `json:"o"`
	Nonce       string    `json:"n"`
	ACR         string    `json:"a"`
	AMR         string    `json:"m"`
	AuthTime    int64     `json:"t"`
	ExpiresAt   int64     `json:"e"`
	JKT         string    `json:"j,omitempty"` // dpop_jkt of the request
	Terms       Terms     `json:"w,omitzero"`
}

var errCode = fail(InvalidGrant, "the code is wrong, used or expired")

// exchangeCode redeems an authorization code (OAuth 2.1 §4.1.3). Client,
// redirect URI and verifier must all fit before the code counts as presented:
// one who has only seen the code can neither use nor burn it.
func (s *Service) exchangeCode(ctx context.Context, c *Client, r Request) (*TokenResponse, error) {
	presented, verifier := r.param("code"), r.param("code_verifier")
	if presented == "" {
		return nil, fail(InvalidRequest, "code is missing")
	}
	if verifier != "" && !validVerifier(verifier) {
		return nil, fail(InvalidRequest, "code_verifier must be 43 to 128 unreserved characters")
	}
	plain, err := s.ring.Open(secret.AuthCode, codeLabel, presented)
	if err != nil {
		return nil, errCode
	}
	var k code
	if err := json.Unmarshal(plain, &k); err != nil {
		return nil, unavailable("read code", err)
	}
	// With PKCE it may be left out (OAuth 2.1 §4.1.3); without, nothing else tells
	// a client that the code it was brought is not of this request.
	redirectFits := r.param("redirect_uri") == k.RedirectURI || !r.Params.Has("redirect_uri") && k.Challenge != ""
	if k.ClientID != c.ID || !k.Terms.fit(c) || !redirectFits || !k.verifiedBy(c, verifier) {
		return nil, errCode
	}
	need := k.confirmation()
	to, perr := s.aimRequest(r, k.Scope, &k.Terms)
	if perr != nil {
		return nil, perr
	}
	held, err := s.possess(ctx, c, r, s.reachOf(k.Scope, k.Terms.Details).tier, need)
	if err != nil {
		return nil, err
	}
	if need.Method != token.ConfirmNone && held.confirm != need { // RFC 9449 §10
		return nil, errCode
	}
	now := s.now()
	if now.Unix() >= k.ExpiresAt {
		return nil, s.lateCode(ctx, &k, now)
	}
	return s.redeem(ctx, c, &k, to, held, now)
}

// verifiedBy reports whether the verifier is the one of the request. A code
// without a challenge is for a client that may leave it out, and takes no
// verifier: who sends one has another code than it believes (RFC 9700 §4.8.2). A
// missing one is a wrong one (RFC 7636 §4.6).
func (k *code) verifiedBy(c *Client, verifier string) bool {
	if k.Challenge == "" {
		return verifier == "" && c.mayOmitPKCE()
	}
	return matchVerifier(k.Challenge, verifier)
}

// confirmation is the key that dpop_jkt has bound the code to.
func (k *code) confirmation() token.Confirmation { return keyOf(k.JKT) }

func (s *Service) redeem(ctx context.Context, c *Client, k *code, to aim, held possession, now time.Time) (*TokenResponse, error) {
	whole := s.reachOf(k.Scope, k.Terms.Details)
	life := c.lives(whole.tier)
	g := Grant{
		ID: k.GrantID, ClientID: k.ClientID, ClientEpoch: k.ClientEpoch, UserID: k.UserID, SID: k.SID,
		Scope: k.Scope, Audience: whole.audience, ACR: k.ACR, AMR: k.AMR, AuthTime: time.Unix(k.AuthTime, 0),
		Nonce: k.Nonce, CreatedAt: now, Refreshable: c.mayRefresh(), Generation: 1, Salt: secret.Random(16), RotatedAt: now,
		IdleUntil: now.Add(life.idle), AbsoluteUntil: now.Add(life.absolute),
		Confirm: held.binds(c), ConfirmedFrom: 1, Terms: k.Terms,
	}
	if g.Confirm.Method == token.ConfirmNone {
		g.ConfirmedFrom = 0
	}
	g.Terms.ClientKey = c.instance
	// Tokens are made first: a signer that fails leaves the code unspent.
	res, err := s.firstTokens(ctx, c, &g, to, held, now)
	if err != nil {
		return nil, err
	}
	switch err := s.store.RedeemCode(ctx, g); {
	case errors.Is(err, ErrExists):
		return nil, s.replayedCode(ctx, k, now)
	case errors.Is(err, ErrStale): // person, session or client ended since
		return nil, errCode
	case err != nil:
		return nil, unavailable("redeem code", err)
	}
	note(ctx, audit.Event{Name: audit.CodeRedeemed, Client: g.ClientID, Subject: g.UserID, Grant: g.ID.String()})
	return res, nil
}

// lateCode tells an expired code that was never used from a late replay.
func (s *Service) lateCode(ctx context.Context, k *code, now time.Time) error {
	_, err := s.store.Grant(ctx, k.GrantID)
	if errors.Is(err, ErrNotFound) {
		return errCode
	}
	if err != nil {
		return unavailable("find grant", err)
	}
	return s.replayedCode(ctx, k, now)
}

// replayedCode ends what the first use of the code gave out (OAuth 2.1 §7.5.2).
func (s *Service) replayedCode(ctx context.Context, k *code, now time.Time) error {
	note(ctx, audit.Event{Name: audit.CodeReplayed, Client: k.ClientID, Subject: k.UserID, Grant: k.GrantID.String()})
	if err := s.revokeGrant(ctx, k.GrantID, token.ReasonCodeReplay, now); err != nil {
		return err
	}
	return errCode
}

func (s *Service) revokeGrant(ctx context.Context, id secret.ID, reason string, now time.Time) error {
	if err := s.store.RevokeGrant(ctx, id, reason, now, token.KeepRevocation(now)); err != nil {
		return unavailable("revoke grant", err)
	}
	return s.applied(ctx)
}
