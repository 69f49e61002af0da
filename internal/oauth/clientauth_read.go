package oauth

import (
	"encoding/base64"
	"net/url"
	"strings"

	"sallyport/internal/secret"
	"sallyport/internal/token/jose"
)

// assertionType is client_assertion_type of a JWT (RFC 7523 §2.2).
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

var errManyMethods = fail(InvalidRequest, "more than one client authentication")

// readClientAuth finds the one authentication of a request. More than one is
// an error (RFC 6749 §2.3). A certificate does not count: it may be there to
// bind tokens to.
func readClientAuth(r Request) (presented, *Error) {
	if len(r.param("client_id")) > maxClientID {
		return presented{}, errClientAuth
	}
	var reads []func(Request) (presented, *Error)
	for _, offer := range []struct {
		made bool
		read func(Request) (presented, *Error)
	}{
		{len(r.Authorization) > 0, readBasicAuth},
		{r.Params.Has("client_secret"), readPostAuth},
		{r.Params.Has("client_assertion") || r.Params.Has("client_assertion_type"), readAssertionAuth},
		{len(r.Attestation) > 0 || len(r.AttestationPoP) > 0, readAttestationAuth},
	} {
		if offer.made {
			reads = append(reads, offer.read)
		}
	}
	switch {
	case len(reads) > 1 || len(r.Authorization) > 1:
		return presented{}, errManyMethods
	case len(reads) == 1:
		return reads[0](r)
	case r.param("client_id") == "":
		return presented{}, fail(InvalidClient, "client authentication is missing")
	}
	return presented{method: methodNone, clientID: r.param("client_id")}, nil
}

func readBasicAuth(r Request) (presented, *Error) {
	p, ok := readBasic(r.Authorization[0])
	if !ok {
		return presented{}, fail(InvalidClient, "Authorization must be Basic with form-encoded client_id and secret")
	}
	if id := r.param("client_id"); id != "" && id != p.clientID {
		return presented{}, fail(InvalidRequest, "client_id differs from the Authorization header")
	}
	return p, nil
}

// readBasic decodes client_id and secret, each form-urlencoded before they
// were joined (RFC 6749 §2.3.1).
func readBasic(header string) (presented, bool) {
	scheme, b64, found := strings.Cut(header, " ")
	if !found || !strings.EqualFold(scheme, "Basic") || len(b64) > 4096 {
		return presented{}, false
	}
	raw, err := base64.StdEncoding.DecodeString(b64)
	if err != nil {
		return presented{}, false
	}
	id, sec, found := strings.Cut(string(raw), ":")
	if !found {
		return presented{}, false
	}
	id, err1 := url.QueryUnescape(id)
	sec, err2 := url.QueryUnescape(sec)
	if err1 != nil || err2 != nil || id == "" || len(id) > maxClientID {
		return presented{}, false
	}
	return presented{method: methodBasic, clientID: id, secret: secret.New(sec)}, true
}

func readPostAuth(r Request) (presented, *Error) {
	if r.param("client_id") == "" {
		return presented{}, fail(InvalidClient, "client_id is missing beside client_secret")
	}
	return presented{method: methodPost, clientID: r.param("client_id"), secret: secret.New(r.param("client_secret"))}, nil
}

// readAssertionAuth reads for whom a client assertion claims to be (RFC 7521
// §4.2). client_id is not needed beside it, and agrees with it if it is there.
func readAssertionAuth(r Request) (presented, *Error) {
	assertion := r.param("client_assertion")
	if r.param("client_assertion_type") != assertionType || assertion == "" {
		return presented{}, fail(InvalidClient, "client_assertion and client_assertion_type of a JWT bearer belong together")
	}
	claimed, err := jose.ReadUnverified(assertion)
	if err != nil || claimed.Subject == "" || len(claimed.Subject) > maxClientID {
		return presented{}, &Error{Code: errClientAuth.Code, Description: errClientAuth.Description, cause: err}
	}
	if id := r.param("client_id"); id != "" && id != claimed.Subject {
		return presented{}, fail(InvalidRequest, "client_id differs from sub of client_assertion")
	}
	return presented{method: methodPrivateKey, clientID: claimed.Subject, assertion: secret.New(assertion)}, nil
}

// ClaimedClient is the client that a request says it is from, unproven; "" if
// it says none. It is for counting failures: every spelling that authenticates
// as a client counts as that client.
func ClaimedClient(r Request) string {
	p, _ := readClientAuth(r)
	return p.clientID
}
