package main

// frontConfig is how the public listeners read requests.
type frontConfig struct {
	Gateway gatewayConfig `yaml:"gateway" doc:"How calls are taken in."`
}

type gatewayConfig struct {
	FastFront bool `yaml:"fast_front" default:"true" example:"true" doc:"Read plain HTTP/1.1 requests by a reader of our own, at less cost. Everything else is read by Go's net/http in either case, and both are judged by the same rules."`
	gatewayLimits
}
