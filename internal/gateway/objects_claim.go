package gateway

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"sallyport/internal/ratelimit"
)

// detailsClaim begins the claims that are fields of authorization_details.
const detailsClaim = "authorization_details."

// claims are the values of a claim of the token: one, but of authorization_details
// as many as were granted.
func (c *call) claims(claim string) []string {
	a := &c.access
	switch claim {
	case "sub":
		return []string{a.Subject}
	case "client_id":
		return []string{a.ClientID}
	case "grant_id":
		return []string{c.grant()}
	case "install_id":
		if a.InstallID.IsZero() {
			return nil
		}
		return []string{a.InstallID.String()}
	}
	kind, field, ok := detailsField(claim)
	if !ok || a.Details == "" {
		return nil
	}
	return granted(a.Details, kind, field)
}

// detailsField takes authorization_details.TYPE.FIELD apart; a type may have dots.
func detailsField(claim string) (kind, field string, ok bool) {
	rest, ok := strings.CutPrefix(claim, detailsClaim)
	cut := strings.LastIndexByte(rest, '.')
	if !ok || cut <= 0 || cut == len(rest)-1 {
		return "", "", false
	}
	return rest[:cut], rest[cut+1:], true
}

// granted are the texts in a field of the details of one type.
func granted(details, kind, field string) []string {
	var list []map[string]json.RawMessage
	if json.Unmarshal([]byte(details), &list) != nil {
		return nil
	}
	var out []string
	for _, d := range list {
		var is, one string
		var many []string
		if json.Unmarshal(d["type"], &is) != nil || is != kind {
			continue
		}
		if json.Unmarshal(d[field], &one) == nil {
			out = append(out, one)
		} else if json.Unmarshal(d[field], &many) == nil {
			out = append(out, many...)
		}
	}
	return out
}

// retryAfter is a wait in whole seconds, at least one (RFC 9110 §10.2.3).
func retryAfter(d time.Duration) string {
	return strconv.Itoa(max(1, int(math.Ceil(d.Seconds()))))
}

// objectLimits are what somebody may be refused before it looks like a search.
var objectLimits = []ratelimit.Limit{
	{Name: objectSeen, Burst: 1, Every: 10 * time.Minute, Key: "person, client, operation and object", Why: "the same object, asked for again"},
	{Name: objectPerson, Burst: 20, Every: time.Minute, Key: "person and client", Why: "going through the objects of others"},
}

// objects refuses rules that could not be held, or would hold nothing.
func (k *checker) objects(where string, o *Operation) {
	for i, r := range o.Objects {
		if why := r.check(o); why != "" {
			k.addf("%s: objects: %s %s", where, ordinal(i), why)
		}
	}
}

func ordinal(i int) string { return fmt.Sprintf("rule %d", i+1) }

func (r *ObjectRule) check(o *Operation) string {
	if _, _, ok := detailsField(r.Claim); !ok && !slices.Contains(ObjectClaims, r.Claim) {
		return fmt.Sprintf("compares with %q, which no access token has: use one of %s, or authorization_details.TYPE.FIELD", r.Claim, strings.Join(ObjectClaims, ", "))
	}
	switch r.In {
	case InPath:
		if !slices.Contains(strings.Split(o.Path, "/"), "{"+r.Name+"}") {
			return fmt.Sprintf("is about {%s}, which the path does not have", r.Name)
		}
		if r.Optional {
			return "is optional, but a path always has its parameter"
		}
	case InQuery:
		if !isName(foldName(r.Name)) {
			return fmt.Sprintf("is about the query parameter %q: letters, digits and _ . - only", r.Name)
		}
	case InHeader:
		if !isScope(r.Name) || strings.ContainsAny(r.Name, "_:/,;()") || dropRequest.drops(r.Name) || hopByHop[r.Name] {
			return fmt.Sprintf("is about the header %q, which is not passed on: choose another name", r.Name)
		}
	case InBody:
		switch {
		case o.Method == "GET" || o.Method == "HEAD":
			return "is about the body, which " + o.Method + " does not have"
		case !strings.HasPrefix(r.Name, "/") || strings.HasSuffix(r.Name, "/"):
			return fmt.Sprintf("is about %q: write a JSON Pointer, /owner/id or /items/*/owner", r.Name)
		}
	default:
		return "is about an unknown place"
	}
	return ""
}
