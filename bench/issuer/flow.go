package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

const flowRedirect = "https://app.example.com/cb"

// codeFlow pushes a request, lets somebody who is signed in and has agreed before
// pass through the authorization endpoint, and redeems the code: three requests of
// a confidential client, which count as one.
func codeFlow(ctx context.Context, client *http.Client, s *server, worker int) error {
	var raw [32]byte
	_, _ = rand.Read(raw[:])
	verifier := base64.RawURLEncoding.EncodeToString(raw[:])
	sum := sha256.Sum256([]byte(verifier))
	var pushed struct {
		RequestURI string `json:"request_uri"`
	}
	err := s.call(ctx, client, worker, "/oauth/par", http.StatusCreated, &pushed,
		"response_type", "code", "client_id", s.flowClient(worker), "redirect_uri", flowRedirect, "scope", "openid catalog.read", "state", "x", "nonce", verifier[:16],
		"code_challenge", base64.RawURLEncoding.EncodeToString(sum[:]), "code_challenge_method", "S256")
	if err != nil {
		return err
	}
	code, err := s.land(ctx, client, worker, pushed.RequestURI)
	if err != nil {
		return err
	}
	var tokens struct {
		IDToken string `json:"id_token"`
	}
	err = s.call(ctx, client, worker, "/oauth/token", http.StatusOK, &tokens,
		"grant_type", "authorization_code", "code", code, "redirect_uri", flowRedirect, "code_verifier", verifier)
	if err == nil && tokens.IDToken == "" {
		err = errors.New("no ID token")
	}
	return err
}

func (s *server) flowClient(worker int) string { return s.FlowClients[worker%len(s.FlowClients)] }

// call is a request of the confidential client.
func (s *server) call(ctx context.Context, client *http.Client, worker int, path string, want int, into any, pairs ...string) error {
	req, err := s.form(path, false, pairs...)
	if err != nil {
		return err
	}
	s.authenticate(req, s.flowClient(worker))
	res, err := client.Do(req.WithContext(ctx))
	if err != nil {
		return err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != want {
		return fmt.Errorf("%s: status %d: %s", path, res.StatusCode, b)
	}
	return json.Unmarshal(b, into)
}

// land is what the browser does. A session that the server renews is kept.
func (s *server) land(ctx context.Context, client *http.Client, worker int, requestURI string) (code string, err error) {
	q := url.Values{"client_id": {s.flowClient(worker)}, "request_uri": {requestURI}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/oauth/authorize?"+q.Encode(), http.NoBody)
	if err != nil {
		return "", err
	}
	req.Header.Set("Cookie", s.FlowCookies[worker])
	res, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return "", err
	}
	for _, c := range res.Cookies() {
		if name := c.Name + "="; len(s.FlowCookies[worker]) > len(name) && s.FlowCookies[worker][:len(name)] == name && c.Value != "" {
			s.FlowCookies[worker] = name + c.Value
		}
	}
	to, err := url.Parse(res.Header.Get("Location"))
	if err != nil {
		return "", err
	}
	if code = to.Query().Get("code"); code == "" {
		return "", fmt.Errorf("authorize: status %d, to %s", res.StatusCode, to)
	}
	return code, nil
}
