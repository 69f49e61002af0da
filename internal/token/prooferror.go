package token

import (
	"errors"
	"strings"
)

// The two answers to a proof that does not do, whatever is wrong with it.
var (
	// ErrProof is answered with invalid_dpop_proof (RFC 9449 §5, §7.1).
	ErrProof = errors.New("invalid DPoP proof")
	// ErrUseNonce is answered with use_dpop_nonce and a fresh nonce (RFC 9449
	// §8, §9).
	ErrUseNonce = errors.New("DPoP proof without a nonce that counts")
)

// ProofError is a refusal of a proof. It matches ErrProof or ErrUseNonce.
type ProofError struct {
	Reason string // one of ProofReasons; for logs alone
	cause  error
}

func proofError(reason string, cause error) error { return &ProofError{reason, cause} }

// Error implements error.
func (e *ProofError) Error() string { return "DPoP proof: " + e.Reason }

// Unwrap returns what went wrong underneath, if anything did.
func (e *ProofError) Unwrap() error { return e.cause }

// Is implements the comparison of errors.Is.
func (e *ProofError) Is(target error) bool {
	if strings.HasPrefix(e.Reason, "proof_nonce_") {
		return target == ErrUseNonce
	}
	return target == ErrProof
}

// ProofReasons are the words that the log has for a proof that was refused, in
// the order of the checks. Outside there are two answers.
var ProofReasons = []struct{ Reason, Meaning, Source string }{
	{"proof_missing", "there is no DPoP header", "RFC 9449 §4.3 (1)"},
	{"proof_repeated", "more than one DPoP header, or a list in one", "RFC 9449 §4.3 (1)"},
	{"proof_jwt_size", "longer than 8 KiB, or its header longer than 2 KiB", "RFC 9449 §4.3 (2)"},
	{"proof_jwt_form", "not three parts", "RFC 9449 §4.3 (2)"},
	{"proof_jwt_encoding", "not canonical base64url", "RFC 7515 §2"},
	{"proof_jwt_header", "the header is not strict JSON, or has members that do not belong into it", "RFC 9449 §4.3 (2)"},
	{"proof_jwt_crit", "an extension that must be understood, and is not", "RFC 7515 §4.1.11"},
	{"proof_jwt_headerkey", "no jwk, or a key by reference or certificate", "RFC 9449 §4.2"},
	{"proof_jwt_cty", "a nested token", "RFC 7519 §5.2"},
	{"proof_jwt_typ", "typ is not dpop+jwt", "RFC 9449 §4.3 (4)"},
	{"proof_jwt_alg", "alg is not one of those in the metadata", "RFC 9449 §4.3 (5)"},
	{"proof_jwt_key", "the key is private, symmetric, weak, malformed, or not for this alg", "RFC 9449 §4.3 (6), (7)"},
	{"proof_jwt_signature", "the signature is not by that key", "RFC 9449 §4.3 (6)"},
	{"proof_jwt_claims", "the claims are not strict JSON", "RFC 9449 §4.3 (2)"},
	{"proof_claim_iss", "it has an iss: a token of another kind", "RFC 8725 §3.12"},
	{"proof_claim_aud", "it has an aud: a token of another kind", "RFC 8725 §3.12"},
	{"proof_claim_sub", "sub is not a name", "RFC 7519 §4.1.2"},
	{"proof_claim_jti", "jti is not a string, or empty", "RFC 9449 §4.3 (3)"},
	{"proof_claim_iat", "iat is missing, no time, or more than 10 s ahead", "RFC 9449 §4.3 (11)"},
	{"proof_claim_age", "older than 60 s", "RFC 9449 §4.3 (11)"},
	{"proof_claim_nbf", "nbf is no time, or more than 10 s ahead", "RFC 7519 §4.1.5"},
	{"proof_claim_exp", "exp is no time", "RFC 7519 §4.1.4"},
	{"proof_claim_lifetime", "exp is before iat", "RFC 7519 §4.1.4"},
	{"proof_expired", "exp is over", "RFC 7519 §4.1.4"},
	{"proof_claim_missing", "jti, htm or htu is missing, or no string", "RFC 9449 §4.3 (3)"},
	{"proof_jti", "jti is longer than 256 bytes", "RFC 9449 §11.1"},
	{"proof_htm", "htm is not the method, to the letter", "RFC 9449 §4.3 (8)"},
	{"proof_htu", "htu is not the address, in normal form", "RFC 9449 §4.3 (9)"},
	{"proof_ath", "ath is missing or not of this access token", "RFC 9449 §4.3 (12a)"},
	{"proof_nonce_restart", "it is from before this node started, which has forgotten what was used then", "RFC 9449 §11.1"},
	{"proof_nonce", "nonce is no string", "RFC 9449 §4.2"},
	{"proof_nonce_missing", "a nonce is needed: use_dpop_nonce", "RFC 9449 §4.3 (10)"},
	{"proof_nonce_stale", "the nonce is too old, or from elsewhere: use_dpop_nonce", "RFC 9449 §4.3 (10)"},
	{"proof_replayed", "the jti has been used", "RFC 9449 §4.3 (11), §11.1"},
}
