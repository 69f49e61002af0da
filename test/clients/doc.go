// Package clients runs the examples of examples/clients as they are, against the
// built binary: what the guides tell people to start does what they say.
package clients
