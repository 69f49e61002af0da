package main

import "sallyport/internal/gateway"

// apiLimits bound how much may be asked of an API.
type apiLimits struct{}

func (a *apiLimits) gateway() gateway.Limits { return gateway.Limits{} }

// operationLimits bound how much may be asked of an operation.
type operationLimits struct{}

func (o *operationLimits) gateway() gateway.Limits { return gateway.Limits{} }
