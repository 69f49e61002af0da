package sallyport_test

import (
	"fmt"
	"log"
	"net/http"

	sallyport "sallyport/sdk/go"
)

func Example() {
	verifier, err := sallyport.NewVerifier(sallyport.Options{
		Issuer:   "https://auth.example.com",
		Audience: "https://api.example.com/catalog",
	})
	if err != nil {
		log.Fatal(err)
	}
	items := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, _ := sallyport.CallerFrom(r.Context())
		fmt.Fprintf(w, "items of %s\n", caller.Subject)
	})
	http.Handle("/items/", verifier.Require(sallyport.RequireScope(items, "catalog.read")))
	fmt.Println("ready")
	// Output: ready
}
