package signals

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"sallyport/internal/oauth"
	"sallyport/internal/token/jose"
)

// identifier is a subject identifier (RFC 9493 §3), as we write it.
type identifier struct {
	Format string `json:"format"`
	Issuer string `json:"iss,omitempty"`
	Sub    string `json:"sub,omitempty"`
	Email  string `json:"email,omitempty"`
	ID     string `json:"id,omitempty"`

	Session *identifier `json:"session,omitempty"`
	User    *identifier `json:"user,omitempty"`
}

// subject is who an event tells of, as the receiver knows them, and the names by
// which it may have excluded them.
func (s *Service) subject(ctx context.Context, stream *Stream, e *Event) (json.RawMessage, []string, error) {
	if e.UserID == "" { // SSF 1.0 §8.1.4.1
		b, err := json.Marshal(identifier{Format: formatOpaque, ID: stream.ID.String()})
		return b, nil, err
	}
	sub, email, err := s.o.Person(ctx, stream.ClientID, e.UserID)
	if err != nil {
		return nil, nil, fmt.Errorf("find person: %w", err)
	}
	names := []string{nameOfSub(sub)}
	user := identifier{Format: formatIssSub, Issuer: s.o.Issuer, Sub: sub}
	if email != "" {
		names = append(names, nameOfEmail(email))
		if stream.Format == formatEmail {
			user = identifier{Format: formatEmail, Email: email}
		}
	}
	id := &user
	if !e.SID.IsZero() { // CAEP 1.0 §3.1: one session of that person
		sid, err := s.o.Session(ctx, stream.ClientID, e.SID)
		if err != nil {
			return nil, nil, fmt.Errorf("find session: %w", err)
		}
		id = &identifier{Format: formatComplex, Session: &identifier{Format: formatOpaque, ID: sid}, User: &user}
	}
	b, err := json.Marshal(id)
	return b, names, err
}

func nameOfSub(sub string) string { return "sub:" + sub }

// nameOfEmail folds case: people write their address as they like.
func nameOfEmail(address string) string { return "email:" + strings.ToLower(address) }

const maxSubject = 1024 // bytes of each text in a subject identifier

var errSubject = bad("subject is not a subject identifier as RFC 9493 has it")

// readSubject returns the name of a subject that a receiver adds or removes. It
// is empty for one that is well-formed and that no event of ours can be about:
// whether a person exists here is not to be found out by asking (SSF 1.0 §10.1).
func (s *Service) readSubject(b []byte) (string, *oauth.Error) {
	m, err := readTexts(b)
	if err != nil {
		return "", errSubject
	}
	needs, known := formats[m["format"].text]
	if !known || m["format"].raw == nil {
		return "", errSubject
	}
	for _, name := range needs {
		if m[name].text == "" || len(m[name].text) > maxSubject || strings.IndexByte(m[name].text, 0) >= 0 {
			return "", errSubject
		}
	}
	switch m["format"].text {
	case formatIssSub:
		if m["iss"].text == s.o.Issuer {
			return nameOfSub(m["sub"].text), nil
		}
	case formatEmail:
		return nameOfEmail(m["email"].text), nil
	case formatComplex:
		if user := m["user"].raw; user != nil {
			return s.readMember(user)
		}
	}
	return "", nil
}

// readMember reads the user of a complex subject, which is a simple one (SSF 1.0 §3.3).
func (s *Service) readMember(b []byte) (string, *oauth.Error) {
	m, err := readTexts(b)
	if err != nil || m["format"].text == formatComplex {
		return "", errSubject
	}
	return s.readSubject(b)
}

// formats are those of RFC 9493 §3.2 and SSF 1.0 §3.3 with the members that each
// must have.
var formats = map[string][]string{
	formatIssSub: {"iss", "sub"}, formatEmail: {"email"}, formatOpaque: {"id"}, formatComplex: nil,
	"account": {"uri"}, "did": {"url"}, "phone_number": {"phone_number"}, "uri": {"uri"}, "aliases": nil,
	"jwt_id": {"iss", "jti"}, "saml_assertion_id": {"issuer", "assertion_id"}, "ip-addresses": nil,
}

// member is a member of an object: its text if it is a string, and as it came.
type member struct {
	raw  []byte
	text string
}

// readTexts reads a strict JSON object.
func readTexts(b []byte) (map[string]member, error) {
	m := map[string]member{}
	err := jose.ScanObject(b, func(name string, value []byte) error {
		v := member{raw: value}
		if value[0] == '"' {
			if err := json.Unmarshal(value, &v.text); err != nil {
				return err
			}
		}
		m[name] = v
		return nil
	})
	return m, err
}
