package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"slices"

	"sallyport/internal/token"
	"sallyport/internal/token/jose"
)

// personClaims are the claims about a person, with the scope that gives each
// (OpenID Connect Core §5.1, §5.4). write appends the value; false: there is none.
var personClaims = []struct {
	name, scope string
	write       func(b []byte, u *User) ([]byte, bool)
}{
	{"preferred_username", "profile", func(b []byte, u *User) ([]byte, bool) { return token.AppendJSONString(b, u.Username), true }},
	{"name", "profile", func(b []byte, u *User) ([]byte, bool) { return token.AppendJSONString(b, u.Name), u.Name != "" }},
	{"email", "email", func(b []byte, u *User) ([]byte, bool) { return token.AppendJSONString(b, u.Email), u.Email != "" }},
	{"email_verified", "email", func(b []byte, u *User) ([]byte, bool) {
		if u.EmailVerified {
			return append(b, "true"...), u.Email != ""
		}
		return append(b, "false"...), u.Email != ""
	}},
}

// appendPerson appends those claims of u that has reports, each with a comma
// before it.
func appendPerson(b []byte, u *User, has func(claim, scope string) bool) []byte {
	for _, c := range personClaims {
		if !has(c.name, c.scope) {
			continue
		}
		before := len(b)
		b = append(token.AppendJSONString(append(b, ','), c.name), ':')
		var ok bool
		if b, ok = c.write(b, u); !ok {
			b = b[:before]
		}
	}
	return b
}

// Where claims may be asked to be.
const (
	inUserInfo = "userinfo"
	inIDToken  = "id_token"
)

const maxClaims = 4 << 10 // bytes of the parameter

var errClaims = fail(InvalidRequest, "claims must be a JSON object as in OpenID Connect Core section 5.5, of at most 4 KiB and without a name twice")

// claimRequest is how one claim is asked for (OpenID Connect Core §5.5.1).
type claimRequest struct {
	Essential bool     `json:"essential"`
	Value     *string  `json:"value"`
	Values    []string `json:"values"`
}

// wanted are the values that would do; none: any.
func (r *claimRequest) wanted() []string {
	if r.Value != nil {
		return []string{*r.Value}
	}
	return r.Values
}

// scanClaims calls f for each claim that is asked for, with the raw request.
// What else is in the parameter is ignored, as OpenID Connect Core §5.5 has it.
func scanClaims(text string, f func(where, claim string, request []byte) error) error {
	if text == "" {
		return nil
	}
	if len(text) > maxClaims {
		return errors.New("too long")
	}
	return jose.ScanObject([]byte(text), func(where string, members []byte) error {
		if where != inUserInfo && where != inIDToken {
			return nil
		}
		if string(members) == "null" {
			return nil
		}
		return jose.ScanObject(members, func(claim string, request []byte) error { return f(where, claim, request) })
	})
}

// one reads the request for a claim that is a text: null, or an object.
func one(request []byte) (*claimRequest, error) {
	r := &claimRequest{}
	if string(request) == "null" {
		return r, nil
	}
	if len(request) == 0 || request[0] != '{' {
		return nil, errors.New("neither null nor an object")
	}
	return r, json.Unmarshal(request, r)
}

// readACRClaim returns how the claim acr is asked for, or nil.
func readACRClaim(text string) (asked *claimRequest, err error) {
	err = scanClaims(text, func(where, claim string, request []byte) error {
		if where != inIDToken || claim != "acr" {
			return nil
		}
		var err error
		asked, err = one(request)
		return err
	})
	return asked, err
}

// readClaims takes over which claims about the person are asked for (OpenID
// Connect Core §5.5): those that are known here and that the client could have
// by its scopes. Others are no error. A sub with a value says whom the client
// means, as id_token_hint does.
func readClaims(s *Service, _ context.Context, a *Authorization, p url.Values) *Error {
	kept := map[string]map[string]any{}
	err := scanClaims(p.Get("claims"), func(where, claim string, request []byte) error {
		if claim == "sub" {
			return s.readSubject(a, request)
		}
		if request[0] != '{' && string(request) != "null" {
			return errClaims
		}
		scope := scopeOfClaim(claim)
		if scope == "" || !contains(a.client.Scope, scope) {
			return nil
		}
		if kept[where] == nil {
			kept[where] = map[string]any{}
		}
		kept[where][claim] = nil
		return nil
	})
	var perr *Error
	switch {
	case errors.As(err, &perr):
		return perr
	case err != nil:
		return errClaims
	case len(kept) == 0:
		return nil
	case !contains(a.Scope, "openid"):
		return fail(InvalidRequest, "claims needs the scope openid")
	}
	if a.Terms.Claims, err = json.Marshal(kept); err != nil {
		return errClaims
	}
	return nil
}

func (s *Service) readSubject(a *Authorization, request []byte) error {
	r, err := one(request)
	if err != nil {
		return err
	}
	want := r.wanted()
	if len(want) == 0 {
		return nil
	}
	people := make([]string, len(want))
	for i, sub := range want {
		people[i] = s.personOf(a.client, sub)
	}
	switch {
	case a.HintSubject == "" && len(people) == 1:
		a.HintSubject = people[0]
	case !slices.Contains(people, a.HintSubject):
		return fail(InvalidRequest, "claims and id_token_hint are about different people, or about several")
	}
	return nil
}

func scopeOfClaim(claim string) string {
	for _, c := range personClaims {
		if c.name == claim {
			return c.scope
		}
	}
	return ""
}

// askedClaims are the claims that were asked for by name in one place.
func (t *Terms) askedClaims(where string) []string {
	if len(t.Claims) == 0 {
		return nil
	}
	var all map[string]map[string]any
	if json.Unmarshal(t.Claims, &all) != nil {
		return nil
	}
	var names []string
	for name := range all[where] {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// claimScopes are the scopes whose claims were asked for by name. Who agrees to
// a claim agrees to what its scope says.
func (t *Terms) claimScopes() []string {
	var scopes []string
	for _, where := range []string{inUserInfo, inIDToken} {
		for _, name := range t.askedClaims(where) {
			if scope := scopeOfClaim(name); !slices.Contains(scopes, scope) {
				scopes = append(scopes, scope)
			}
		}
	}
	return scopes
}
