package oauth

import (
	"context"
	"errors"

	"sallyport/internal/audit"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// errNotManager is the one answer to a registration access token that does not
// count, whatever the client_id: nothing says which clients there are (RFC 7592
// §2.1 leaves that open, §5 asks for it).
var errNotManager = fail(InvalidToken, "the registration access token is not one of this client")

// manager returns the registration of a client if the request has its
// registration access token (RFC 7592 §2). One of a disabled client counts for
// nothing.
func (s *Service) manager(ctx context.Context, r Request, clientID string) (Registration, error) {
	sent, ok := bearerOf(r)
	if !ok || sent.IsZero() {
		return Registration{}, errNotManager
	}
	if _, err := secret.Decode(secret.Registration, sent.Reveal()); err != nil || len(clientID) > maxClientID {
		return Registration{}, errNotManager
	}
	reg, err := s.store.Registration(ctx, clientID)
	switch {
	case errors.Is(err, ErrNotFound):
		return Registration{}, errNotManager
	case err != nil:
		return Registration{}, unavailable("find registration", err)
	case !reg.Token.Equal(sent.Hash()) || reg.Token == (secret.Hash{}) || reg.Client.Disabled:
		return Registration{}, errNotManager
	}
	return reg, nil
}

// ReadRegistration returns what a client is registered with (RFC 7592 §2.1). The
// secret is not among it: only its hash is kept. The token stays the same, so
// that reading is safe to repeat.
func (s *Service) ReadRegistration(ctx context.Context, r Request, clientID string) (*Registered, error) {
	reg, err := s.manager(ctx, r, clientID)
	if err != nil {
		return nil, err
	}
	sent, _ := bearerOf(r)
	return &Registered{Client: reg.Client, Token: sent, URI: s.registrationURI(clientID), Statement: reg.Statement}, nil
}

// UpdateRegistration replaces all that a client is registered with (RFC 7592
// §2.2). What body leaves out gets its default again. The client keeps its ID,
// its type and its secret, and gets another registration access token.
func (s *Service) UpdateRegistration(ctx context.Context, r Request, clientID string, body []byte) (*Registered, error) {
	reg, err := s.manager(ctx, r, clientID)
	if err != nil {
		return nil, err
	}
	if !s.registrar.open() {
		return nil, ErrRegistrationClosed
	}
	c, m, err := s.readClient(ctx, body)
	if err != nil {
		return nil, err
	}
	if reg.Statement != "" && m.Statement == "" {
		// It is trusted for what the statement says, and would no longer be held to it.
		return nil, fail(InvalidSoftwareStatement, "software_statement is missing: the client has registered with one")
	}
	before := &reg.Client
	if perr := m.mayUpdate(before, c); perr != nil {
		return nil, perr
	}
	now := s.now()
	c.ID, c.Type, c.Epoch, c.Origin, c.CreatedAt = before.ID, before.Type, before.Epoch, before.Origin, before.CreatedAt
	out := &Registered{Client: *c, Token: secret.NewHandle(secret.Registration), URI: s.registrationURI(c.ID), Statement: m.Statement}
	if out.Client.UsesSecret() && len(before.Secrets) > 0 {
		out.Client.Secrets = before.Secrets
	} else {
		out.makeSecret(now, s.registrar.SecretLife)
	}
	next := Registration{Client: out.Client, Token: out.Token.Hash(), Statement: m.Statement}
	err = s.store.UpdateRegistration(ctx, next, reg.Token, now, token.KeepRevocation(now))
	switch {
	case errors.Is(err, ErrStale):
		return nil, errNotManager // another update was first
	case err != nil:
		return nil, unavailable("update registration", err)
	}
	if err := s.applied(ctx); err != nil {
		return nil, err
	}
	note(ctx, audit.Event{Name: audit.ClientUpdated, Client: c.ID})
	return out, nil
}

// mayUpdate refuses what an update must not say (RFC 7592 §2.2).
func (m *clientMetadata) mayUpdate(before, after *Client) *Error {
	for _, name := range ofServer {
		if m.named[name] {
			return fail(InvalidRequest, name+" must not be in an update")
		}
	}
	switch {
	case m.ClientID != before.ID:
		return fail(InvalidRequest, "client_id must be that of the client")
	case m.named["client_secret"] && !before.hasSecret(m.secret):
		return fail(InvalidRequest, "client_secret cannot be chosen: leave it out, or send the one that you have")
	case after.Type != before.Type:
		return fail(InvalidClientMetadata, "a client cannot become one of another kind: register anew")
	}
	return nil
}

func (c *Client) hasSecret(v secret.Value) bool {
	h, ok := v.Hash(), false
	for _, s := range c.Secrets {
		ok = s.Hash.Equal(h) || ok
	}
	return ok
}

// RemoveRegistration removes a client, and ends all its tokens and grants (RFC
// 7592 §2.3).
func (s *Service) RemoveRegistration(ctx context.Context, r Request, clientID string) error {
	reg, err := s.manager(ctx, r, clientID)
	if err != nil {
		return err
	}
	now := s.now()
	err = s.store.RemoveRegistration(ctx, clientID, reg.Token, now, token.KeepRevocation(now))
	switch {
	case errors.Is(err, ErrStale), errors.Is(err, ErrNotFound):
		return errNotManager
	case err != nil:
		return unavailable("remove registration", err)
	}
	if err := s.applied(ctx); err != nil {
		return err
	}
	note(ctx, audit.Event{Name: audit.ClientRemoved, Client: clientID})
	return nil
}

// used notes, once, that a client which registered itself has been given a token.
func (s *Service) used(ctx context.Context, c *Client) error {
	if !c.Unused {
		return nil
	}
	if err := s.store.UseRegistration(ctx, c.ID); err != nil {
		return unavailable("note use of client", err)
	}
	s.clients.forget(c.ID)
	return nil
}
