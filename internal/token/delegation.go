package token

import (
	"encoding/json"
	"slices"
	"strings"

	"sallyport/internal/token/jose"
)

// DetailsFor is the part of authorization_details, a JSON array, that is the
// business of the APIs with these audiences (single spaces between them): what
// names no location, and what names one of them among its locations (RFC 9396
// §2.2). It is empty if nothing is, and for what is no such array.
func DetailsFor(details, audiences string) string {
	if details == "" {
		return ""
	}
	var all []json.RawMessage
	if json.Unmarshal([]byte(details), &all) != nil {
		return ""
	}
	kept := slices.DeleteFunc(slices.Clone(all), func(one json.RawMessage) bool {
		var locations []string
		err := jose.ScanObject(one, func(name string, value []byte) error {
			if name == "locations" {
				return json.Unmarshal(value, &locations)
			}
			return nil
		})
		return err != nil || len(locations) > 0 && !slices.ContainsFunc(locations, func(l string) bool { return hasMember(audiences, l) })
	})
	switch len(kept) {
	case 0:
		return ""
	case len(all):
		return details
	}
	var b strings.Builder
	for i, one := range kept {
		b.WriteByte("[,"[min(i, 1)])
		b.Write(one)
	}
	return b.String() + "]"
}

// MaxActors is how long the chain in act may be: with the levels around it, a
// token stays within the nesting that verifiers of tokens read.
const MaxActors = 6

// Actors is who acts by an act claim, the one who acts now first, then who acted
// before; nil if the claim is no chain of at most MaxActors objects with a sub.
func Actors(act string) []string {
	var chain []string
	for raw := []byte(act); len(raw) > 0; {
		var sub string
		var before []byte
		err := jose.ScanObject(raw, func(name string, value []byte) error {
			switch name {
			case "sub":
				return json.Unmarshal(value, &sub)
			case "act":
				before = value
			}
			return nil
		})
		if err != nil || sub == "" || len(chain) == MaxActors {
			return nil
		}
		chain, raw = append(chain, sub), before
	}
	return chain
}
