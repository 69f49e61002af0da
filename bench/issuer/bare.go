package main

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// bare is the floor: net/http's own mux and form parser, the cryptography that
// the product does, and for refresh one durable record in a log that all
// waiting requests share a sync of. No protocol, no checks beyond the
// credentials, no log line, no metrics.
type bare struct {
	ring   *token.Ring
	hash   secret.Hash
	salt   []byte
	static []byte
	log    *syncLog
	mu     sync.RWMutex
	dead   map[secret.ID]bool
}

func newBare(_ context.Context, dir, baseURL string) (http.Handler, hello, error) {
	ring, err := newRing(&memKeys{})
	if err != nil {
		return nil, hello{}, err
	}
	sec := secret.NewHandle(secret.ClientSecret)
	log, err := openSyncLog(filepath.Join(dir, "log"))
	if err != nil {
		return nil, hello{}, err
	}
	b := &bare{ring: ring, hash: sec.Hash(), salt: secret.Random(16), log: log, dead: map[secret.ID]bool{}}
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
	for range maxWorkers {
		h.RefreshTokens = append(h.RefreshTokens, ring.RefreshToken(secret.NewID(time.Now()), 1, b.salt).Reveal())
	}
	return mux, h, nil
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
		if b.log.append(append(parsed.GrantID[:], byte(parsed.Generation))) != nil {
			http.Error(w, "log", http.StatusInternalServerError)
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
	answer(w, map[string]any{"access_token": tok.Reveal(), "token_type": "Bearer", "expires_in": 600, "scope": a.Scope, "refresh_token": refresh})
}

func (b *bare) introspect(w http.ResponseWriter, r *http.Request) {
	if r.ParseForm() != nil || !b.authenticated(r) {
		http.Error(w, "no", http.StatusUnauthorized)
		return
	}
	var a token.Access
	if b.ring.OpenAccess(r.PostForm.Get("token"), &a) != nil || a.Expired(time.Now()) {
		answer(w, map[string]any{"active": false})
		return
	}
	b.mu.RLock()
	dead := b.dead[a.Serial] || b.dead[a.GrantID]
	b.mu.RUnlock()
	answer(w, map[string]any{"active": !dead, "sub": a.Subject, "client_id": a.ClientID, "scope": a.Scope, "aud": a.Audience, "iat": a.IssuedAt, "exp": a.ExpiresAt()})
}

func answer(w http.ResponseWriter, body map[string]any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(body)
}

// syncLog appends records and syncs for all that wait at once.
type syncLog struct {
	f     *os.File
	queue chan record
}

type record struct {
	b    []byte
	done chan error
}

func openSyncLog(path string) (*syncLog, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	l := &syncLog{f: f, queue: make(chan record, maxWorkers)}
	go l.run()
	return l, nil
}

func (l *syncLog) append(b []byte) error {
	r := record{b, make(chan error, 1)}
	l.queue <- r
	return <-r.done
}

func (l *syncLog) run() {
	for first := range l.queue {
		batch, buf := []record{first}, append([]byte(nil), first.b...)
	more:
		for {
			select {
			case r := <-l.queue:
				batch, buf = append(batch, r), append(buf, r.b...)
			default:
				break more
			}
		}
		_, err := l.f.Write(buf)
		if err == nil {
			err = l.f.Sync()
		}
		for _, r := range batch {
			r.done <- err
		}
	}
}

// memKeys is a key store for a process that keeps nothing.
type memKeys struct{ rows []token.KeyRecord }

func (m *memKeys) Keys(context.Context) ([]token.KeyRecord, error) { return m.rows, nil }

func (m *memKeys) AddFirstKey(_ context.Context, k token.KeyRecord) error {
	m.rows = append(m.rows, k)
	return nil
}
