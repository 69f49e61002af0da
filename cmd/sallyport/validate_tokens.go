package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"regexp"

	"sallyport/internal/oauth"
	"sallyport/internal/outbound"
	"sallyport/internal/token"
	"sallyport/internal/token/jose"
)

var scopeName = regexp.MustCompile(`^[\x21\x23-\x5b\x5d-\x7e]{1,128}$`) // RFC 6749 §3.3

// checkVerifyingAPIs judges the APIs that the gateway does not stand before. The
// others are judged by the gateway.
func checkVerifyingAPIs(j *judge) {
	for i := range j.c.APIs {
		at, a := fmt.Sprintf("apis[%d]", i), &j.c.APIs[i]
		for k := range i {
			if other := &j.c.APIs[k]; !a.guarded() || !other.guarded() {
				sameAPI(j, at, a, other)
			}
		}
		if !a.guarded() {
			checkVerifyingAPI(j, at, a)
		} else if len(a.Scopes) > 0 {
			j.failf(at+".scopes", "an API behind the gateway has the scopes of its operations: remove them here")
		}
	}
}

func sameAPI(j *judge, at string, a, other *apiConfig) {
	if a.Name == other.Name && a.Name != "" {
		j.failf(at+".name", "%s is the name of another API", a.Name)
	}
	if a.Audience == other.Audience && a.Audience != "" {
		j.failf(at+".audience", "is that of %s", other.Name)
	}
}

func checkVerifyingAPI(j *judge, at string, a *apiConfig) {
	if a.Name == "" {
		j.failf(at+".name", "is missing")
	}
	u, err := url.Parse(a.Audience)
	if err != nil || u.Scheme == "" || u.Fragment != "" || !scopeName.MatchString(a.Audience) {
		j.failf(at+".audience", "%s is not an absolute URI without fragment", outbound.Show(a.Audience))
	}
	if len(a.Scopes) == 0 {
		j.failf(at+".scopes", "are missing: an API without path needs some, or give it path, upstream and operations")
	}
	for k, scope := range a.Scopes {
		if !scopeName.MatchString(scope) {
			j.failf(fmt.Sprintf("%s.scopes[%d]", at, k), "%q is not one scope value", scope)
		}
	}
	if len(a.CORSOrigins) > 0 {
		j.failf(at+".cors_origins", "only the gateway answers browsers, and it does not stand before this API")
	}
}

// checkEncryption judges who gets encrypted tokens, and the keys for that.
func checkEncryption(j *judge) {
	checkClientSettings(j)
	for i := range j.c.APIs {
		at, a := fmt.Sprintf("apis[%d]", i), &j.c.APIs[i]
		nested := a.format() == token.FormatNested
		switch {
		case nested && a.guarded():
			j.failf(at+".token_format", "the gateway cannot open tokens that only the API can read: remove path, upstream and operations and list scopes, or use sealed or jwt")
		case !nested && a.JWKSFile != "":
			j.failf(at+".jwks_file", "keys of an API are for nested tokens alone: set token_format to nested, or remove it")
		case !nested && a.JWKSURI != "":
			j.failf(at+".jwks_uri", "keys of an API are for nested tokens alone: set token_format to nested, or remove it")
		case len(a.JWKSNetworks) > 0 && a.JWKSURI == "":
			j.failf(at+".jwks_networks", "is for jwks_uri, which is not there")
		case nested:
			for k, network := range a.JWKSNetworks {
				if _, err := outbound.ParseNetwork(network); err != nil {
					j.failf(fmt.Sprintf("%s.jwks_networks[%d]", at, k), "%q %v", network, err)
				}
			}
			jwks, p := j.c.keysProblem(a.JWKSFile, a.JWKSURI)
			if p.Text == "" {
				p = usableProblem(jwks, "", jose.A256GCM)
			}
			if o, err := a.keysDoor(); p.Text == "" && a.JWKSURI != "" && err == nil {
				p = problem{Path: "jwks_uri", Text: unaskedProblem(o, a.JWKSURI, at+".jwks_networks")}
			}
			if p.Text != "" {
				j.failf(at+"."+p.Path, "%s", p.Text)
			}
		}
	}
}

// keysProblem reads the keys that a setting names, and says what is wrong with
// the setting. Keys at an address are not asked for here.
func (c *config) keysProblem(file, uri string) (jwks string, p problem) {
	switch {
	case file == "" && uri == "":
		return "", problem{Path: "jwks_file", Text: "is missing, and so is jwks_uri: there is no key to encrypt to"}
	case file != "" && uri != "":
		return "", problem{Path: "jwks_uri", Text: "is there beside jwks_file: keep one of them"}
	case uri != "":
		return "", problem{Path: "jwks_uri", Text: keysAddressProblem(uri)}
	}
	jwks, err := readKeys(c.file(file))
	if err != nil {
		return "", problem{Path: "jwks_file", Text: err.Error()}
	}
	return jwks, problem{}
}

func keysAddressProblem(uri string) string {
	u, err := url.Parse(uri)
	switch {
	case err != nil || u.Hostname() == "" || u.User != nil || u.Fragment != "":
		return outbound.Show(uri) + " is not an address without user and fragment"
	case u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())):
		return "keys that travel by plain http can be exchanged on the way: use https"
	}
	return ""
}

// maxKeysFile is the longest file of keys, in bytes.
const maxKeysFile = 256 << 10

// readKeys reads a JWK Set of public keys.
func readKeys(file string) (string, error) {
	info, err := os.Stat(file)
	if err != nil {
		return "", fmt.Errorf("read keys: %w", err)
	}
	if info.Size() > maxKeysFile {
		return "", errors.New("is longer than 256 KiB")
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read keys: %w", err)
	}
	if _, err := jose.ParseKeySet(b); err != nil {
		return "", fmt.Errorf("%s is not a JWK Set of public keys: %w", file, err)
	}
	return string(b), nil
}

// usableProblem says why nothing could be encrypted to a set of keys; keys at an
// address are judged when they are there.
func usableProblem(jwks string, alg jose.Algorithm, enc jose.Encryption) problem {
	var keys jose.KeySource = noKeys{}
	if jwks != "" {
		set, err := jose.ParseKeySet([]byte(jwks))
		if err != nil {
			return problem{Path: "jwks_file", Text: err.Error()}
		}
		keys = set
	}
	r, err := jose.NewRecipient(keys, alg, enc)
	switch {
	case err != nil:
		return problem{Path: "jwks_file", Text: err.Error()}
	case jwks == "":
		return problem{}
	case r.Usable(context.Background()) != nil && alg == "":
		return problem{Path: "jwks_file", Text: "has no key for encryption: an EC or RSA key of use enc, and of an alg that is allowed, is needed"}
	case r.Usable(context.Background()) != nil:
		return problem{Path: "jwks_file", Text: "has no key for encryption by " + string(alg)}
	}
	return problem{}
}

// noKeys stands for keys that are elsewhere.
type noKeys struct{}

func (noKeys) Key(context.Context, string, jose.Algorithm) (*jose.Key, error) {
	return nil, jose.ErrKeysUnavailable
}

// resources are the APIs as the issuer sees them.
func (c *config) resources(keys *keyFinder) ([]oauth.Resource, error) {
	list := make([]oauth.Resource, 0, len(c.APIs))
	for i := range c.APIs {
		a := &c.APIs[i]
		r := oauth.Resource{Name: a.Name, Audience: a.Audience, Tier: a.tier(), Scopes: a.scopes(), Format: a.format()}
		if r.Format == token.FormatNested {
			source, err := keys.ofAPI(c, a)
			if err == nil {
				r.Recipient, err = jose.NewRecipient(source, "", jose.A256GCM)
			}
			if err != nil {
				return nil, fmt.Errorf("keys of %s: %w", a.Name, err)
			}
		}
		list = append(list, r)
	}
	return list, nil
}
