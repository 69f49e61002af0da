// Package chaos changes everything at once under load: keys, the certificate,
// the tier of an operation, the configuration (a bad one too) and a backend that
// is killed. It holds that nothing is let through that must not be, and that
// calls that have nothing to do with a change do not notice it.
package chaos
