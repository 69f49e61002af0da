// Package attack makes the attack list for a verifier of JWTs: for one issuer,
// audience, type and key it yields tokens that must be refused, by the IDs J001
// and following, and beside each attack its pair: the same token, not
// attacked, which must pass. It knows RFCs and the standard library and nothing
// of the product, so that whoever verifies tokens can be held against it. Start
// with Target.List; KeySets has what is wrong with keys, Requests what is wrong
// with the place where a token stands.
package attack
