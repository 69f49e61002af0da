// Package contract holds requests and answers against what an API says of
// itself in an OpenAPI document (3.0, 3.1), compiled once. It decides about
// form, and refuses to know who calls. Whatever a description leaves open is
// bounded all the same. Start at ParseJSON for what any body must be.
package contract
