//go:build unix

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gojose "github.com/go-jose/go-jose/v4"
	"github.com/prometheus/client_golang/prometheus"

	"sallyport/internal/gateway"
	"sallyport/internal/shared"
	"sallyport/internal/shared/redistest"
	"sallyport/internal/token"
)

// proofNode is a node as far as proofs are concerned.
func proofNode(t *testing.T, c *config) (*node, *token.Proofs) {
	t.Helper()
	n := &node{now: time.Now, state: gateway.NewState()}
	replay, err := n.openReplay(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if n.shared != nil {
		t.Cleanup(n.shared.Close)
	}
	p, err := token.NewProofs(token.ProofOptions{Ring: &token.Ring{}, Replay: replay, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return n, p
}

type proofKey struct{ signer gojose.Signer }

func newProofKey(t *testing.T) proofKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := gojose.NewSigner(gojose.SigningKey{Algorithm: gojose.ES256, Key: key},
		(&gojose.SignerOptions{EmbedJWK: true}).WithType("dpop+jwt"))
	if err != nil {
		t.Fatal(err)
	}
	return proofKey{signer}
}

const proofURL = "https://auth.example.com/oauth/token"

func (k proofKey) proof(t *testing.T) token.ProofRequest {
	t.Helper()
	claims, err := json.Marshal(map[string]any{"jti": rand.Text(), "htm": "POST", "htu": proofURL, "iat": time.Now().Unix()})
	if err != nil {
		t.Fatal(err)
	}
	jws, err := k.signer.Sign(claims)
	if err != nil {
		t.Fatal(err)
	}
	text, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token.ProofRequest{Lines: []string{text}, Method: "POST", URL: proofURL, NonceFor: token.NonceIssuer}
}

func sharedConfig(t *testing.T, server *redistest.Server) *config {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "shared"), []byte(server.URL()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return &config{Issuer: "https://auth.example.com", SharedFile: "shared", path: filepath.Join(dir, "sallyport.yaml")}
}

func TestPP09AProofCountsAtOneNodeOnly(t *testing.T) {
	t.Parallel()
	server := redistest.New(t)
	c := sharedConfig(t, server)
	_, a := proofNode(t, c)
	n, b := proofNode(t, c)
	key := newProofKey(t)
	verify := func(p *token.Proofs, r token.ProofRequest) string {
		_, err := p.Verify(t.Context(), r)
		var proof *token.ProofError
		switch {
		case err == nil:
			return "passes"
		case errors.As(err, &proof):
			return proof.Reason
		}
		return err.Error()
	}
	used := key.proof(t)
	for _, step := range []struct {
		name  string
		node  *token.Proofs
		proof token.ProofRequest
		want  string
	}{
		{"first at a", a, used, "passes"},
		{"J094 again at a", a, used, "proof_replayed"},
		{"J094 at b", b, used, "proof_replayed"},
		{"another proof at b", b, key.proof(t), "passes"},
		{"of another key at b", b, newProofKey(t).proof(t), "passes"},
	} {
		t.Run(step.name, func(t *testing.T) {
			if got := verify(step.node, step.proof); got != step.want {
				t.Errorf("the proof %s, want %s", got, step.want)
			}
		})
	}
	registry := prometheus.NewRegistry()
	n.registerShared(registry)
	t.Run("servers that hang refuse", func(t *testing.T) {
		server.Stop()
		defer server.Continue()
		if _, err := b.Verify(t.Context(), key.proof(t)); !errors.Is(err, shared.ErrUnavailable) {
			t.Errorf("Verify = %v, want ErrUnavailable", err)
		}
	})
	metrics, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	if text := metrics[0].String(); !strings.Contains(text, `value:"failed"`) || n.shared.Counts() != (shared.Counts{Spent: 2, Repeated: 1, Failed: 1}) {
		t.Errorf("counts %+v, metrics %s", n.shared.Counts(), text)
	}
}

func TestANodeWithoutSharedStateRemembersForItself(t *testing.T) {
	t.Parallel()
	n, p := proofNode(t, &config{Issuer: "https://auth.example.com"})
	r := newProofKey(t).proof(t)
	if _, err := p.Verify(t.Context(), r); err != nil || n.shared != nil {
		t.Errorf("Verify = %v", err)
	}
	if _, err := p.Verify(t.Context(), r); !errors.Is(err, token.ErrProof) {
		t.Errorf("Verify again = %v", err)
	}
}

func TestPP09ManyNodesWithoutSharedStateAreWarned(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	for name, tc := range map[string]struct{ store, warning string }{
		"PostgreSQL alone":      {"store: postgres://db/x", "once at each of them"},
		"PostgreSQL and Redis":  {"store: postgres://db/x\nshared: rediss://cache.example.com", ""},
		"SQLite":                {"store: sqlite:x.db", ""},
		"Redis in the clear":    {"store: postgres://db/x\nshared: redis://cache.example.com", "use rediss://"},
		"Redis on this machine": {"store: postgres://db/x\nshared: redis://127.0.0.1", ""},
		"SQLite and Redis":      {"store: sqlite:x.db\nshared: rediss://a?addr=b", ""},
	} {
		file := filepath.Join(dir, "warn.yaml")
		if err := os.WriteFile(file, []byte(strings.Replace(localConfig, "store: sqlite:sallyport.db", tc.store, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := readConfig(file, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range validate(c, environment{now: time.Now()}) {
			if v.Rule.ID != "PP09" {
				continue
			}
			if len(v.Problems) > 0 || (len(v.Warnings) > 0) != (tc.warning != "") || tc.warning != "" && !strings.Contains(v.Warnings[0].Text, tc.warning) {
				t.Errorf("%s: problems %v, warnings %v; want %q", name, v.Problems, v.Warnings, tc.warning)
			}
		}
	}
}

// A node that cannot share does not start: it would take proofs that others
// have seen.
func TestServeNeedsTheSharedStateThatIsConfigured(t *testing.T) {
	t.Parallel()
	server := redistest.New(t)
	dir := folder(t)
	start := func(address string) (int, string) {
		if err := os.WriteFile(filepath.Join(dir, "shared"), []byte(address), 0o600); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, "sallyport.yaml")
		text := strings.Replace(localConfig, "store:", "listen: 127.0.0.1:0\nmetrics_listen: 127.0.0.1:0\nshared_file: shared\nstore:", 1)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := readConfig(file, nil)
		if err != nil {
			t.Fatal(err)
		}
		n, err := openNode(t.Context(), c, slog.New(slog.DiscardHandler), time.Now)
		if err == nil {
			n.close()
			return exitOK, ""
		}
		return exitFailed, err.Error()
	}
	if status, problem := start(server.URL()); status != exitOK {
		t.Errorf("with its servers: %s", problem)
	}
	server.Kill()
	status, problem := start(server.URL())
	if status != exitFailed || !strings.Contains(problem, "shared state is not available") || !strings.Contains(problem, server.Host()) || strings.Contains(problem, server.Password) {
		t.Errorf("without them: %d %s", status, problem)
	}
}
