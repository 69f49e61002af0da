// Package conformance runs our own versions of the OpenID Foundation's
// conformance plans against the built binary: a subtest is named like the module
// of the plan, and checks what the module checks. The relying party of these tests
// knows nothing but what a client may know, and the person has a browser without
// JavaScript. docs/reference/standards.md says which plans there are.
package conformance
