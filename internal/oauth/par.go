package oauth

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"strconv"
	"strings"
	"time"

	"sallyport/internal/audit"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// pushedLife is how long a pushed request may be opened (RFC 9126 §2.2 suggests 5
// to 600 seconds). A sign-in that has begun by then may be finished.
const pushedLife = 90 * time.Second

// pushedURN is what the request_uri of a pushed request begins with (RFC 9126 §2.2).
const pushedURN = "urn:ietf:params:oauth:request_uri:"

const pushedLabel = "pushed"

// maxPushed is the longest set of parameters that is kept, as JSON in bytes, so
// that it can be sealed.
const maxPushed = 5800

// pushedContent is what is kept of a pushed request: its parameters, which are
// read again when it is opened, as everything may have changed.
type pushedContent struct {
	Params url.Values `json:"p"`
	Signed bool       `json:"s,omitempty"`
	// Instance is the attested key that the code will be bound to (ABCA §9.3).
	Instance string `json:"i,omitempty"`
}

// authenticationParams prove who the client is, and are no part of its request.
var authenticationParams = []string{"client_secret", "client_assertion", "client_assertion_type"}

// Push is a pushed authorization request in which nothing is wrong. Store keeps it.
type Push struct {
	service *Service
	client  *Client
	content pushedContent
	held    possession
}

// ReadPush reads a pushed authorization request (RFC 9126 §2.1): the client is
// authenticated as at the token endpoint, and the request judged as at the
// authorization endpoint. It keeps nothing.
func (s *Service) ReadPush(ctx context.Context, r Request) (*Push, error) {
	client, err := s.authenticate(ctx, r)
	if err != nil {
		return nil, err
	}
	if client.Type == ServiceClient {
		return nil, fail(UnauthorizedClient, "this client cannot act for a person")
	}
	in, perr := s.pushedParams(ctx, client, r)
	if perr != nil {
		return nil, perr
	}
	held, err := s.bindPush(ctx, client, r, in.params)
	if err != nil {
		return nil, err
	}
	a, page := s.begin(client, in.params)
	if page != nil {
		return nil, fail(page.Code, page.Description)
	}
	if perr := s.readAuthorize(ctx, a, in); perr != nil {
		return nil, perr
	}
	s.constants.look(ctx, a)
	return &Push{s, client, pushedContent{in.params, in.signed, client.instance}, held}, nil
}

// pushedParams are the parameters of the request itself. With a request object,
// they are its own alone (RFC 9126 §3).
func (s *Service) pushedParams(ctx context.Context, c *Client, r Request) (*asked, *Error) {
	if r.Params.Has("request_uri") {
		return nil, fail(InvalidRequest, "request_uri is not for requests that are pushed")
	}
	if jwt := r.param("request"); jwt != "" {
		params, perr := s.openRequestObject(ctx, c, jwt)
		return &asked{params: params, signed: true, push: true}, perr
	}
	params := url.Values{}
	for name, values := range r.Params {
		params[name] = values
	}
	for _, name := range authenticationParams {
		params.Del(name)
	}
	params.Set("client_id", c.ID)
	return &asked{params: params, push: true}, nil
}

// bindPush lets the DPoP proof of a pushed request say what dpop_jkt says (RFC
// 9449 §10.1).
func (s *Service) bindPush(ctx context.Context, c *Client, r Request, params url.Values) (possession, error) {
	if len(r.DPoP) == 0 {
		return possession{}, nil
	}
	if c.CertificateBound {
		return possession{}, errTwoKeys
	}
	needNonce := s.reach(params.Get("scope")).tier.Limits().ProofNonce
	held, err := s.checkProof(ctx, c.ID, r, token.ProofRequest{NeedNonce: needNonce})
	if err != nil {
		return possession{}, err
	}
	jkt := base64.RawURLEncoding.EncodeToString(held.confirm.Digest[:])
	if asked := params.Get("dpop_jkt"); asked != "" && asked != jkt {
		return possession{}, fail(InvalidDPoPProof, "dpop_jkt names another key than the DPoP proof")
	}
	params.Set("dpop_jkt", jkt)
	return held, nil
}

// Client is who pushes, and whether it has proven that.
func (p *Push) Client() (clientID string, proven bool) { return p.client.ID, !p.client.Type.Public() }

// Stranger reports whether nobody of the operator's vouches for who pushes.
func (p *Push) Stranger() bool { return p.client.lessTrusted() }

// PushResponse is the answer to a pushed request (RFC 9126 §2.2).
type PushResponse struct {
	RequestURI       string
	ExpiresInSeconds int64
	Nonce            string // for DPoP-Nonce, or empty
}

// AppendJSON appends the body of the response to dst.
func (p *PushResponse) AppendJSON(dst []byte) []byte {
	dst = token.AppendJSONString(append(dst, `{"request_uri":`...), p.RequestURI)
	dst = strconv.AppendInt(append(dst, `,"expires_in":`...), p.ExpiresInSeconds, 10)
	return append(dst, '}')
}

// Store keeps the request and spends its proof.
func (p *Push) Store(ctx context.Context) (*PushResponse, error) {
	s := p.service
	plain, err := marshal(p.content)
	if err != nil {
		return nil, unavailable("keep pushed request", err)
	}
	if len(plain) > maxPushed {
		return nil, fail(InvalidRequest, "the request is too long")
	}
	sealed, err := s.ring.Seal(secret.PendingSignIn, pushedLabel, plain)
	if err != nil {
		return nil, unavailable("keep pushed request", err)
	}
	if err := s.settle(ctx, p.client.ID, p.held); err != nil {
		return nil, err
	}
	now, handle := s.now(), secret.NewHandle(secret.PendingSignIn)
	err = s.store.AddPushed(ctx, Pushed{
		ID: secret.NewID(now), Handle: handle.Hash(), ClientID: p.client.ID, Request: sealed.Reveal(),
		ExpiresAt: now.Add(pushedLife), KeptUntil: now.Add(pushedLife + flowLife),
	})
	if err != nil {
		return nil, unavailable("keep pushed request", err)
	}
	note(ctx, audit.Event{Name: audit.RequestPushed, Client: p.client.ID})
	return &PushResponse{RequestURI: pushedURN + handle.Reveal(), ExpiresInSeconds: seconds(pushedLife), Nonce: s.nextNonce(p.held)}, nil
}

// errPushed is one answer for handles that are unknown, used up, expired or
// another client's: who guesses learns nothing.
var errPushed = fail(InvalidRequestURI, "this request is unknown, over or already answered; start again from the app")

// openPushed reads a pushed request as of now. Opening it uses nothing up: a
// person may load the page again, until they have decided.
func (s *Service) openPushed(ctx context.Context, c *Client, uri string) (*asked, *Error, error) {
	handle := strings.TrimPrefix(uri, pushedURN)
	if _, err := secret.Decode(secret.PendingSignIn, handle); err != nil {
		return nil, errPushed, nil
	}
	p, err := s.store.Pushed(ctx, secret.New(handle).Hash())
	if errors.Is(err, ErrNotFound) || err == nil && (p.ClientID != c.ID || !s.now().Before(p.ExpiresAt)) {
		return nil, errPushed, nil
	}
	if err != nil {
		return nil, nil, unavailable("find pushed request", err)
	}
	plain, err := s.ring.Open(secret.PendingSignIn, pushedLabel, p.Request)
	if err != nil { // sealed under a key that is no longer accepted
		return nil, errPushed, nil
	}
	var content pushedContent
	if err := json.Unmarshal(plain, &content); err != nil {
		return nil, nil, unavailable("read pushed request", err)
	}
	return &asked{params: content.Params, signed: content.Signed, pushed: &p, instance: content.Instance}, nil, nil
}

// takePushed uses up the pushed request that an authorization is, if it is one.
func (s *Service) takePushed(ctx context.Context, a *Authorization) error {
	if a.Pushed.IsZero() || a.Terms.GrantType != "" {
		return nil
	}
	err := s.store.TakePushed(ctx, a.Pushed)
	if errors.Is(err, ErrStale) {
		return &PageError{errPushed.Code, errPushed.Description}
	}
	if err != nil {
		return unavailable("take pushed request", err)
	}
	return nil
}
