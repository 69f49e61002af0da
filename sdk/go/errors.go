package sallyport

import "errors"

// ErrInvalid is what every refusal of a token is, for errors.Is. Callers outside
// learn no more than that.
var ErrInvalid = errors.New("invalid token")

// ErrKeysUnavailable says that the gateway's keys cannot be had now, so that no
// token can be judged: answer 503, not 401.
var ErrKeysUnavailable = errors.New("the gateway's keys cannot be had")

// Reason says what was wrong with a token. It is for logs and never for whoever
// sent the token.
type Reason string

// The reasons. None holds a part of the token.
const (
	ReasonMissing   Reason = "missing"     // no Authorization header
	ReasonHeader    Reason = "header"      // not exactly one Authorization header with the scheme Bearer
	ReasonForm      Reason = "form"        // not three parts of canonical base64url within the limits
	ReasonJOSE      Reason = "jose_header" // the header is no strict JSON object, or has a member that may not be there
	ReasonAlgorithm Reason = "algorithm"   // neither EdDSA nor ES256, or not that of the key
	ReasonType      Reason = "typ"         // not an inner token
	ReasonKey       Reason = "unknown_key" // no published key has the kid
	ReasonSignature Reason = "signature"   // does not fit the key
	ReasonClaims    Reason = "claims"      // no strict JSON object, or a claim is missing or of the wrong kind
	ReasonIssuer    Reason = "iss"         // of another issuer
	ReasonAudience  Reason = "aud"         // for another API, or for others too
	ReasonExpired   Reason = "expired"     // exp is past
	ReasonNotYet    Reason = "not_yet"     // nbf or iat is in the future
	ReasonLifetime  Reason = "lifetime"    // lives for longer than an inner token may
)

// Error is the refusal of one token.
type Error struct{ Reason Reason }

func (e *Error) Error() string { return "inner token refused: " + string(e.Reason) }

// Is makes every Error an ErrInvalid.
func (e *Error) Is(target error) bool { return target == ErrInvalid }

func refuse(r Reason) error { return &Error{r} }
