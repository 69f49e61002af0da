package rig

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// Tokens is an answer of the token endpoint.
type Tokens struct {
	Status       int    `json:"-"`
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	IDToken      string `json:"id_token"`
	Scope        string `json:"scope"`
	ExpiresIn    int    `json:"expires_in"`
	Error        string `json:"error"`
	ErrorReason  string `json:"error_reason"`
	Description  string `json:"error_description"`
}

// Post sends a form to an endpoint of the issuer. With a user it sends Basic
// authentication.
func (s *Server) Post(path string, params url.Values, user, password string) (*http.Response, error) {
	req, err := http.NewRequest(http.MethodPost, s.Issuer+path, strings.NewReader(params.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if user != "" {
		req.SetBasicAuth(url.QueryEscape(user), url.QueryEscape(password))
	}
	return s.Client().Do(req)
}

// Token asks the token endpoint as the demo's app. The error is one of the
// network, as when the server is killed meanwhile.
func (s *Server) Token(params url.Values) (Tokens, error) {
	params.Set("client_id", s.ClientID)
	return s.token(params, "", "")
}

// ServiceToken asks for a token of the demo's service client.
func (s *Server) ServiceToken(t testing.TB, scope string) Tokens {
	t.Helper()
	params := url.Values{"grant_type": {"client_credentials"}, "scope": {scope}}
	tok, err := s.token(params, s.ServiceClientID, s.ServiceSecret(t))
	if err != nil || tok.Status != http.StatusOK {
		t.Fatalf("client_credentials: %v %+v", err, tok)
	}
	return tok
}

func (s *Server) token(params url.Values, user, password string) (Tokens, error) {
	res, err := s.Post("/oauth/token", params, user, password)
	if err != nil {
		return Tokens{}, err
	}
	defer res.Body.Close()
	tok := Tokens{Status: res.StatusCode}
	return tok, json.NewDecoder(res.Body).Decode(&tok)
}

// Refresh presents a refresh token.
func (s *Server) Refresh(refreshToken string) (Tokens, error) {
	return s.Token(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refreshToken}})
}

// Redeem presents a code.
func (s *Server) Redeem(code, verifier string) (Tokens, error) {
	return s.Token(url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {s.RedirectURI}, "code_verifier": {verifier},
	})
}

// Random returns 43 unreserved characters.
func Random() string {
	var b [32]byte
	_, _ = rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// AuthorizeURL returns a request for scope and the verifier that belongs to it.
func (s *Server) AuthorizeURL(scope string) (address, verifier string) {
	verifier = Random()
	sum := sha256.Sum256([]byte(verifier))
	s.record.Add("verifier", verifier)
	return s.Issuer + "/oauth/authorize?" + url.Values{
		"response_type": {"code"}, "client_id": {s.ClientID}, "redirect_uri": {s.RedirectURI}, "scope": {scope},
		"state": {Random()}, "nonce": {Random()},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}.Encode(), verifier
}

// Code lets the person agree and returns a code that has not been redeemed.
func (p *Person) Code(t testing.TB, scope string) (code, verifier string) {
	t.Helper()
	address, verifier := p.server.AuthorizeURL(scope)
	back := p.Authorize(t, address, p.server.RedirectURI)
	code = back.Query().Get("code")
	if code == "" {
		t.Fatalf("no code in %s", back)
	}
	return code, verifier
}

// Tokens lets the person agree and redeems the code.
func (p *Person) Tokens(t testing.TB, scope string) Tokens {
	t.Helper()
	code, verifier := p.Code(t, scope)
	tok, err := p.server.Redeem(code, verifier)
	if err != nil || tok.Status != http.StatusOK || tok.AccessToken == "" || tok.RefreshToken == "" {
		t.Fatalf("redeem code: %v %+v", err, tok)
	}
	return tok
}

// Call sends a request with an access token to an API of the demo.
func (s *Server) Call(t testing.TB, method, address, accessToken string) (status int, header http.Header, body string) {
	t.Helper()
	var content *strings.Reader
	if content = strings.NewReader(""); method == http.MethodPut || method == http.MethodPost {
		content = strings.NewReader(`{"name":"lamp","price":1}`)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, address, content)
	if err != nil {
		t.Fatal(err)
	}
	if content.Size() > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	if accessToken != "" {
		req.Header.Set("Authorization", "Bearer "+accessToken)
	}
	res, err := s.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Header, ReadBody(t, res)
}
