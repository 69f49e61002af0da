package gateway

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"sallyport/internal/token"
)

const (
	jwksPath     = "/.well-known/sallyport-gateway/jwks.json"
	metadataPath = "/.well-known/oauth-protected-resource"
)

// document is a public file.
type document struct {
	contentType string
	body        func() ([]byte, error)
}

func (g *Gateway) compileDocuments() map[string]document {
	docs := map[string]document{jwksPath: {"application/jwk-set+json", g.JWKS}}
	for _, api := range g.table {
		body := g.metadata(api)
		docs[metadataPath+api.prefix] = document{"application/json", func() ([]byte, error) { return body, nil }}
	}
	return docs
}

// metadata is the protected resource metadata of an API (RFC 9728 §2).
func (g *Gateway) metadata(api *route) []byte {
	b := token.AppendJSONString([]byte(`{"resource":`), api.audience)
	b = token.AppendJSONString(append(b, `,"authorization_servers":[`...), g.issuer)
	b = token.AppendJSONString(append(b, `],"resource_name":`...), api.name)
	b = appendList(append(b, `,"scopes_supported":`...), api.scopeList)
	if len(api.details) > 0 {
		b = appendList(append(b, `,"authorization_details_types_supported":`...), api.details)
	}
	b = append(b, `,"bearer_methods_supported":["header"],"dpop_signing_alg_values_supported":["`...)
	b = append(b, strings.Join(proofAlgorithms(), `","`)...)
	// Where certificates do as well, DPoP is not always required.
	b = strconv.AppendBool(append(b, `"],"dpop_bound_access_tokens_required":`...), api.bound && !g.mutualTLS)
	b = strconv.AppendBool(append(b, `,"tls_client_certificate_bound_access_tokens":`...), g.mutualTLS)
	return append(b, '}')
}

func appendList(b []byte, list []string) []byte {
	b = append(b, '[')
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = token.AppendJSONString(b, s)
	}
	return append(b, ']')
}

// metadataURL is where clients find the metadata of a (RFC 9728 §3.1): on the
// audience's host where the audience is the API's own URL, so that a client can
// hold resource against the URL it called (§3.3), else on the issuer's.
func metadataURL(issuer string, a API) string {
	path := strings.TrimSuffix(a.Path, "/")
	for _, s := range []string{a.Audience, issuer} {
		u, err := url.Parse(s)
		if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			continue
		}
		if s == issuer || strings.TrimSuffix(u.EscapedPath(), "/") == path && u.RawQuery == "" {
			return u.Scheme + "://" + u.Host + metadataPath + path
		}
	}
	return ""
}

func (c *call) serveDocument(doc document) refusal {
	if c.r.Method != http.MethodGet && c.r.Method != http.MethodHead {
		return refusal{problem: wrongMethod, reason: "unlisted_method", allow: "GET, HEAD"}
	}
	body, err := doc.body()
	if err != nil {
		return refusal{problem: internalError, reason: "document"}
	}
	h := c.w.Header()
	h.Set("Content-Type", doc.contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "public, max-age=300")
	h.Set("Access-Control-Allow-Origin", "*") // public, and no credential is read here
	h.Set("X-Content-Type-Options", "nosniff")
	c.w.WriteHeader(http.StatusOK)
	if c.r.Method == http.MethodGet {
		_, _ = c.w.Write(body)
	}
	return handled
}
