package upstream

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"sallyport/internal/token/jose"
)

const (
	metadataFor   = time.Hour       // for how long it is not asked for again
	metadataStale = 24 * time.Hour  // for how long it counts where it cannot be had again
	metadataRetry = 5 * time.Second // after a failure
	maxStrings    = 100             // of a list in it
)

// metadata is what a provider publishes of itself (OpenID Connect Discovery §3,
// RFC 8414 §2), or what we know of GitHub.
type metadata struct {
	issuer        string
	authorization string
	token         string
	userinfo      string // empty: none
	pushed        string // empty: none
	jwks          string
	algorithms    []jose.Algorithm // of ID tokens, those that we accept
	methods       []string         // of client authentication; nil: unsaid
	namesIssuer   bool             // it puts iss into its answers (RFC 9207 §3)

	keys *jose.RemoteKeys // nil for GitHub
}

// discovery remembers the metadata of one provider. Safe for concurrent use: callers
// wait for one fetch.
type discovery struct {
	mu     sync.Mutex
	good   *metadata
	at     time.Time
	tried  time.Time
	failed error
}

// metadata returns what the provider says of itself, at most an hour old where it can
// be asked. The error is of the class ErrUnavailable or ErrRefused.
func (p *provider) metadata(ctx context.Context) (*metadata, error) {
	if p.Kind == GitHub {
		return p.github(), nil
	}
	d := &p.found
	d.mu.Lock()
	defer d.mu.Unlock()
	now := p.now()
	if d.good != nil && now.Sub(d.at) < metadataFor {
		return d.good, nil
	}
	if d.failed == nil || now.Sub(d.tried) >= metadataRetry {
		d.tried = now
		fresh, err := p.discover(ctx)
		if d.failed = err; err == nil {
			if d.good != nil && d.good.jwks == fresh.jwks {
				fresh.keys = d.good.keys
			}
			d.good, d.at = fresh, now
			return fresh, nil
		}
		if ctx.Err() != nil { // whoever asked has left: that says nothing of the provider
			d.failed = nil
			return nil, err
		}
	}
	if d.good != nil && now.Sub(d.at) < metadataStale {
		return d.good, nil
	}
	return nil, d.failed
}

func (p *provider) discover(ctx context.Context) (*metadata, error) {
	body, err := p.Door.Get(ctx, p.issuer()+"/.well-known/openid-configuration")
	if err != nil {
		return nil, fail(ErrUnavailable, "metadata", err)
	}
	m, err := parseMetadata(body)
	if err != nil {
		return nil, err
	}
	if m.issuer != p.expectedIssuer() { // OpenID Connect Discovery §4.3, RFC 8414 §3.3
		return nil, refuse("metadata_issuer")
	}
	for _, address := range []string{m.authorization, m.token, m.userinfo, m.pushed, m.jwks} {
		if address != "" && p.Door.Check(address) != nil {
			return nil, refuse("metadata_address")
		}
	}
	if len(m.algorithms) == 0 {
		return nil, refuse("metadata_alg")
	}
	m.keys, err = jose.NewRemoteKeys(jose.RemoteOptions{URL: m.jwks, Fetch: p.Door.Get, Now: p.now})
	if err != nil {
		return nil, fail(ErrRefused, "metadata_jwks_uri", err)
	}
	return m, nil
}

// parseMetadata reads a document of a stranger: a strict JSON object, with what a
// sign-in needs.
func parseMetadata(body []byte) (*metadata, error) {
	m := &metadata{}
	var algs []string
	texts := map[string]*string{
		"issuer": &m.issuer, "authorization_endpoint": &m.authorization, "token_endpoint": &m.token, "userinfo_endpoint": &m.userinfo,
		"pushed_authorization_request_endpoint": &m.pushed, "jwks_uri": &m.jwks,
	}
	lists := map[string]*[]string{"id_token_signing_alg_values_supported": &algs, "token_endpoint_auth_methods_supported": &m.methods}
	err := jose.ScanObject(body, func(name string, value []byte) error {
		switch {
		case texts[name] != nil:
			return json.Unmarshal(value, texts[name])
		case lists[name] != nil:
			if err := json.Unmarshal(value, lists[name]); err != nil || len(*lists[name]) > maxStrings {
				return errors.New("not a list of strings")
			}
		case name == "authorization_response_iss_parameter_supported":
			return json.Unmarshal(value, &m.namesIssuer)
		}
		return nil
	})
	if err != nil {
		return nil, refuse("metadata_form")
	}
	for _, need := range []string{m.issuer, m.authorization, m.token, m.jwks} {
		if need == "" {
			return nil, refuse("metadata_form")
		}
	}
	for _, a := range algs {
		if alg := jose.Algorithm(a); slices.Contains(algorithms, alg) {
			m.algorithms = append(m.algorithms, alg)
		}
	}
	return m, nil
}

// tenantID stands in the issuer of Microsoft's metadata for all tenants.
const tenantID = "{tenantid}"

// expectedIssuer is what the metadata must name: for all tenants of Microsoft, a
// template.
func (p *provider) expectedIssuer() string {
	issuer := p.issuer()
	if p.Kind != Microsoft {
		return issuer
	}
	scheme, rest, _ := strings.Cut(issuer, "://")
	host, path, _ := strings.Cut(rest, "/")
	for _, all := range []string{"common", "organizations", "consumers"} {
		if tail, ok := strings.CutPrefix(path, all+"/"); ok {
			return scheme + "://" + host + "/" + tenantID + "/" + tail
		}
	}
	return issuer
}

// speaksFor reports whether issuer is this provider: exactly, or as one of the
// tenants that may sign in.
func (p *provider) speaksFor(issuer string) bool {
	before, after, template := strings.Cut(p.expectedIssuer(), tenantID)
	if !template {
		return issuer == p.expectedIssuer()
	}
	id, ok := strings.CutPrefix(issuer, before)
	if ok {
		id, ok = strings.CutSuffix(id, after)
	}
	return ok && p.admits(id)
}

func (p *provider) admits(tenant string) bool {
	return validTenant.MatchString(tenant) && (slices.Contains(p.Tenants, tenant) || slices.Contains(p.Tenants, "*"))
}
