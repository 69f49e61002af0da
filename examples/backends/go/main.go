// Command go is a backend that answers the calls of a Sallyport gateway, with
// the SDK's middleware. ISSUER and AUDIENCE say whose inner tokens it takes,
// JWKS_URL where the gateway's keys are, PORT where it listens.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	sallyport "sallyport/sdk/go"
)

func main() {
	verifier, err := sallyport.NewVerifier(sallyport.Options{
		Issuer:   os.Getenv("ISSUER"),
		Audience: os.Getenv("AUDIENCE"),
		JWKSURL:  os.Getenv("JWKS_URL"), // may be empty: the gateway's usual place
	})
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Getenv("PORT"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening on http://%s\n", listener.Addr())
	server := &http.Server{Handler: verifier.Require(http.HandlerFunc(whoAmI)), ReadHeaderTimeout: 5 * time.Second, MaxHeaderBytes: 16 << 10}
	log.Fatal(server.Serve(listener))
}

func whoAmI(w http.ResponseWriter, r *http.Request) {
	caller, _ := sallyport.CallerFrom(r.Context())
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(map[string]string{"sub": caller.Subject}); err != nil {
		log.Print(err) // whoever asked has gone
	}
}
