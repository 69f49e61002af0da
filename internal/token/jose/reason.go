package jose

import "errors"

// ErrInvalid is what every refusal of a token matches (errors.Is). Outside they
// are all one answer; which check failed is for our own log alone.
var ErrInvalid = errors.New("invalid token")

// ErrKeysUnavailable says that the keys of an issuer cannot be had at the
// moment. It is no verdict about the token: answer 503 and not 401.
var ErrKeysUnavailable = errors.New("verification keys are unavailable")

// ErrNoKey says that a key source has no key for a kid and an algorithm.
var ErrNoKey = errors.New("no such key")

// Error is a refusal. Reason is for logs; it holds nothing of the token.
type Error struct{ Reason Reason }

// Error implements error.
func (e *Error) Error() string { return "invalid token: " + string(e.Reason) }

// Is makes every Error an ErrInvalid.
func (*Error) Is(target error) bool { return target == ErrInvalid }

// Reason is the one check that a token failed first.
type Reason string

// The reasons, in the order in which the checks are made.
const (
	ReasonSize      Reason = "jwt_size"      // longer than the limit
	ReasonForm      Reason = "jwt_form"      // not the right number of parts, or an empty one
	ReasonEncoding  Reason = "jwt_encoding"  // not canonical base64url
	ReasonHeader    Reason = "jwt_header"    // the header is not a strict JSON object, or a member has a wrong type
	ReasonCritical  Reason = "jwt_crit"      // extensions that must be understood, and are not
	ReasonHeaderKey Reason = "jwt_headerkey" // the token names its own key or an address of it
	ReasonAlgorithm Reason = "jwt_alg"       // not one that this purpose expects
	ReasonType      Reason = "jwt_typ"
	ReasonNested    Reason = "jwt_cty" // a nested token where claims are expected, or the reverse
	ReasonKeyID     Reason = "jwt_kid" // no key for it
	ReasonKey       Reason = "jwt_key" // the key is weak, or not for this algorithm or use
	ReasonSignature Reason = "jwt_signature"
	ReasonDecrypt   Reason = "jwt_decrypt"
	ReasonClaims    Reason = "jwt_claims" // the payload is not a strict JSON object
	ReasonIssuer    Reason = "claim_iss"
	ReasonAudience  Reason = "claim_aud"
	ReasonSubject   Reason = "claim_sub"
	ReasonTokenID   Reason = "claim_jti"
	ReasonExpiry    Reason = "claim_exp" // missing or not a time
	ReasonExpired   Reason = "expired"
	ReasonLifetime  Reason = "claim_lifetime" // it lives longer than this purpose allows
	ReasonNotBefore Reason = "claim_nbf"
	ReasonIssuedAt  Reason = "claim_iat" // missing, not a time, or in the future
	ReasonAge       Reason = "claim_age" // issued too long ago
	ReasonMissing   Reason = "claim_missing"
)

func refuse(r Reason) error { return &Error{r} }

// ReasonOf returns the reason of a refusal, or "" for other errors.
func ReasonOf(err error) Reason {
	var e *Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return ""
}
