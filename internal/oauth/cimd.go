package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"sallyport/internal/audit"
)

// A client_id may be the https address of the client's metadata
// (draft-ietf-oauth-client-id-metadata-document): nobody registered the client,
// and all that is known of it is that whoever controls the address wrote it. So
// it has no secret, it is less trusted than others, and people see its host.

// DocumentPolicy says whether such clients are let in, and for what.
type DocumentPolicy struct {
	On         bool
	Hosts      []string // that may hold documents; ".example.com" is all below it; empty: any
	Profile    Profile
	Scope      string // as in RegistrationPolicy
	GrantTypes []string
	AppLinks   bool
}

// FetchDocument returns what is at a URL and for how long it may be kept; 0 if it
// does not say. The error matches ErrNoDocument if the host answers that nothing
// is there. It is like Fetch otherwise.
type FetchDocument func(ctx context.Context, url string) (body []byte, keep time.Duration, err error)

// ErrNoDocument: whoever controls the address of a client has taken its metadata
// away, and so the client.
var ErrNoDocument = errors.New("nothing is there")

// MaxDocument is how long such a document may be, in bytes.
const MaxDocument = 5 << 10

const (
	documentScheme = "https://"
	maxDocuments   = 1000 // that are remembered
	keepLeast      = 5 * time.Minute
	keepMost       = 24 * time.Hour
	keepUsual      = time.Hour
	keepRefused    = time.Minute // what is no client
	documentTime   = 10 * time.Second
	fetchBurst     = 200 // documents that are not known may be fetched at once
	fetchEvery     = 200 * time.Millisecond
)

// documents remembers the clients whose IDs are addresses. Safe for concurrent
// use; one document is fetched once at a time.
type documents struct {
	s      *Service
	policy DocumentPolicy
	rules  *registrar
	fetch  FetchDocument
	// read is readDocument: the table of grant types, which that looks at, comes to
	// get by way of what it lists.
	read func(ctx context.Context, id string) (c *Client, keep time.Duration, reason string, err error)

	mu     sync.Mutex
	m      map[string]*document
	budget time.Time // when the fetches that were begun are paid for
}

// document is what is known of one.
type document struct {
	client *Client // nil: it is none
	until  time.Time
	dead   time.Time     // after which it does not count even if it cannot be fetched
	reason string        // why the last fetch brought none
	flight chan struct{} // closed when the fetch that is under way has ended; nil: there is none

	origins map[string]bool // of its pages, if it is a browser client
}

func newDocuments(s *Service, p DocumentPolicy, fetch FetchDocument) (*documents, error) {
	if p.On && fetch == nil {
		return nil, errors.New("oauth: metadata documents of clients need a way to fetch them")
	}
	g, err := newRegistrar(RegistrationPolicy{Policy: RegisterOpen, Profile: p.Profile, Scope: p.Scope, GrantTypes: p.GrantTypes, AppLinks: p.AppLinks}, s.now)
	if err != nil {
		return nil, err
	}
	d := &documents{s: s, policy: p, rules: g, fetch: fetch, m: map[string]*document{}}
	d.read = d.readDocument
	return d, nil
}

// TakesDocuments reports whether a client_id may be an address at all.
func (s *Service) TakesDocuments() bool { return s.documents.policy.On }

// UnknownDocument reports whether a client_id is the address of a document of
// which nothing is known, so that naming it makes this server ask.
func (s *Service) UnknownDocument(id string) bool {
	d := s.documents
	if !strings.HasPrefix(id, documentScheme) || !d.allows(id) {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.m[id] == nil
}

// DocumentIDProblem says why a client_id cannot be the address of a document (§3
// of the draft, and more: one document has one address), or nothing.
func DocumentIDProblem(id string) string {
	u, err := url.Parse(id)
	switch {
	case len(id) > maxClientID || strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r >= 0x7f }) || strings.ContainsAny(id, `\"<>^{|}`+"`"):
		return "is too long or has characters that addresses do not have"
	case err != nil || u.Scheme != "https" || !strings.HasPrefix(id, documentScheme) || u.Host == "":
		return "is not an https address"
	case u.User != nil:
		return "has a user in it"
	case strings.ContainsAny(id, "?#"):
		return "has a query or a fragment"
	case u.Path == "":
		return "has no path"
	case u.Host != strings.ToLower(u.Host) || u.Port() == "443" || strings.HasSuffix(u.Host, ":"):
		return "has another spelling of its host"
	}
	for segment := range strings.SplitSeq(u.Path, "/") { // decoded: %2e is a dot too
		if segment == "." || segment == ".." {
			return "has dot segments"
		}
	}
	return ""
}

func (d *documents) allows(id string) bool {
	if !d.policy.On || DocumentIDProblem(id) != "" {
		return false
	}
	u, err := url.Parse(id)
	if err != nil {
		return false
	}
	for _, h := range d.policy.Hosts {
		if u.Host == h || strings.HasPrefix(h, ".") && strings.HasSuffix(u.Host, h) {
			return true
		}
	}
	return len(d.policy.Hosts) == 0
}

// get returns the client at the address id, or ErrNotFound, or an error that says
// that it cannot be known now.
func (d *documents) get(ctx context.Context, id string) (*Client, error) {
	if !d.allows(id) {
		return nil, ErrNotFound
	}
	for began := false; ; {
		d.mu.Lock()
		doc := d.m[id]
		if began && doc != nil {
			note(ctx, audit.Event{Name: audit.ClientFetched, Client: id, Reason: doc.reason})
		}
		if doc != nil && d.s.now().Before(doc.until) {
			d.mu.Unlock()
			return doc.found()
		}
		if doc == nil {
			if !d.pay() {
				d.mu.Unlock()
				return nil, fail(TemporarilyUnavailable, "too many metadata documents are asked for at the moment")
			}
			d.makeRoom()
			doc = &document{}
			d.m[id] = doc
		}
		flight := doc.flight
		if began = flight == nil; began {
			flight = make(chan struct{})
			doc.flight = flight
			go d.refresh(context.WithoutCancel(ctx), id, doc)
		}
		d.mu.Unlock()
		select {
		case <-flight:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// remembered is get that asks nobody: it returns a client that was fetched before,
// also if it would be fetched anew now, or ErrNotFound.
func (d *documents) remembered(id string) (*Client, error) {
	if !d.allows(id) {
		return nil, ErrNotFound
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	doc := d.m[id]
	if doc == nil || doc.client == nil || !d.s.now().Before(doc.dead) {
		return nil, ErrNotFound
	}
	return doc.client, nil
}

func (d *document) found() (*Client, error) {
	if d.client == nil {
		return nil, ErrNotFound
	}
	return d.client, nil
}

// pay takes one from the budget of fetches of documents that are not known, so
// that nobody makes this server ask addresses without end.
func (d *documents) pay() bool {
	now := d.s.now()
	if d.budget.Before(now) {
		d.budget = now
	}
	if d.budget.Sub(now) > (fetchBurst-1)*fetchEvery {
		return false
	}
	d.budget = d.budget.Add(fetchEvery)
	return true
}

// makeRoom forgets what is no client first.
func (d *documents) makeRoom() {
	if len(d.m) < maxDocuments {
		return
	}
	for _, clients := range []bool{false, true} {
		for id, doc := range d.m {
			if doc.flight == nil && (clients || doc.client == nil) {
				delete(d.m, id)
				if !clients {
					continue
				}
			}
			if len(d.m) < maxDocuments {
				return
			}
		}
	}
}

// refresh fetches a document, and ends the flight.
func (d *documents) refresh(ctx context.Context, id string, doc *document) {
	ctx, cancel := context.WithTimeout(ctx, documentTime)
	defer cancel()
	client, keep, reason, err := d.read(ctx, id)
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.s.now()
	switch {
	case err == nil:
		doc.client, doc.until, doc.dead = client, now.Add(keep), now.Add(keepMost)
	case reason == reasonUnread && doc.client != nil && now.Before(doc.dead):
		doc.until = now.Add(keepRefused) // the old one goes on for a while
	default:
		doc.client, doc.until = nil, now.Add(keepRefused)
	}
	close(doc.flight)
	doc.flight = nil
	doc.reason, doc.origins = reason, nil
	if doc.client != nil {
		doc.origins = originsOf([]Client{*doc.client})
	}
}

// Why a document is no client.
const (
	reasonUnread   = "unread"
	reasonGone     = "gone"
	reasonTooLong  = "too_long"
	reasonMetadata = "metadata"
	reasonOtherID  = "other_client_id"
	reasonSecret   = "secret"
)

func (d *documents) readDocument(ctx context.Context, id string) (c *Client, keep time.Duration, reason string, err error) {
	body, keep, err := d.fetch(ctx, id)
	if errors.Is(err, ErrNoDocument) {
		return nil, 0, reasonGone, fmt.Errorf("fetch metadata document: %w", err)
	}
	if err != nil {
		return nil, 0, reasonUnread, fmt.Errorf("fetch metadata document: %w", err)
	}
	if len(body) > MaxDocument {
		return nil, 0, reasonTooLong, errors.New("the metadata document is longer than 5 KiB")
	}
	c, reason, perr := d.client(ctx, id, body)
	if perr != nil {
		return nil, 0, reason, perr
	}
	if keep == 0 {
		keep = keepUsual
	}
	return c, min(max(keep, keepLeast), keepMost), "", nil
}

// client reads a document (§4 of the draft).
func (d *documents) client(ctx context.Context, id string, body []byte) (*Client, string, *Error) {
	m := &clientMetadata{}
	if perr := m.read(body); perr != nil {
		return nil, reasonMetadata, perr
	}
	switch {
	case m.ClientID != id:
		return nil, reasonOtherID, fail(InvalidClientMetadata, "client_id is not the address of the document")
	case m.named["client_secret"] || m.named["client_secret_expires_at"] || strings.HasPrefix(m.AuthMethod, "client_secret_"):
		return nil, reasonSecret, fail(InvalidClientMetadata, "what everybody can read is no secret")
	}
	if m.AuthMethod == "" {
		m.AuthMethod = "none"
	}
	if m.AuthMethod != "none" && m.AuthMethod != "private_key_jwt" {
		return nil, reasonMetadata, fail(InvalidClientMetadata, "token_endpoint_auth_method must be none or private_key_jwt")
	}
	m.Statement = ""
	c, perr := d.rules.client(m)
	if perr != nil {
		return nil, reasonMetadata, perr
	}
	c.ID, c.Origin = id, OriginDocument
	if perr := d.s.judgeStranger(ctx, d.rules, c); perr != nil {
		return nil, reasonMetadata, perr
	}
	return c, "", nil
}

// hasOrigin reports whether a browser client that is known by its document is
// called back on this origin.
func (d *documents) hasOrigin(origin string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.s.now()
	for _, doc := range d.m {
		if doc.origins[origin] && now.Before(doc.dead) {
			return true
		}
	}
	return false
}
