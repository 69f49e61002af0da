package main

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"sallyport/internal/token"
	sdk "sallyport/sdk/go"
)

// demoBackends are the APIs behind the gateway in dev, on one loopback port,
// each under its name. They trust nothing but a valid inner token, as any real
// backend should: see docs/guide/backend.md.
type demoBackends struct {
	guards map[string]http.Handler // by name

	mu      sync.Mutex
	items   map[string]item
	baskets map[string][]line // by sub
}

// line is a line of somebody's basket.
type line struct {
	ID    string `json:"id"`
	Count int    `json:"count"`
	Owner string `json:"owner,omitempty"`
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

func newDemoBackends(issuer string, audiences map[string]string, client *http.Client, now func() time.Time) (*demoBackends, error) {
	d := &demoBackends{
		guards: map[string]http.Handler{}, baskets: map[string][]line{},
		items: map[string]item{
			"1": {"1", "lamp", 40}, "2": {"2", "chair", 90}, "3": {"3", "table", 250},
		},
	}
	for name, audience := range audiences {
		verifier, err := sdk.NewVerifier(sdk.Options{Issuer: issuer, Audience: audience, HTTPClient: client, Now: now})
		if err != nil {
			return nil, err
		}
		d.guards[name] = verifier.Require(http.HandlerFunc(d.serve))
	}
	return d, nil
}

func (d *demoBackends) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	guard := d.guards[name]
	if guard == nil {
		answer(w, http.StatusNotFound, map[string]any{"error": "no such API"})
		return
	}
	guard.ServeHTTP(w, r)
}

// serve answers a call that the gateway vouches for.
func (d *demoBackends) serve(w http.ResponseWriter, r *http.Request) {
	caller, ok := sdk.CallerFrom(r.Context())
	if !ok {
		answer(w, http.StatusInternalServerError, map[string]any{"error": "nobody has verified this call"})
		return
	}
	who := seen{
		caller.Subject, caller.ClientID, strings.Join(caller.Scopes, " "), caller.ACR, caller.ExpiresAt.Unix(), token.TypeInner,
	}
	name, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch collection, id, _ := strings.Cut(rest, "/"); name + " " + collection {
	case "catalog items":
		d.catalog(w, r, id, who)
	case "catalog people":
		d.basket(w, r, id, who)
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

// basket trusts the gateway that whose it is, is who calls.
func (d *demoBackends) basket(w http.ResponseWriter, r *http.Request, rest string, who seen) {
	owner, what, _ := strings.Cut(rest, "/")
	if what != "basket" {
		answer(w, http.StatusNotFound, map[string]any{"error": "no such thing", "seen": who})
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if r.Method == http.MethodPut {
		var b struct {
			Lines []line `json:"lines"`
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxItem))
		if err == nil {
			err = json.Unmarshal(body, &b)
		}
		if err != nil {
			answer(w, http.StatusBadRequest, map[string]any{"error": "a basket is JSON with lines", "seen": who})
			return
		}
		d.baskets[owner] = b.Lines
	}
	lines := d.baskets[owner]
	if lines == nil {
		lines = []line{}
	}
	answer(w, http.StatusOK, map[string]any{"basket": map[string]any{"lines": lines, "paid": false}, "seen": who})
}

func answer(w http.ResponseWriter, status int, body map[string]any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) //nolint:errchkjson // strings, numbers and structs of them
}
