// Package sallyport is what a backend behind a Sallyport gateway needs: it
// verifies the inner token that the gateway sends with each call, and says who
// calls. It decides nothing about tokens that apps hold, and imports nothing
// but the standard library.
//
//	verifier, err := sallyport.NewVerifier(sallyport.Options{Issuer: issuer, Audience: audience})
//	…
//	http.Handle("/", verifier.Require(handler)) // 401 without a valid inner token
//
// In the handler, CallerFrom(r.Context()) has the subject, the client and what
// they may do.
package sallyport
