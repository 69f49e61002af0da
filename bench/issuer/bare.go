package main

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// bare is the floor: net/http's own mux and form parser, the cryptography that
// the product does, and for refresh one durable write that all waiting requests
// share a sync of. No protocol, no checks beyond the credentials, no read of
// the grant, no log line, no metrics.
type bare struct {
	ring    *token.Ring
	hash    secret.Hash
	salt    []byte
	static  []byte
	durable durable
	mu      sync.RWMutex
	dead    map[secret.ID]bool
}

// newBareSQLite writes refreshes as the product does, to a row in SQLite.
func newBareSQLite(ctx context.Context, dir, baseURL string) (http.Handler, hello, error) {
	return newBare(ctx, baseURL, func(grants []secret.ID) (durable, error) { return openRows(ctx, filepath.Join(dir, "bare.db"), grants) })
}

// newBareLog appends them to a file, which is the least that is durable.
func newBareLog(ctx context.Context, dir, baseURL string) (http.Handler, hello, error) {
	return newBare(ctx, baseURL, func([]secret.ID) (durable, error) { return openSyncLog(filepath.Join(dir, "log")) })
}

func newBare(_ context.Context, baseURL string, open func([]secret.ID) (durable, error)) (http.Handler, hello, error) {
	ring, err := newRing(&memKeys{})
	if err != nil {
		return nil, hello{}, err
	}
	sec := secret.NewHandle(secret.ClientSecret)
	b := &bare{ring: ring, hash: sec.Hash(), salt: secret.Random(16), dead: map[secret.ID]bool{}}
	b.static = []byte(`{"issuer":"` + baseURL + `","pad":"` + strings.Repeat("x", 1500) + `"}`)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /oauth/token", b.token)
	mux.HandleFunc("POST /oauth/introspect", b.introspect)
	mux.HandleFunc("GET /.well-known/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(b.static)
	})
	a := b.access()
	tok, err := ring.SealAccess(&a)
	if err != nil {
		return nil, hello{}, err
	}
	h := hello{ClientID: "job", ClientSecret: sec.Reveal(), RefreshClient: "app", AccessToken: tok.Reveal()}
	grants := make([]secret.ID, maxWorkers)
	for i := range grants {
		grants[i] = secret.NewID(time.Now())
		h.RefreshTokens = append(h.RefreshTokens, ring.RefreshToken(grants[i], 1, b.salt).Reveal())
	}
	b.durable, err = open(grants)
	return mux, h, err
}

func (b *bare) access() token.Access {
	now := time.Now()
	return token.Access{
		Serial: secret.NewID(now), ClientID: "job", Subject: "client:job", Audience: "https://api.example.com/catalog",
		Scope: "catalog.read", IssuedAt: now.Unix(), Lifetime: 600, Tier: token.TierStandard,
	}
}

func (b *bare) authenticated(r *http.Request) bool {
	id, sec, ok := r.BasicAuth()
	sum := sha256.Sum256([]byte(sec))
	return ok && id == "job" && subtle.ConstantTimeCompare(sum[:], b.hash[:]) == 1
}

func (b *bare) token(w http.ResponseWriter, r *http.Request) {
	if r.ParseForm() != nil {
		http.Error(w, "bad form", http.StatusBadRequest)
		return
	}
	refresh := ""
	switch {
	case r.PostForm.Get("grant_type") == "refresh_token":
		parsed, err := token.ParseRefresh(r.PostForm.Get("refresh_token"))
		if err != nil || !b.ring.CheckRefresh(parsed, b.salt) {
			http.Error(w, "no", http.StatusBadRequest)
			return
		}
		if b.durable.rotate(parsed.GrantID, parsed.Generation) != nil {
			http.Error(w, "not written", http.StatusInternalServerError)
			return
		}
		refresh = b.ring.RefreshToken(parsed.GrantID, parsed.Generation+1, b.salt).Reveal()
	case !b.authenticated(r):
		http.Error(w, "no", http.StatusUnauthorized)
		return
	}
	a := b.access()
	tok, err := b.ring.SealAccess(&a)
	if err != nil {
		http.Error(w, "seal", http.StatusInternalServerError)
		return
	}
	answer(w, tokenAnswer{tok.Reveal(), "Bearer", 600, refresh, a.Scope})
}

type tokenAnswer struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"`
	RefreshToken string `json:"refresh_token,omitempty"`
	Scope        string `json:"scope"`
}

type introspectAnswer struct {
	Active   bool   `json:"active"`
	Subject  string `json:"sub,omitempty"`
	ClientID string `json:"client_id,omitempty"`
	Scope    string `json:"scope,omitempty"`
	Audience string `json:"aud,omitempty"`
	IssuedAt int64  `json:"iat,omitempty"`
	Expires  int64  `json:"exp,omitempty"`
}

func (b *bare) introspect(w http.ResponseWriter, r *http.Request) {
	if r.ParseForm() != nil || !b.authenticated(r) {
		http.Error(w, "no", http.StatusUnauthorized)
		return
	}
	var a token.Access
	if b.ring.OpenAccess(r.PostForm.Get("token"), &a) != nil || a.Expired(time.Now()) {
		answer(w, introspectAnswer{})
		return
	}
	b.mu.RLock()
	dead := b.dead[a.Serial] || b.dead[a.GrantID]
	b.mu.RUnlock()
	answer(w, introspectAnswer{!dead, a.Subject, a.ClientID, a.Scope, a.Audience, a.IssuedAt, a.ExpiresAt()})
}

func answer(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(body)
}

// memKeys is a key store for a process that keeps nothing.
type memKeys struct{ rows []token.KeyRecord }

func (m *memKeys) Keys(context.Context) ([]token.KeyRecord, error) { return m.rows, nil }

func (m *memKeys) AddFirstKey(_ context.Context, k token.KeyRecord) error {
	m.rows = append(m.rows, k)
	return nil
}
