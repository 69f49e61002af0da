package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"

	"sallyport/internal/token"
	"sallyport/internal/token/jose"
)

// Limits of authorization_details (RFC 9396 §2). They travel in codes and tokens.
const (
	maxDetails     = 4 << 10 // bytes
	maxDetailsList = 10
)

var errDetailsForm = fail(InvalidAuthorizationDetails, "authorization_details must be a JSON array of at most 10 objects and 4 KiB, each with a type, and no name twice")

// readDetails takes over what an authorization request asks for in detail.
func readDetails(s *Service, _ context.Context, a *Authorization, p url.Values) *Error {
	if len(p["authorization_details"]) > 1 {
		return fail(InvalidRequest, "authorization_details is repeated")
	}
	details, perr := s.parseDetails(a.client, p.Get("authorization_details"))
	if perr != nil {
		return perr
	}
	a.Terms.Details = details
	return nil
}

// parseDetails reads authorization_details that c asks for, by the types of this
// deployment: an unknown type or field, a missing one and a value that does not
// fit are refused (RFC 9396 §5). The result is canonical, and each object says
// where it is for, in locations.
func (s *Service) parseDetails(c *Client, text string) (json.RawMessage, *Error) {
	list, perr := s.scanDetails(text)
	if perr != nil || len(list) == 0 {
		return nil, perr
	}
	for _, d := range list {
		name, _ := d["type"].(string)
		t := s.detailsTypes[name]
		if t == nil {
			return nil, fail(InvalidAuthorizationDetails, "authorization_details has a type that is not known here")
		}
		if !slices.Contains(c.Settings.DetailsTypes, name) {
			return nil, fail(InvalidAuthorizationDetails, "the client is not registered for the type "+name)
		}
		if why := t.check(d); why != "" {
			return nil, fail(InvalidAuthorizationDetails, why)
		}
	}
	canonical := writeDetails(list)
	if len(canonical) > maxDetails { // with the locations that were left out
		return nil, errDetailsForm
	}
	return canonical, nil
}

// scanDetails reads the form alone, and adds to objects of a known type without
// locations those of the type (RFC 9396 §7.1).
func (s *Service) scanDetails(text string) ([]map[string]any, *Error) {
	if text == "" {
		return nil, nil
	}
	list, err := readDetailsList(text)
	if err != nil {
		return nil, errDetailsForm
	}
	for _, d := range list {
		name, ok := d["type"].(string)
		if !ok || name == "" {
			return nil, errDetailsForm
		}
		t := s.detailsTypes[name]
		if _, has := d["locations"]; t == nil || has {
			continue
		}
		locations := make([]any, len(t.audiences))
		for i, audience := range t.audiences {
			locations[i] = audience
		}
		d["locations"] = locations
	}
	return list, nil
}

// readDetailsList reads strictly: what a later reader might see in another way
// is refused, as names that are there twice are.
func readDetailsList(text string) ([]map[string]any, error) {
	if len(text) > maxDetails {
		return nil, errors.New("too long")
	}
	members := 0
	err := jose.ScanObject([]byte(`{"a":`+text+`}`), func(string, []byte) error { members++; return nil })
	if err != nil || members != 1 {
		return nil, errors.New("not strict JSON")
	}
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var list []map[string]any
	if err := dec.Decode(&list); err != nil {
		return nil, err
	}
	if len(list) == 0 || len(list) > maxDetailsList || slices.ContainsFunc(list, func(d map[string]any) bool { return d == nil }) {
		return nil, errors.New("not a list of objects")
	}
	return list, nil
}

// writeDetails writes the canonical form: names sorted, no white space, one
// spelling of each string.
func writeDetails(list []map[string]any) json.RawMessage {
	b := []byte{'['}
	for i, d := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendCanonical(b, d)
	}
	return append(b, ']')
}

func appendCanonical(b []byte, v any) []byte {
	switch v := v.(type) {
	case map[string]any:
		b = append(b, '{')
		for i, name := range slices.Sorted(maps.Keys(v)) {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendCanonical(append(token.AppendJSONString(b, name), ':'), v[name])
		}
		return append(b, '}')
	case []any:
		b = append(b, '[')
		for i, one := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendCanonical(b, one)
		}
		return append(b, ']')
	case string:
		return token.AppendJSONString(b, v)
	case json.Number:
		return append(b, v...)
	case bool:
		if v {
			return append(b, "true"...)
		}
		return append(b, "false"...)
	}
	return append(b, "null"...)
}

// narrowDetails are those of the granted details that a token request asks for
// (RFC 9396 §6.1): each as it was granted, for all of its locations or some.
// Which of two values would be less is nothing that we could know. One that was
// granted once is not had twice: two payments are more than one. A request that
// names none has them all.
func (s *Service) narrowDetails(asked string, granted json.RawMessage) (json.RawMessage, *Error) {
	have, perr := s.scanDetails(string(granted))
	if perr != nil {
		return nil, perr
	}
	if asked == "" {
		if len(have) == 0 {
			return nil, nil
		}
		return writeDetails(have), nil
	}
	want, err := readDetailsList(asked)
	if err != nil {
		return nil, errDetailsForm
	}
	for i, d := range want {
		j := slices.IndexFunc(have, func(h map[string]any) bool { return h != nil && atMost(d, h) })
		if j < 0 {
			return nil, fail(InvalidAuthorizationDetails, "authorization_details has what was not granted: an object may be left out, and locations, and nothing else be changed")
		}
		if _, has := d["locations"]; !has {
			want[i] = have[j]
		}
		have[j] = nil
	}
	return writeDetails(want), nil
}

// atMost reports whether asked is what was granted, at its locations, at some of
// them, or at those that it leaves to us.
func atMost(asked, granted map[string]any) bool {
	without := func(d map[string]any) string {
		d = maps.Clone(d)
		delete(d, "locations")
		return string(appendCanonical(nil, d))
	}
	if without(asked) != without(granted) {
		return false
	}
	if _, has := asked["locations"]; !has {
		return true
	}
	where, ok := texts(asked["locations"])
	has, _ := texts(granted["locations"])
	return ok && len(where) > 0 && !slices.ContainsFunc(where, func(l string) bool { return !slices.Contains(has, l) })
}

// detailsAt is the part of details that is for some of these audiences, with no
// other locations: a token for one API is not one for the next.
func (s *Service) detailsAt(details json.RawMessage, audiences []string) json.RawMessage {
	list, perr := s.scanDetails(string(details))
	if perr != nil {
		return nil
	}
	var kept []map[string]any
	for _, d := range list {
		locations, _ := texts(d["locations"])
		here := []any{}
		for _, l := range locations {
			if slices.Contains(audiences, l) {
				here = append(here, l)
			}
		}
		if len(here) > 0 {
			d["locations"] = here
			kept = append(kept, d)
		}
	}
	if len(kept) == 0 {
		return nil
	}
	return writeDetails(kept)
}

// stillMay leaves those details that the client is registered for and that are
// known here today: what it has lost since, the grant has lost too.
func (s *Service) stillMay(c *Client, granted json.RawMessage) json.RawMessage {
	list, perr := s.scanDetails(string(granted))
	if perr != nil {
		return nil
	}
	kept := slices.DeleteFunc(list, func(d map[string]any) bool {
		name, _ := d["type"].(string)
		return s.detailsTypes[name] == nil || !slices.Contains(c.Settings.DetailsTypes, name)
	})
	if len(kept) == 0 {
		return nil
	}
	return writeDetails(kept)
}

// locationsOf lists the audiences that canonical details name.
func locationsOf(details json.RawMessage) []string {
	if len(details) == 0 {
		return nil
	}
	var list []struct {
		Locations []string `json:"locations"`
	}
	if json.Unmarshal(details, &list) != nil {
		return nil
	}
	var all []string
	for _, d := range list {
		all = append(all, d.Locations...)
	}
	return all
}
