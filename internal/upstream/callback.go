package upstream

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"net/url"

	"sallyport/internal/secret"
)

// Arrival is a browser that comes back.
type Arrival struct {
	Params  url.Values   // of the authorization response
	Cookie  secret.Value // of the Departure
	Browser secret.Value
	Flow    string // that the browser brings along
}

// Errand is what the browser was sent for.
type Errand struct {
	Link  string // the session that wants to link an identity; empty: it is a sign-in
	Fresh bool
}

// Person is who the provider says that somebody is. Issuer and Subject together are
// their name; everything else may change and is for showing (ASVS 10.5.2).
type Person struct {
	Provider string `json:"p"` // name in the configuration
	Issuer   string `json:"i"`
	Subject  string `json:"s"`
	Name     string `json:"n,omitempty"` // of the person; may be empty
	Login    string `json:"l,omitempty"` // how they know their account there; may be empty
	Email    string `json:"e,omitempty"` // may be empty
	// EmailVerified: the provider says that the address is theirs, and its word counts
	// for that domain.
	EmailVerified bool   `json:"v,omitempty"`
	SID           string `json:"d,omitempty"` // of their session there; empty: unsaid
	MultiFactor   bool   `json:"m,omitempty"` // they have shown two factors there, and that is believed
}

const maxCode = 4096 // bytes

// Finish takes the answer of a provider, once. The state must be the one of this
// browser and of this provider; everything in the answer is looked at only then. The
// errand is known with every error that is not of the class ErrState.
func (s *Service) Finish(ctx context.Context, name string, a Arrival) (Person, Errand, error) {
	p, err := s.provider(name)
	if err != nil {
		return Person{}, Errand{}, err
	}
	sent, err := s.recall(ctx, name, a)
	if err != nil {
		return Person{}, Errand{}, err
	}
	errand := Errand{sent.Link, sent.Fresh}
	m, err := p.metadata(ctx)
	if err != nil {
		return Person{}, errand, err
	}
	if err := p.checkAnswer(m, a.Params); err != nil {
		return Person{}, errand, err
	}
	got, err := p.redeem(ctx, m, a.Params.Get("code"), sent.Verifier)
	if err != nil {
		return Person{}, errand, err
	}
	var who Person
	if p.Kind == GitHub {
		who, err = p.githubPerson(ctx, m, got)
	} else {
		who, err = p.openIDPerson(ctx, m, got, sent)
	}
	return who, errand, err
}

// recall opens what the browser was sent away with, and uses it up: an answer counts
// once, in the browser that asked, within AwayLife, and where it was asked for.
func (s *Service) recall(ctx context.Context, name string, a Arrival) (away, error) {
	plain, err := s.ring.Open(secret.PendingSignIn, awayLabel, a.Cookie.Reveal())
	if err != nil {
		return away{}, fail(ErrState, "state_cookie", nil)
	}
	var sent away
	if err := json.Unmarshal(plain, &sent); err != nil {
		return away{}, fail(ErrState, "state_cookie", nil)
	}
	states := a.Params["state"]
	switch {
	case len(states) != 1 || subtle.ConstantTimeCompare(digest(states[0]), sent.State) != 1:
		return away{}, fail(ErrState, "state", nil)
	case subtle.ConstantTimeCompare(digest(a.Browser.Reveal()), sent.Browser) != 1 || a.Browser.IsZero():
		return away{}, fail(ErrState, "state_browser", nil)
	case sent.Provider != name: // mix-up (RFC 9700 §4.4)
		return away{}, fail(ErrState, "state_provider", nil)
	case subtle.ConstantTimeCompare(digest(a.Flow), sent.Flow) != 1:
		return away{}, fail(ErrState, "state_flow", nil)
	case s.now().Unix() >= sent.ExpiresAt:
		return away{}, fail(ErrState, "state_expired", nil)
	}
	fresh, err := s.spend(ctx, spent("state", string(sent.State)), s.now().Add(AwayLife))
	if err != nil {
		return away{}, fail(ErrUnavailable, "spend", err)
	}
	if !fresh {
		return away{}, fail(ErrState, "state_replayed", nil)
	}
	return sent, nil
}

func spent(what, id string) secret.Hash {
	return secret.New("upstream " + what + "\x00" + id).Hash()
}

// checkAnswer reads an authorization response (RFC 6749 §4.1.2): from the provider that
// was asked, where it says so (RFC 9207 §2.4), with a code.
func (p *provider) checkAnswer(m *metadata, q url.Values) error {
	for _, name := range []string{"code", "error", "iss"} {
		if len(q[name]) > 1 {
			return refuse("answer_repeats")
		}
	}
	iss := q.Get("iss")
	switch {
	case p.Kind == GitHub: // says nothing of itself, or something of its own
	case m.namesIssuer && iss == "", iss != "" && !p.speaksFor(iss):
		return refuse("answer_iss")
	}
	switch q.Get("error") {
	case "":
	case "access_denied", "user_cancelled_authorize", "user_cancelled_login", "login_required", "interaction_required", "consent_required":
		return fail(ErrCancelled, "answer_denied", nil)
	case "temporarily_unavailable", "server_error":
		return fail(ErrUnavailable, "answer_unavailable", nil)
	default:
		return refuse("answer_error")
	}
	if code := q.Get("code"); code == "" || len(code) > maxCode {
		return refuse("answer_code")
	}
	return nil
}
