package gateway

import (
	"net/http"
	"strconv"

	"sallyport/internal/token"
)

// problem is an answer that refuses, as application/problem+json (RFC 9457).
// Its body is fixed: it says nothing of the request, nor which check failed.
type problem struct {
	status int
	code   string
	body   []byte
}

func newProblem(status int, code, detail string) *problem {
	b := append([]byte(nil), `{"type":"about:blank","title":`...)
	b = token.AppendJSONString(b, http.StatusText(status))
	b = append(b, `,"status":`...)
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(b, `,"detail":`...)
	b = token.AppendJSONString(b, detail)
	b = append(b, `,"code":`...)
	b = token.AppendJSONString(b, code)
	return &problem{status: status, code: code, body: append(b, '}')}
}

// The problems. Nothing else chooses a status.
var (
	invalidRequest = newProblem(400, "invalid_request", "The request is malformed or can be read in more than one way.")
	tokenInURL     = newProblem(400, "invalid_request", "Credentials are accepted in the Authorization header only. Treat one that was in a URL as leaked.")
	noCredential   = newProblem(401, "unauthorized", "This operation needs an access token.")
	invalidToken   = newProblem(401, "invalid_token", "The access token is not valid here. Get a new one.")
	invalidProof   = newProblem(401, "invalid_dpop_proof", "The proof of possession in the DPoP header does not fit this request. Make a new one.")
	useNonce       = newProblem(401, "use_dpop_nonce", "The proof of possession needs the nonce of the DPoP-Nonce header.")
	stepUp         = newProblem(401, "insufficient_user_authentication", "The person has to sign in again, or more strongly, for this operation.")
	noScope        = newProblem(403, "insufficient_scope", "The access token does not allow this operation.")
	noPerson       = newProblem(403, "person_required", "This operation is for people: use the token of one who has signed in.")
	// Of an API key, which is sent as it is each time and never changes.
	classNotAllowed = newProblem(403, "credential_class_not_allowed", "API keys are accepted for operations of tier low only, where the API allows them. Use an access token: sallyport apikey upgrade makes a client of a key.")
	keyOperation    = newProblem(403, "operation_not_allowed", "The API key is not for this operation.")
	wrongOrigin     = newProblem(403, "origin_not_allowed", "This API does not serve that origin.")
	notFound        = newProblem(404, "not_found", "There is no such operation.")
	wrongMethod     = newProblem(405, "method_not_allowed", "This path does not have that method.")
	bodyTooLarge    = newProblem(413, "content_too_large", "The request body is larger than this gateway passes on.")
	wrongType       = newProblem(415, "unsupported_media_type", "This operation does not take a body of that type.")
	tooMany         = newProblem(429, "too_many_requests", "There were too many requests. Try again later.")
	clientGone      = newProblem(499, "client_gone", "The client left before the answer.") // reaches nobody; in the log it is no fault of ours
	internalError   = newProblem(500, "server_error", "The gateway failed. The request was not passed on, or its answer was lost.")
	badGateway      = newProblem(502, "upstream_failed", "The API behind the gateway did not give a usable answer.")
	unavailable     = newProblem(503, "temporarily_unavailable", "The gateway cannot decide this now. Try again.")
	gatewayTimeout  = newProblem(504, "upstream_timeout", "The API behind the gateway did not answer in time.")
)
