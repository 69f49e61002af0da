package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"sallyport/internal/secret"
)

// subjectFor is the sub by which a client knows a person: the account ID, or for
// a client with pairwise subjects one that no client of another sector knows
// (OpenID Connect Core §8). Whatever such a client reads has it; resource servers
// and all of ours go by the account ID.
func (s *Service) subjectFor(c *Client, userID string) string {
	if c.Settings.SubjectType != "pairwise" {
		return userID
	}
	return s.ring.Pairwise(c.sector(), userID)
}

// personOf is the account ID behind a subject that a client knows. A subject
// that is not this client's is nobody's.
func (s *Service) personOf(c *Client, subject string) string {
	userID, pairwise := s.ring.Person(subject)
	if !pairwise {
		userID = subject
	}
	if s.subjectFor(c, userID) != subject {
		return "nobody:"
	}
	return userID
}

// sidMark begins what stands for a session where pairwise subjects are made. No
// account ID has a dot, so neither is ever taken for the other.
const sidMark = "sid."

// sidFor is the sid by which a client knows a session. All clients in a browser
// have the same one, and it outlives the sign-in: to clients with pairwise
// subjects it would say who is whom, so each sector has its own.
func (s *Service) sidFor(c *Client, sid secret.ID) string {
	if c.Settings.SubjectType != "pairwise" {
		return sid.String()
	}
	return s.ring.Pairwise(c.sector(), sidMark+sid.String())
}

// sessionOf is the session behind a sid of any client.
func (s *Service) sessionOf(sid string) (secret.ID, error) {
	if text, pairwise := s.ring.Person(sid); pairwise {
		var ok bool
		if sid, ok = strings.CutPrefix(text, sidMark); !ok {
			return secret.ID{}, errors.New("a subject is no sid")
		}
	}
	return secret.ParseID(sid)
}

// sector is the sector identifier of a client (OpenID Connect Core §8.1): the
// host of sector_identifier_uri, or that of its redirect URIs.
func (c *Client) sector() string {
	uri := c.Settings.SectorURI
	if uri == "" && len(c.RedirectURIs) > 0 {
		uri = c.RedirectURIs[0]
	}
	u, err := url.Parse(uri)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// pairwiseProblem: without a sector that belongs to the client, clients of
// different owners would share what should be apart. A scheme or a loopback
// address is nobody's.
func (c *Client) pairwiseProblem() (setting, why string) {
	uri := c.Settings.SectorURI
	if uri != "" {
		u, err := url.Parse(uri)
		if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.Fragment != "" || u.User != nil || len(uri) > maxSectorURI {
			return "sector_identifier_uri", "is not an https address"
		}
	}
	switch t := c.Settings.SubjectType; {
	case t != "" && t != "public" && t != "pairwise":
		return "subject_type", "is neither public nor pairwise"
	case t != "pairwise", uri != "":
		return "", ""
	case len(c.RedirectURIs) == 0:
		return "sector_identifier_uri", "is missing: a client with pairwise subjects and without redirect URIs needs it"
	}
	for _, r := range c.RedirectURIs {
		u, err := url.Parse(r)
		if err != nil || u.Scheme != "https" || u.Hostname() != c.sector() {
			return "sector_identifier_uri", "is missing: with pairwise subjects all redirect URIs are https and of one host, or it lists them"
		}
	}
	return "", ""
}

const maxSectorURI = 512

// strangersSectorProblem: that a redirect URI belongs to a sector proves something
// only where codes are sent to it, and only if its host is somebody's.
func (c *Client) strangersSectorProblem() (setting, why string) {
	r := &c.Settings
	if r.SubjectType != "pairwise" {
		return "", ""
	}
	for _, elsewhere := range []string{grantDevice, grantCIBA} {
		if slices.Contains(r.GrantTypes, elsewhere) {
			return "subject_type", "cannot be pairwise with " + elsewhere + ": its tokens go to no redirect URI, so none proves the sector"
		}
	}
	host := c.sector()
	if addr, err := netip.ParseAddr(host); host == "localhost" || strings.HasSuffix(host, ".localhost") || err == nil && addr.IsLoopback() {
		return "subject_type", "cannot be pairwise on a loopback address, which is everybody's"
	}
	return "", ""
}

// checkSector asks sector_identifier_uri whether it lists every redirect URI of
// the client, so that nobody takes the pseudonyms of somebody else's sector
// (OpenID Connect Core §8.1, Registration §5). It is for clients that come from
// outside; an administrator's word is enough.
func (s *Service) checkSector(ctx context.Context, c *Client) *Error {
	if c.Settings.SectorURI == "" {
		return nil
	}
	bad := fail(InvalidClientMetadata, "sector_identifier_uri must answer with a JSON array that has every redirect URI of the client")
	if s.fetch == nil {
		return bad
	}
	body, err := s.fetch(ctx, c.Settings.SectorURI)
	var listed []string
	if err != nil || json.Unmarshal(body, &listed) != nil {
		bad.cause = err
		return bad
	}
	for _, uri := range c.RedirectURIs {
		if !slices.Contains(listed, uri) {
			return bad
		}
	}
	return nil
}
