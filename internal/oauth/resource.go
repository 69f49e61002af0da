package oauth

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
)

// Limits of the parameter resource.
const (
	maxResources = 10
	maxResource  = 512 // bytes of one
)

// readResources reads the parameter resource, which may be repeated (RFC 8707
// §2): absolute URIs without a fragment that this issuer knows, compared
// character by character. A slash more or less is another resource.
func (s *Service) readResources(p url.Values) ([]string, *Error) {
	var list []string
	for _, uri := range p["resource"] {
		if uri == "" {
			continue // RFC 6749 §3.1: as if it were not there
		}
		u, err := url.Parse(uri)
		switch {
		case len(uri) > maxResource, err != nil, !u.IsAbs(), strings.ContainsAny(uri, "# "):
			return nil, fail(InvalidTarget, "resource must be an absolute URI without a fragment")
		case !s.isAudience(uri):
			return nil, fail(InvalidTarget, "no API here has this resource")
		}
		if !slices.Contains(list, uri) {
			list = append(list, uri)
		}
	}
	if len(list) > maxResources {
		return nil, fail(InvalidTarget, "resource is there too often")
	}
	return list, nil
}

// isAudience reports whether tokens can be made for an audience. The issuer is
// one: it answers userinfo.
func (s *Service) isAudience(uri string) bool {
	return uri == s.issuer || slices.ContainsFunc(s.resources, func(r Resource) bool { return r.Audience == uri })
}

// readResource takes over the resources that an authorization request is about.
// The grant reaches them and no others, and its scope loses what belongs to
// others. With them a request may name APIs that no one token can serve: each
// token request names one.
func readResource(s *Service, _ context.Context, a *Authorization, p url.Values) *Error {
	list, perr := s.readResources(p)
	if perr != nil {
		return perr
	}
	if len(list) == 0 {
		if s.reachOf(a.Scope, a.Terms.Details).mixed {
			return errMixed
		}
		return nil
	}
	reached := fields(s.reachOf(a.Scope, a.Terms.Details).audience)
	for _, uri := range list {
		if !slices.Contains(reached, uri) {
			return fail(InvalidTarget, "scope and authorization_details have nothing of a resource that was asked for")
		}
	}
	kept := slices.DeleteFunc(fields(a.Scope), func(m string) bool {
		res := s.byScope[m]
		return res != nil && !slices.Contains(list, res.Audience)
	})
	a.Scope, a.Terms.Resources = strings.Join(kept, " "), list
	a.Terms.Details = s.detailsAt(a.Terms.Details, list)
	return nil
}

// aim is what one token is for.
type aim struct {
	reach
	scope   string
	details string // canonical, or empty
}

// aimAt is what a token for these resources says: their part of the scope and
// of the details. Without resources it is for all that is reached.
func (s *Service) aimAt(scope string, details json.RawMessage, resources []string) aim {
	if len(resources) == 0 {
		return aim{s.reachOf(scope, details), scope, string(details)}
	}
	kept := slices.DeleteFunc(fields(scope), func(m string) bool {
		switch res := s.byScope[m]; {
		case res != nil:
			return !slices.Contains(resources, res.Audience)
		case m == "offline_access": // is about the grant
			return false
		}
		return !slices.Contains(resources, s.issuer)
	})
	details = s.detailsAt(details, resources)
	t := aim{scope: strings.Join(kept, " "), details: string(details)}
	t.reach = s.reachOf(t.scope, details)
	return t
}

// aimRequest is what a token request asks for of what was granted: by resource
// (RFC 8707 §2.2) and authorization_details (RFC 9396 §6.1), which both only
// narrow. scope is what the request may have of the granted scope. Without
// resource the token is for those that the grant names, or for all that it
// reaches.
func (s *Service) aimRequest(r Request, scope string, granted *Terms) (aim, *Error) {
	asked, perr := s.readResources(r.Params)
	if perr != nil {
		return aim{}, perr
	}
	details, perr := s.narrowDetails(r.param("authorization_details"), granted.Details)
	if perr != nil {
		return aim{}, perr
	}
	if len(asked) == 0 {
		return s.aimGranted(scope, details, granted.Resources), nil
	}
	t := s.aimAt(scope, details, asked)
	for _, uri := range asked {
		inGrant := len(granted.Resources) == 0 || slices.Contains(granted.Resources, uri) || uri == s.issuer
		if !inGrant || !contains(t.audience, uri) && !t.mixed {
			return aim{}, fail(InvalidTarget, "the grant and the scope do not reach this resource")
		}
	}
	if t.mixed {
		return aim{}, errMixedTarget
	}
	return t, nil
}

// aimGranted is what a token is for where the request names no resource. A
// scope that leaves none of those that the grant names asks for the person's
// data: that is the issuer's to give.
func (s *Service) aimGranted(scope string, details json.RawMessage, resources []string) aim {
	t := s.aimAt(scope, details, resources)
	if t.audience == "" && len(resources) > 0 {
		return s.aimAt(scope, nil, []string{s.issuer})
	}
	return t
}

var errMixedTarget = fail(InvalidTarget, "no one token can be for all of these: name one resource")
