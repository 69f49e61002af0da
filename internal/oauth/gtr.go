package oauth

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"sallyport/internal/audit"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// GlobalRevocationScope is the scope of a client that may end all that a person
// has (draft-parecki-oauth-global-token-revocation §3.1): a partner who watches
// over accounts. It is the issuer's own, as ReportScope is.
const GlobalRevocationScope = "sessions.revoke"

// PartnerScopes are scopes that let a service client call one endpoint of the
// issuer with its own authentication. No token has one, and no person grants it.
var PartnerScopes = []string{ReportScope, GlobalRevocationScope}

// MaxSubjectID is how many bytes a request for global revocation may have.
const MaxSubjectID = 4096

// GlobalRevocation reports whether the endpoint is there.
func (s *Service) GlobalRevocation() bool { return s.globalRevocation }

// GlobalRevoker authenticates who asks for global revocation: a service client
// with the scope of it. It looks at the Authorization header alone, where a
// Bearer token is the client's own assertion (RFC 7523 §2.2), so that the body
// need not be read before. No access token is accepted.
func (s *Service) GlobalRevoker(ctx context.Context, r Request) (clientID string, err error) {
	r.Params = nil
	if len(r.Authorization) == 1 {
		if scheme, assertion, _ := strings.Cut(r.Authorization[0], " "); strings.EqualFold(scheme, "Bearer") {
			r.Authorization = nil
			r.Params = map[string][]string{
				"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {assertion},
			}
		}
	}
	client, err := s.authenticateConfidential(ctx, r)
	if err != nil {
		return "", err
	}
	if client.Type != ServiceClient || !contains(client.Scope, GlobalRevocationScope) {
		return "", fail(UnauthorizedClient, "this client may not revoke globally")
	}
	return client.ID, nil
}

// globalAnswer is how long an answer takes at least, whoever was meant.
const globalAnswer = 250 * time.Millisecond

// RevokeGlobally ends every session and grant of the person whom body names, with
// all refresh tokens, and has the clients told. The person must sign in again.
// Whether there is such a person, it does not say, and nor may the answer, which
// takes atLeast as long (§6.1). When it returns nil, this node already refuses
// the tokens. The work goes on when ctx ends.
func (s *Service) RevokeGlobally(ctx context.Context, clientID string, body []byte) (atLeast time.Duration, err error) {
	id, perr := readSubjectID(body)
	if perr != nil {
		return 0, perr
	}
	ctx = context.WithoutCancel(ctx)
	people, err := subjectFormats[id.Format](s, ctx, id)
	if err != nil {
		return 0, unavailable("find a person", err)
	}
	now := s.now()
	for _, userID := range people {
		if err := s.store.EndUser(ctx, userID, token.ReasonAdmin, now, token.KeepRevocation(now)); err != nil {
			return 0, unavailable("end sessions of a person", err)
		}
		note(ctx, audit.Event{Name: audit.SessionsEnded, Client: clientID, Subject: userID})
		s.tellPerson(ctx, userID, ToldEnded, clientID)
	}
	if len(people) == 0 {
		note(ctx, audit.Event{Name: audit.SessionsEnded, Client: clientID, Reason: "nobody"})
	}
	return globalAnswer, s.applied(ctx)
}

// subjectID is a subject identifier (RFC 9493 §3).
type subjectID struct {
	Format string `json:"format"`
	Issuer string `json:"iss"`
	Sub    string `json:"sub"`
	Email  string `json:"email"`
	ID     string `json:"id"`
}

// subjectFormats find the account IDs that an identifier may stand for. Nobody is
// no error.
var subjectFormats = map[string]func(s *Service, ctx context.Context, id subjectID) ([]string, error){
	"opaque": func(_ *Service, _ context.Context, id subjectID) ([]string, error) { return accountIDs(id.ID), nil },
	"iss_sub": func(s *Service, _ context.Context, id subjectID) ([]string, error) {
		if id.Issuer != s.issuer {
			return nil, nil
		}
		if userID, pairwise := s.ring.Person(id.Sub); pairwise {
			return accountIDs(userID), nil
		}
		return accountIDs(id.Sub), nil
	},
	"email": func(s *Service, ctx context.Context, id subjectID) ([]string, error) {
		return s.store.PeopleByEmail(ctx, id.Email)
	},
}

// accountIDs is id if it has the form of an account ID.
func accountIDs(id string) []string {
	if _, err := secret.ParseID(id); err != nil {
		return nil
	}
	return []string{id}
}

// readSubjectID reads {"sub_id":{"format":…}} strictly: one object, no name twice,
// and what the format needs.
func readSubjectID(body []byte) (subjectID, *Error) {
	bad := fail(InvalidRequest, `the body must be {"sub_id": …} with a subject identifier of the format iss_sub, email or opaque`)
	if len(body) > MaxSubjectID || !utf8.Valid(body) || repeatsName(body) {
		return subjectID{}, bad
	}
	var m struct {
		SubID *subjectID `json:"sub_id"`
	}
	if err := json.Unmarshal(body, &m); err != nil || m.SubID == nil || subjectFormats[m.SubID.Format] == nil {
		return subjectID{}, bad
	}
	id, need := *m.SubID, [][]string{{"iss_sub", m.SubID.Issuer, m.SubID.Sub}, {"email", m.SubID.Email}, {"opaque", m.SubID.ID}}
	for _, n := range need {
		if n[0] == id.Format && slices.Contains(n, "") || slices.ContainsFunc(n, func(s string) bool { return strings.ContainsRune(s, 0) }) {
			return subjectID{}, bad
		}
	}
	return id, nil
}

// repeatsName reports whether an object in a JSON text has a name twice, also in
// another case, which encoding/json takes for the same: two readers could see two
// people.
func repeatsName(body []byte) bool {
	d := json.NewDecoder(bytes.NewReader(body))
	var open []map[string]bool // nil for an array
	name := false
	for {
		t, err := d.Token()
		if err != nil {
			return err != io.EOF // Token returns it bare
		}
		top := len(open) - 1
		switch v := t.(type) {
		case json.Delim:
			switch v {
			case '{':
				open, name = append(open, map[string]bool{}), true
				continue
			case '[':
				open, name = append(open, nil), false
				continue
			}
			open = open[:top]
		case string:
			if name {
				folded := strings.ToLower(v)
				if open[top][folded] {
					return true
				}
				open[top][folded], name = true, false
				continue
			}
		}
		name = len(open) > 0 && open[len(open)-1] != nil
	}
}
