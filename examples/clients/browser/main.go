// Command browser serves the files of a browser app over TLS, with the headers
// that such an app should have, and its settings. Any web server does as well.
package main

import (
	"embed"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"time"
)

//go:embed index.html app.js
var files embed.FS

func main() {
	listen := flag.String("listen", "localhost:3001", "where the app is served, by https")
	cert := flag.String("cert", ".sallyport/cert.pem", "certificate")
	key := flag.String("key", ".sallyport/key.pem", "and its key")
	settings := map[string]*string{
		"issuer":    flag.String("issuer", "https://localhost:8443", "address of the issuer"),
		"client_id": flag.String("client-id", "demo-spa", "client_id, of type browser"),
		"scope":     flag.String("scope", "openid catalog.read", "scopes"),
		"api":       flag.String("api", "https://localhost:8443/catalog/items/1", "address to call"),
	}
	flag.Parse()
	if err := serve(*listen, *cert, *key, settings); err != nil {
		fmt.Fprintln(os.Stderr, "browser:", err)
		os.Exit(1)
	}
}

func serve(listen, cert, key string, settings map[string]*string) error {
	text, err := json.Marshal(settings)
	if err != nil {
		return err
	}
	policy, err := policyFor(*settings["issuer"], *settings["api"])
	if err != nil {
		return err
	}
	static := http.FileServerFS(files)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		if r.URL.Path == "/settings.json" {
			h.Set("Content-Type", "application/json")
			_, _ = w.Write(text)
			return
		}
		static.ServeHTTP(w, r)
	})
	fmt.Println("open https://" + listen + "/")
	return (&http.Server{Addr: listen, Handler: handler, ReadHeaderTimeout: 5 * time.Second}).ListenAndServeTLS(cert, key)
}

// policyFor lets the page run its own script and talk to the issuer and the API,
// and to nobody else: what a script of a stranger could send tokens to.
func policyFor(addresses ...string) (string, error) {
	policy := "default-src 'none'; script-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; connect-src 'self'"
	for _, address := range addresses {
		u, err := url.Parse(address)
		if err != nil {
			return "", err
		}
		policy += " " + u.Scheme + "://" + u.Host
	}
	return policy, nil
}
