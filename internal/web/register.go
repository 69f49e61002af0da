package web

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"sallyport/internal/oauth"
	"sallyport/internal/ratelimit"
)

// metadataTimeout is how long a client may take to send its metadata.
const metadataTimeout = 10 * time.Second

// register is the registration endpoint (RFC 7591 §3). Attempts are counted for
// the network that they come from, whether they succeed or not.
func (s *site) register(w http.ResponseWriter, r *http.Request, _ url.Values) error {
	return s.guardRegistration(w, r, func(req oauth.Request) error {
		if err := s.allow(w, r, ratelimit.Register, ratelimit.Network(req.Remote), "registrations"); err != nil {
			return err
		}
		body, err := readJSON(w, r, oauth.MaxRegistration, metadataTimeout)
		if err != nil {
			return err
		}
		return answerRegistered(w, r, http.StatusCreated)(s.oauth.Register(r.Context(), req, body))
	})
}

// readClient, updateClient and removeClient are the client configuration
// endpoint (RFC 7592 §2).
func (s *site) readClient(w http.ResponseWriter, r *http.Request, _ url.Values) error {
	return s.guardRegistration(w, r, func(req oauth.Request) error {
		return answerRegistered(w, r, http.StatusOK)(s.oauth.ReadRegistration(r.Context(), req, s.clientID(r)))
	})
}

func (s *site) updateClient(w http.ResponseWriter, r *http.Request, _ url.Values) error {
	return s.guardRegistration(w, r, func(req oauth.Request) error {
		id := s.clientID(r)
		if _, err := s.oauth.ReadRegistration(r.Context(), req, id); err != nil {
			return err // who has not the token counts for nothing, nor against the client
		}
		if err := s.allow(w, r, ratelimit.RegisterUpdate, ratelimit.Key(id), "updates"); err != nil {
			return err
		}
		body, err := readJSON(w, r, oauth.MaxRegistration, metadataTimeout)
		if err != nil {
			return err
		}
		return answerRegistered(w, r, http.StatusOK)(s.oauth.UpdateRegistration(r.Context(), req, id, body))
	})
}

func (s *site) removeClient(w http.ResponseWriter, r *http.Request, _ url.Values) error {
	return s.guardRegistration(w, r, func(req oauth.Request) error {
		if err := s.oauth.RemoveRegistration(r.Context(), req, s.clientID(r)); err != nil {
			return err
		}
		w.WriteHeader(http.StatusNoContent)
		return nil
	})
}

// clientID is the last part of the path; endpointAt has seen that it is one.
func (s *site) clientID(r *http.Request) string {
	return strings.TrimPrefix(r.URL.EscapedPath(), s.prefix+registerPath+"/")
}

func answerRegistered(w http.ResponseWriter, r *http.Request, status int) func(*oauth.Registered, error) error {
	return func(done *oauth.Registered, err error) error {
		if err != nil {
			return err
		}
		client(r, done.Client.ID)
		body, err := done.JSON()
		if err != nil {
			return err
		}
		writeJSON(w, r, status, body)
		return nil
	}
}

// guardRegistration slows down who guesses at tokens. The right one is always
// let through.
func (s *site) guardRegistration(w http.ResponseWriter, r *http.Request, serve func(oauth.Request) error) error {
	req := s.protocolRequest(r, nil)
	err := serve(req)
	var e *oauth.Error
	if errors.Is(err, oauth.ErrRegistrationClosed) {
		return &httpError{status: http.StatusForbidden, code: oauth.AccessDenied, description: oauth.ErrRegistrationClosed.Description}
	}
	if !errors.As(err, &e) || e.Code != oauth.InvalidToken {
		return err
	}
	if err := s.allow(w, r, ratelimit.RegisterAuth, ratelimit.Address(req.Remote), "wrong tokens"); err != nil {
		return err
	}
	return err
}
