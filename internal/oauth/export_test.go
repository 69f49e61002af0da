package oauth

import (
	"context"
	"time"
)

import "net/url"

// RequestParams reads the claims of a request object.
func RequestParams(claims []byte) (url.Values, bool) {
	p, why := requestParams(claims)
	return p, why == ""
}

// ReadLeakReport shows what is kept of the last string of a report.
func ReadLeakReport(body []byte) (n int, text, address, source string, err error) {
	found, perr := readLeakReport(body)
	if perr != nil {
		return 0, "", "", "", perr
	}
	for _, f := range found {
		text, address, source = f.Secret.Reveal(), cleanURL(f.URL, f.Secret), cleanSource(f.Source)
	}
	return len(found), text, address, source, nil
}

// WordsIn returns what of a text is tried as a secret of the configuration.
func WordsIn(text string) (words []string) {
	eachWord(text, func(w string) bool { words = append(words, w); return true })
	return words
}

// WorkPerByte is how often a byte is tried at most.
const WorkPerByte = workPerByte

// ReadClient reads metadata as the registration endpoint does, without a store.
func ReadClient(body []byte) (*Client, error) {
	g, err := newRegistrar(RegistrationPolicy{Policy: RegisterOpen, Types: ClientTypes}, time.Now)
	if err != nil {
		return nil, err
	}
	s := &Service{registrar: g}
	c, _, err := s.readClient(context.Background(), body)
	return c, err
}

// ReadSubjectFormat reads a request for global revocation.
func ReadSubjectFormat(body []byte) (string, *Error) {
	id, perr := readSubjectID(body)
	return id.Format, perr
}

// ForgetClients makes the service read clients anew.
func (s *Service) ForgetClients() { s.clients.forgetAll() }
