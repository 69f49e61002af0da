package oauth

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"sallyport/internal/secret"
	"sallyport/internal/token/jose"
)

// MaxRegistration is how long the metadata of a client may be, in bytes.
const MaxRegistration = 64 << 10

const (
	maxListed    = 20      // members of a list
	maxText      = 2048    // bytes of a text
	maxStatement = 8 << 10 // of a software statement, as of any JWT
)

// clientMetadata is what a client says of itself (RFC 7591 §2, OpenID Connect
// Registration §2), as it came.
type clientMetadata struct {
	ClientID               string   `json:"client_id"`
	Name                   string   `json:"client_name"`
	RedirectURIs           []string `json:"redirect_uris"`
	PostLogoutRedirectURIs []string `json:"post_logout_redirect_uris"`
	ResponseTypes          []string `json:"response_types"`
	Scope                  string   `json:"scope"`
	Contacts               []string `json:"contacts"`
	DPoPBound              bool     `json:"dpop_bound_access_tokens"`
	CertificateBound       bool     `json:"tls_client_certificate_bound_access_tokens"`
	Statement              string   `json:"software_statement"`
	Settings

	secret secret.Value    // client_secret
	named  map[string]bool // what was there at all, and not null
}

// notTheirs are settings that only an administrator may choose, because they
// make the client less safe or let it do more.
var notTheirs = []string{"pkce", "token_endpoint_auth_audience", "embedded_ua", "token_exchange"}

// metadataFields are the places of clientMetadata by name.
var metadataFields = func() map[string][]int {
	m := map[string][]int{}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[clientMetadata]()) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name != "" && f.IsExported() && !slices.Contains(notTheirs, name) && len(f.Index) <= 2 {
			m[name] = f.Index
		}
	}
	m["client_secret"] = nil
	return m
}()

// read reads the metadata of a client into m: strictly what is known,
// nothing of the rest (RFC 7591 §3.1). null counts as absent.
func (m *clientMetadata) read(body []byte) *Error {
	if m.named == nil {
		m.named = map[string]bool{}
	}
	if len(body) > MaxRegistration {
		return fail(InvalidClientMetadata, "the metadata is too long")
	}
	var wrong *Error
	err := jose.ScanObject(body, func(name string, value []byte) error {
		index, known := metadataFields[name]
		if own := slices.Contains(ofServer, name); own && string(value) != "null" {
			m.named[name] = true
		}
		if !known || string(value) == "null" {
			return nil
		}
		if why := m.set(index, name, value); why != "" {
			wrong = fail(InvalidClientMetadata, name+" "+why)
			if name == "redirect_uris" {
				wrong.Code = InvalidRedirectURI
			}
			return wrong
		}
		m.named[name] = true
		return nil
	})
	switch {
	case wrong != nil:
		return wrong
	case err != nil:
		return fail(InvalidClientMetadata, "the body must be one JSON object, with each name once")
	}
	return nil
}

// ofServer are members that the server alone decides; an update must not have
// them (RFC 7592 §2.2), and a registration need not (RFC 7591 §3.1).
var ofServer = []string{"client_secret_expires_at", "client_id_issued_at", "registration_client_uri", "registration_access_token"}

// set writes one member and says what is wrong with it.
func (m *clientMetadata) set(index []int, name string, value []byte) string {
	if name == "jwks" {
		if len(value) > maxClientKeys || value[0] != '{' {
			return "is no JWK Set, or a long one"
		}
		m.JWKS = string(value)
		return ""
	}
	if name == "client_secret" {
		var text string
		if json.Unmarshal(value, &text) != nil || len(text) > maxText {
			return "is not of the type that it should be"
		}
		m.secret = secret.New(text)
		return ""
	}
	if name == "software_statement" {
		if json.Unmarshal(value, &m.Statement) != nil || len(m.Statement) > maxStatement {
			return fmt.Sprintf("is no text of at most %d bytes", maxStatement)
		}
		return ""
	}
	into := reflect.ValueOf(m).Elem().FieldByIndex(index)
	into.SetZero()
	if err := json.Unmarshal(value, into.Addr().Interface()); err != nil {
		return "is not of the type that it should be"
	}
	return tooMuch(into)
}

// tooMuch bounds what is kept of strangers.
func tooMuch(v reflect.Value) string {
	switch v.Kind() {
	case reflect.String:
		if v.Len() > maxText {
			return fmt.Sprintf("is longer than %d bytes", maxText)
		}
		if strings.ContainsFunc(v.String(), unseen) {
			return "has characters that cannot be shown"
		}
	case reflect.Slice:
		if v.Len() > maxListed {
			return fmt.Sprintf("has more than %d members", maxListed)
		}
		for i := range v.Len() {
			if why := tooMuch(v.Index(i)); why != "" {
				return why
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if why := tooMuch(v.Field(i)); why != "" {
				return why
			}
		}
	case reflect.Int64:
		if v.Int() < 0 {
			return "is negative"
		}
	default: // a bool is a bool
	}
	return ""
}

var errNoIssuer = errors.New("no issuer")

// unverifiedIssuer is who a JWT says that it is from: it chooses whose keys to
// look for, and says nothing more.
func unverifiedIssuer(jwt string) (string, bool) {
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 || len(jwt) > MaxRegistration {
		return "", false
	}
	payload, err := base64.RawURLEncoding.Strict().DecodeString(parts[1])
	if err != nil {
		return "", false
	}
	var issuer string
	err = jose.ScanObject(payload, func(name string, value []byte) error {
		if name != "iss" {
			return nil
		}
		if json.Unmarshal(value, &issuer) != nil {
			return errNoIssuer
		}
		return nil
	})
	return issuer, err == nil
}

// statedAlone are claims of a software statement that are about the statement,
// or that no statement can give away.
var statedAlone = []string{"software_statement", "client_id", "client_secret"}

// overrule lets the claims of a software statement win over what the client says
// of itself (RFC 7591 §3.1.1).
func (m *clientMetadata) overrule(claims []byte) *Error {
	statement := m.Statement
	var kept []byte
	err := jose.ScanObject(claims, func(name string, value []byte) error {
		if slices.Contains(statedAlone, name) {
			return nil
		}
		kept = append(kept, ',')
		kept = append(append(append(append(kept, '"'), name...), '"', ':'), value...)
		return nil
	})
	if err != nil {
		return fail(InvalidSoftwareStatement, "software_statement has claims that are not JSON")
	}
	if len(kept) == 0 {
		return nil
	}
	kept[0] = '{'
	if perr := m.read(append(kept, '}')); perr != nil {
		return fail(InvalidSoftwareStatement, "in software_statement, "+perr.Description)
	}
	m.Statement = statement
	return nil
}
