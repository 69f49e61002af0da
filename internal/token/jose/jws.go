package jose

import (
	"context"
	"errors"
	"slices"
	"strings"
)

// signed is a JWS in the compact serialization (RFC 7515 §7.1), taken apart.
type signed struct {
	header  header
	input   []byte // what is signed
	payload []byte
	sig     []byte
}

// split takes a compact JWS apart. Whatever can be checked without a key is
// checked here, cheapest first, and each part is decoded once: what is verified
// is what is read.
func split(compact string) (*signed, error) {
	if len(compact) > maxJWS {
		return nil, refuse(ReasonSize)
	}
	first := strings.IndexByte(compact, '.')
	last := strings.LastIndexByte(compact, '.')
	if first <= 0 || last == first || last == len(compact)-1 || strings.IndexByte(compact[first+1:last], '.') >= 0 {
		return nil, refuse(ReasonForm)
	}
	// One buffer holds the text and the decoded parts.
	text := append(make([]byte, 0, len(compact)*7/4+8), compact...)
	s := &signed{input: text[:last]}
	raw, ok := appendDecoded(text[len(text):], text[:first])
	if !ok {
		return nil, refuse(ReasonEncoding)
	}
	var err error
	if s.header, err = parseHeader(raw); err != nil {
		return nil, err
	}
	if s.payload, ok = appendDecoded(raw[len(raw):], text[first+1:last]); !ok {
		return nil, refuse(ReasonEncoding)
	}
	if s.sig, ok = appendDecoded(s.payload[len(s.payload):], text[last+1:]); !ok {
		return nil, refuse(ReasonEncoding)
	}
	return s, nil
}

// verify finds the key and checks the signature. The header's alg is compared
// with the algorithms of the purpose and with the key's; it decides nothing.
func (s *signed) verify(ctx context.Context, keys KeySource, algorithms []Algorithm) (*Key, error) {
	h := &s.header
	if !slices.Contains(algorithms, h.alg) {
		return nil, refuse(ReasonAlgorithm)
	}
	alg, known := signatures[h.alg]
	if !known {
		return nil, refuse(ReasonAlgorithm)
	}
	key, err := s.key(ctx, keys)
	if err != nil {
		return nil, err
	}
	if !key.verifies(h.alg, algorithms) {
		return nil, refuse(ReasonKey)
	}
	if !alg.verify(key, alg.hash, s.input, s.sig) {
		return nil, refuse(ReasonSignature)
	}
	return key, nil
}

func (s *signed) key(ctx context.Context, keys KeySource) (*Key, error) {
	if keys == EmbeddedKey {
		if s.header.jwk == "" {
			return nil, refuse(ReasonHeaderKey)
		}
		return parsed.key(s.header.jwk)
	}
	if s.header.jwk != "" {
		return nil, refuse(ReasonHeaderKey)
	}
	key, err := keys.Key(ctx, s.header.kid, s.header.alg)
	if errors.Is(err, ErrNoKey) {
		return nil, refuse(ReasonKeyID)
	}
	return key, err
}
