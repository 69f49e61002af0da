// Package jose measures what verifying and opening tokens costs beside the
// bare cryptography and beside other libraries, used as their READMEs show. It
// is a module of its own, so that the product depends on none of its peers.
package jose
