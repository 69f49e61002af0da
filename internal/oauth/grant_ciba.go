package oauth

import (
	"context"

	"sallyport/internal/secret"
)

var pollCIBA = polling{grantCIBA, "auth_req_id", secret.AuthRequestID, fail(InvalidGrant, "the auth_req_id is wrong or used")}

// exchangeCIBA answers a client that polls, after a ping or without one (CIBA
// Core §10.1).
func (s *Service) exchangeCIBA(ctx context.Context, c *Client, r Request) (*TokenResponse, error) {
	return pollCIBA.answer(ctx, s, c, r)
}
