// Package signals is the transmitter of the Shared Signals Framework (SSF 1.0)
// with events of CAEP 1.0: streams that receivers make, security event tokens
// (RFC 8417), and their delivery by push (RFC 8935) and poll (RFC 8936). It
// decides what a stream is, who hears of what and what a token says. It knows
// neither listeners nor engines, nor why a session ended: the store writes an
// event in the transaction of the change, and this package delivers it. Start at
// Service, then set.go.
package signals
