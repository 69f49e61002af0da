package bff

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"sallyport/internal/secret"
)

// flowLife is how long a person may take to sign in.
const flowLife = 30 * time.Minute

// mostFlows is how many sign-ins one browser may have under way: one for each
// tab. The oldest makes room.
const mostFlows = 6

// flow is a sign-in that is under way. It is sealed into a cookie of its own, so
// that it is of this browser, tabs do not disturb each other, and the server keeps
// nothing for strangers.
type flow struct {
	State    string    `json:"s"`
	Nonce    string    `json:"n"`
	Verifier string    `json:"v"` // PKCE, RFC 7636
	ReturnTo string    `json:"r"`
	Until    time.Time `json:"u"`
}

var errFlow = errors.New("no such sign-in in this browser")

// newFlow begins one. The ID at the start of state names the cookie and sorts by
// time.
func newFlow(now time.Time, returnTo string) flow {
	random := func() string { return base64.RawURLEncoding.EncodeToString(secret.Random(32)) }
	return flow{
		State: secret.NewID(now).String() + "." + random(), Nonce: random(), Verifier: random(), ReturnTo: returnTo,
		Until: now.Add(flowLife).UTC().Truncate(time.Second),
	}
}

// flowCookie is the name of the cookie for a state, or "" if it cannot be one of
// ours.
func (a *app) flowCookie(state string) string {
	id, rest, found := strings.Cut(state, ".")
	if _, err := secret.ParseID(id); err != nil || !found || len(rest) != 43 {
		return ""
	}
	return a.flow + id
}

func (a *app) sealLabel() string { return "bff:" + a.Name }

// remember gives the browser the cookie of f, and takes those that are too many.
func (a *app) remember(w http.ResponseWriter, r *http.Request, f flow) error {
	plain, err := json.Marshal(f)
	if err != nil {
		return err
	}
	sealed, err := a.Ring.Seal(secret.PendingSignIn, a.sealLabel(), plain)
	if err != nil {
		return err
	}
	a.forgetOldest(w, r)
	setCookie(w, a.flowCookie(f.State), sealed, flowLife, http.SameSiteLaxMode)
	return nil
}

func (a *app) forgetOldest(w http.ResponseWriter, r *http.Request) {
	var names []string
	for _, c := range r.Cookies() {
		if id, ok := strings.CutPrefix(c.Name, a.flow); ok {
			if _, err := secret.ParseID(id); err == nil && !slices.Contains(names, c.Name) {
				names = append(names, c.Name)
			}
		}
	}
	slices.Sort(names)
	for len(names) >= mostFlows {
		dropCookie(w, names[0], http.SameSiteLaxMode)
		names = names[1:]
	}
}

// recall finds the sign-in that a state belongs to in this browser.
func (a *app) recall(r *http.Request, state string) (flow, error) {
	var f flow
	name := a.flowCookie(state)
	if name == "" {
		return f, errFlow
	}
	sealed, n := readCookie(r.Header["Cookie"], name)
	if n != 1 {
		return f, errFlow
	}
	plain, err := a.Ring.Open(secret.PendingSignIn, a.sealLabel(), sealed)
	if err != nil || json.Unmarshal(plain, &f) != nil {
		return flow{}, errFlow
	}
	if !secret.New(f.State).Equal(secret.New(state)) || !a.Now().Before(f.Until) {
		return flow{}, errFlow
	}
	return f, nil
}
