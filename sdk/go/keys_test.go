package sallyport_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	sallyport "sallyport/sdk/go"
	"sallyport/test/attack"
)

// as makes the next tokens with k.
func (g *gateway) as(k attack.Key) attack.Target {
	t := g.Target
	t.Key = k
	return t
}

func TestMD06Rotation(t *testing.T) {
	g := newGateway(t, "EdDSA")
	v := g.verifier(t)
	next := attack.NewKey("EdDSA", "next")
	old := g.Key
	check := func(step string, k attack.Key, want error) {
		t.Helper()
		if _, err := v.Verify(t.Context(), g.as(k).Valid(step)); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", step, err, want)
		}
	}
	check("first", old, nil)
	g.publish(attack.Set(old.JWK(), next.JWK()), nil)
	check("unknown within the cooldown", next, sallyport.ErrInvalid)
	g.pass(30 * time.Second)
	check("published, then used", next, nil)
	check("kept after use", old, nil)
	g.publish(attack.Set(next.JWK()), nil)
	g.pass(4 * time.Minute)
	check("still cached", old, nil)
	g.pass(time.Minute)
	check("J043 removed", old, sallyport.ErrInvalid)
	check("the new one stays", next, nil)
	if n := g.fetches.Load(); n != 3 {
		t.Errorf("%d fetches, want 3", n)
	}
}

func TestJ043RemovedKeyGoesWithTheFetchForAnUnknownOne(t *testing.T) {
	g := newGateway(t, "EdDSA")
	v := g.verifier(t)
	next := attack.NewKey("EdDSA", "next")
	if _, err := v.Verify(t.Context(), g.Valid("pair")); err != nil {
		t.Fatal(err)
	}
	g.publish(attack.Set(next.JWK()), nil)
	g.pass(30 * time.Second)
	if _, err := v.Verify(t.Context(), g.as(next).Valid("new")); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(t.Context(), g.Valid("old")); reason(err) != sallyport.ReasonKey {
		t.Errorf("the compromised key: %v", err)
	}
}

func TestJ130J131UnknownKids(t *testing.T) {
	g := newGateway(t, "EdDSA")
	v := g.verifier(t)
	for i := range 10_000 {
		if _, err := v.Verify(t.Context(), g.With(fmt.Sprintf(`"kid":"random-%d"`, i), "")); reason(err) != sallyport.ReasonKey {
			t.Fatal(err)
		}
		if i%1000 == 0 {
			if _, err := v.Verify(t.Context(), g.Valid("pair")); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := g.fetches.Load(); n != 1 {
		t.Errorf("%d fetches, want 1", n)
	}
}

func TestJ132KeySetsThatAreNone(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"500":   func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) },
		"html":  func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") },
		"empty": func(w http.ResponseWriter, _ *http.Request) {},
		"too large": func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, `{"keys":[]}`, strings.Repeat(" ", 64<<10))
		},
		"no keys": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{}`) },
		"101 keys": func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, `{"keys":[{}`+strings.Repeat(`,{}`, 100)+`]}`)
		},
		"redirect": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/other", http.StatusFound) },
		"cut off": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			fmt.Fprint(w, `{"keys":[]}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t, "EdDSA")
			good := attack.Set(g.Key.JWK())
			v := g.verifier(t)
			verify := func() error { _, err := v.Verify(t.Context(), g.Valid("x")); return err }
			g.publish(good, h)
			if err := verify(); !errors.Is(err, sallyport.ErrKeysUnavailable) || errors.Is(err, sallyport.ErrInvalid) {
				t.Fatalf("at the start: %v", err)
			}
			g.publish(good, nil)
			g.pass(time.Second)
			if err := verify(); err != nil {
				t.Fatalf("a second later: %v", err)
			}
			g.publish(good, h)
			g.pass(6 * time.Minute)
			if err := verify(); err != nil {
				t.Errorf("the last good set for a while: %v", err)
			}
			g.pass(9*time.Minute - time.Second)
			if err := verify(); err != nil {
				t.Errorf("the last good set until 15 minutes: %v", err)
			}
			g.pass(time.Second)
			if err := verify(); !errors.Is(err, sallyport.ErrKeysUnavailable) {
				t.Errorf("after 15 minutes: %v", err)
			}
			g.publish(good, nil)
			g.pass(30 * time.Second)
			if err := verify(); err != nil {
				t.Errorf("when it is back: %v", err)
			}
		})
	}
}

func TestJ133OneFetchForAThousandCalls(t *testing.T) {
	g := newGateway(t, "EdDSA")
	set := attack.Set(g.Key.JWK())
	g.publish(set, func(w http.ResponseWriter, _ *http.Request) { time.Sleep(50 * time.Millisecond); _, _ = w.Write(set) })
	v := g.verifier(t)
	tok := g.Valid("x")
	var wg sync.WaitGroup
	for range 1000 {
		wg.Go(func() {
			if _, err := v.Verify(t.Context(), tok); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := g.fetches.Load(); n != 1 {
		t.Errorf("%d fetches, want 1", n)
	}
}
