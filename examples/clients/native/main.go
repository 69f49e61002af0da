// Command native is an app on a device that signs a person in: authorization code
// with PKCE in the system's browser, a loopback redirect, tokens in memory, one
// call, and then the end of it all on the server. It needs the issuer's address and
// a client_id, and has no secret. docs/guide/native-app.md walks through it.
package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

func main() {
	issuer := flag.String("issuer", "https://localhost:8443", "address of the issuer")
	clientID := flag.String("client-id", "demo-app", "client_id, of type native")
	caFile := flag.String("ca", "", "PEM file with the CA of the issuer; needed with sallyport dev")
	call := flag.String("call", "https://localhost:8443/catalog/items/1", "address to call")
	scope := flag.String("scope", "catalog.read", "what the call needs")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *issuer, *clientID, *caFile, *scope, *call); err != nil {
		fmt.Fprintln(os.Stderr, "native:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, issuer, clientID, caFile, scope, call string) error {
	client, err := trusting(caFile)
	if err != nil {
		return err
	}
	ctx = oidc.ClientContext(ctx, client)
	provider, err := oidc.NewProvider(ctx, issuer) // refuses metadata of another issuer
	if err != nil {
		return err
	}
	// A port that is free now: the issuer lets it vary for loopback addresses, and
	// for nothing else (RFC 8252 §7.3).
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	config := oauth2.Config{
		ClientID: clientID, Endpoint: provider.Endpoint(), RedirectURL: "http://" + listener.Addr().String() + "/callback",
		Scopes: []string{oidc.ScopeOpenID, scope},
	}
	token, person, err := signIn(ctx, &config, provider, listener)
	if err != nil {
		return err
	}
	fmt.Println("signed in as", person)
	if err := get(ctx, config.Client(ctx, token), call); err != nil { // refreshes by itself
		return err
	}
	return revoke(ctx, client, provider, clientID, token.RefreshToken)
}

// trusting is a client that trusts the system's CAs, or the one in a file.
func trusting(caFile string) (*http.Client, error) {
	client := &http.Client{Timeout: 20 * time.Second}
	if caFile == "" {
		return client, nil
	}
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s has no certificate", caFile)
	}
	client.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}
	return client, nil
}

// signIn sends the person to the browser and waits for the way back.
func signIn(ctx context.Context, config *oauth2.Config, provider *oidc.Provider, listener net.Listener) (*oauth2.Token, string, error) {
	verifier, state, nonce := oauth2.GenerateVerifier(), rand.Text(), rand.Text()
	back := make(chan url.Values, 1)
	server := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/callback" {
			http.NotFound(w, r)
			return
		}
		fmt.Fprintln(w, "You can close this window and go back to the app.")
		select {
		case back <- r.URL.Query():
		default: // the first answer counts
		}
	})}
	go func() { _ = server.Serve(listener) }()
	defer server.Close()

	fmt.Println("open in your browser:", config.AuthCodeURL(state, oidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier)))
	var answer url.Values
	select {
	case answer = <-back:
	case <-ctx.Done():
		return nil, "", ctx.Err()
	}
	var meta struct {
		Issuer string `json:"issuer"`
	}
	if err := provider.Claims(&meta); err != nil {
		return nil, "", err
	}
	switch { // an answer of somebody else's flow, or of another server (RFC 9207)
	case answer.Get("state") != state || answer.Get("iss") != meta.Issuer:
		return nil, "", errors.New("the answer does not belong to this sign-in")
	case answer.Get("error") != "":
		return nil, "", fmt.Errorf("refused: %s: %s", answer.Get("error"), answer.Get("error_description"))
	}
	token, err := config.Exchange(ctx, answer.Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		return nil, "", err
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := provider.Verifier(&oidc.Config{ClientID: config.ClientID, SupportedSigningAlgs: []string{oidc.ES256}}).Verify(ctx, raw)
	if err != nil {
		return nil, "", err
	}
	if id.Nonce != nonce {
		return nil, "", errors.New("the ID token is of another sign-in")
	}
	return token, id.Subject, nil
}

func get(ctx context.Context, client *http.Client, address string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return err
	}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	const most = 1 << 20
	body, err := io.ReadAll(io.LimitReader(res.Body, most))
	if err != nil {
		return err
	}
	fmt.Println(res.Status, string(body))
	return nil
}

// revoke ends the sign-in on the server: every token of it is dead afterwards.
func revoke(ctx context.Context, client *http.Client, provider *oidc.Provider, clientID, refreshToken string) error {
	var meta struct {
		Revocation string `json:"revocation_endpoint"`
	}
	if err := provider.Claims(&meta); err != nil {
		return err
	}
	form := url.Values{"client_id": {clientID}, "token": {refreshToken}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, meta.Revocation, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("revoke: %s", res.Status)
	}
	fmt.Println("signed out")
	return nil
}
