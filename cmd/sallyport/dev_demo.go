package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"sallyport/internal/token"
)

// demoBackends are the APIs behind the gateway in dev, on one loopback port,
// each under its name. They trust nothing but a valid inner token, as any real
// backend should: see docs/guide/backend.md.
type demoBackends struct {
	issuer    string
	audiences map[string]string // by name
	keys      *keySet
	now       func() time.Time

	mu    sync.Mutex
	items map[string]item
}

type item struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Price int    `json:"price"`
}

// seen is what the backend learned of the caller. The token itself is never
// answered.
type seen struct {
	Subject   string `json:"sub"`
	ClientID  string `json:"client_id"`
	Scope     string `json:"scope"`
	ACR       string `json:"acr,omitempty"`
	Expires   int64  `json:"exp"`
	TokenType string `json:"token_type"`
}

func newDemoBackends(issuer string, audiences map[string]string, client *http.Client, now func() time.Time) *demoBackends {
	return &demoBackends{
		issuer: issuer, audiences: audiences, now: now,
		keys: &keySet{url: issuer + "/.well-known/sallyport-gateway/jwks.json", client: client, now: now},
		items: map[string]item{
			"1": {"1", "lamp", 40}, "2": {"2", "chair", 90}, "3": {"3", "table", 250},
		},
	}
}

func (d *demoBackends) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	audience := d.audiences[name]
	if audience == "" {
		answer(w, http.StatusNotFound, map[string]any{"error": "no such API"})
		return
	}
	who, err := d.verify(r.Context(), r.Header.Values("Authorization"), audience)
	if err != nil {
		answer(w, http.StatusUnauthorized, map[string]any{"error": "this backend is behind a gateway: " + err.Error()})
		return
	}
	switch collection, id, _ := strings.Cut(rest, "/"); name + " " + collection {
	case "catalog items":
		d.catalog(w, r, id, who)
	case "weather forecast":
		answer(w, http.StatusOK, map[string]any{"city": id, "forecast": "bright", "celsius": 7 + len(id), "seen": who})
	case "payments payments":
		answer(w, http.StatusOK, map[string]any{"payment": id, "state": "settled", "seen": who})
	default:
		answer(w, http.StatusNotFound, map[string]any{"error": "no such thing", "seen": who})
	}
}

// maxItem is the longest item that may be sent, in bytes.
const maxItem = 4 << 10

func (d *demoBackends) catalog(w http.ResponseWriter, r *http.Request, id string, who seen) {
	d.mu.Lock()
	defer d.mu.Unlock()
	it, ok := d.items[id]
	if !ok {
		answer(w, http.StatusNotFound, map[string]any{"error": "no such item", "seen": who})
		return
	}
	if r.Method == http.MethodPut {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxItem))
		if err == nil {
			err = json.Unmarshal(body, &it)
		}
		if err != nil {
			answer(w, http.StatusBadRequest, map[string]any{"error": "an item is JSON with name and price", "seen": who})
			return
		}
		it.ID = id
		d.items[id] = it
	}
	answer(w, http.StatusOK, map[string]any{"item": it, "seen": who})
}

func answer(w http.ResponseWriter, status int, body map[string]any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) //nolint:errchkjson // strings, numbers and structs of them
}

// verify checks the inner token: one credential, our algorithm and type, a key
// of the gateway, issuer, audience and expiry.
func (d *demoBackends) verify(ctx context.Context, headers []string, audience string) (seen, error) {
	if len(headers) != 1 {
		return seen{}, errors.New("there must be one Authorization header")
	}
	raw, ok := strings.CutPrefix(headers[0], "Bearer ")
	if !ok {
		return seen{}, errors.New("there is no bearer token")
	}
	tok, err := jwt.ParseSigned(raw, []jose.SignatureAlgorithm{jose.EdDSA})
	if err != nil {
		return seen{}, errors.New("this is no inner token")
	}
	header := tok.Headers[0]
	if typ, _ := header.ExtraHeaders[jose.HeaderType].(string); typ != token.TypeInner {
		return seen{}, errors.New("this JWT is of another type")
	}
	key, err := d.keys.key(ctx, header.KeyID)
	if err != nil {
		return seen{}, err
	}
	var who seen
	var std jwt.Claims
	if err := tok.Claims(key, &std, &who); err != nil {
		return seen{}, errors.New("the signature is wrong")
	}
	want := jwt.Expected{Issuer: d.issuer, AnyAudience: jwt.Audience{audience}, Time: d.now()}
	if std.Expiry == nil || std.Subject == "" || len(std.Audience) != 1 || std.ValidateWithLeeway(want, 0) != nil {
		return seen{}, errors.New("this inner token is not for here and now")
	}
	who.TokenType = token.TypeInner
	return who, nil
}

// keySet is a JWK Set that is fetched when it is first needed, and again when
// a key is unknown, at most every 30 seconds.
type keySet struct {
	url    string
	client *http.Client
	now    func() time.Time

	mu      sync.Mutex
	fetched time.Time
	set     jose.JSONWebKeySet
}

const keySetPause = 30 * time.Second

func (k *keySet) key(ctx context.Context, id string) (jose.JSONWebKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if found := k.set.Key(id); len(found) == 1 {
		return found[0], nil
	}
	if now := k.now(); now.Sub(k.fetched) >= keySetPause {
		set, err := fetchKeys(ctx, k.client, k.url)
		if err != nil {
			return jose.JSONWebKey{}, err
		}
		k.fetched, k.set = now, set
	}
	if found := k.set.Key(id); len(found) == 1 {
		return found[0], nil
	}
	return jose.JSONWebKey{}, errors.New("the key is not one of the gateway's")
}

func fetchKeys(ctx context.Context, client *http.Client, url string) (jose.JSONWebKeySet, error) {
	var set jose.JSONWebKeySet
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return set, err
	}
	res, err := client.Do(req)
	if err != nil {
		return set, errors.New("the keys cannot be fetched")
	}
	defer res.Body.Close()
	const most = 64 << 10
	body, err := io.ReadAll(io.LimitReader(res.Body, most))
	if err != nil || res.StatusCode != http.StatusOK {
		return set, fmt.Errorf("the keys cannot be fetched: status %d", res.StatusCode)
	}
	if err := json.Unmarshal(body, &set); err != nil {
		return set, errors.New("the keys are no JWK Set")
	}
	return set, nil
}
