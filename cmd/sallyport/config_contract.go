package main

import "sallyport/internal/gateway"

// apiContract is where the OpenAPI document of an API is.
type apiContract struct{}

// operationContract is what an operation does other than the document says.
type operationContract struct{}

// operationObjects say whose objects an operation may touch.
type operationObjects struct{}

func (o *operationObjects) gateway() []gateway.ObjectRule { return nil }
