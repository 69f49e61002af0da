// Package spelling holds the gateway to one promise: what it authorised is what
// the backend runs. It writes one address, its methods and the headers of a
// caller in every way it can think of, straight onto TLS, in front of nginx, of
// Node with Express and of Go, which log what they ran. It imports nothing of the
// product; start with TestGW14….
package spelling
