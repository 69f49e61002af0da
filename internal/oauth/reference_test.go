package oauth_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sallyport/internal/audit"
	"sallyport/internal/oauth"
	"sallyport/internal/token"
)

var update = flag.Bool("update", false, "write the reference pages anew")

// The pages of docs/reference that are derived from tables of the code.
func TestReferencePagesAreFresh(t *testing.T) {
	t.Parallel()
	for name, page := range map[string]string{"errors.md": errorsPage(), "events.md": eventsPage(), "tiers.md": tiersPage(), "dpop.md": proofsPage()} {
		path := filepath.Join("..", "..", "docs", "reference", name)
		if *update {
			if err := os.WriteFile(path, []byte(page), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != page {
			t.Errorf("%s is out of date: go test ./internal/oauth -run Reference -update", name)
		}
	}
}

func errorsPage() string {
	var b strings.Builder
	b.WriteString("# Error codes\n\nGenerated from `internal/oauth/error.go`.\n\n| Code | Status | From | When |\n|---|---|---|---|\n")
	for _, c := range oauth.Codes {
		fmt.Fprintf(&b, "| `%s` | %d | %s | %s |\n", c.Code, c.Status, c.Source, c.When)
	}
	return b.String()
}

func proofsPage() string {
	var b strings.Builder
	b.WriteString("# Reasons of a refused proof\n\nGenerated from `internal/token/prooferror.go`, in the order of the checks. They stand in the log as the reason of `proof.refused`. " +
		"Outside there are two answers: `use_dpop_nonce`, and `invalid_dpop_proof` for everything else. How an app makes a proof: [the guide](../guide/sender-constrained-tokens.md).\n\n" +
		"| Reason | Means | From |\n|---|---|---|\n")
	for _, r := range token.ProofReasons {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", r.Reason, r.Meaning, r.Source)
	}
	b.WriteString("\nAt the gateway, around the proof:\n\n| Reason | Means | Answer |\n|---|---|---|\n")
	for _, r := range [][3]string{
		{"dpop_token_as_bearer", "a DPoP-bound token with the scheme Bearer", "401 `invalid_token`"},
		{"bearer_token_as_dpop", "a token that is not bound with the scheme DPoP", "401 `invalid_token`"},
		{"token_not_bound", "the tier takes bound tokens only", "401 `invalid_token`"},
		{"proof_other_key", "a good proof by another key than the token's", "401 `invalid_token`"},
		{"certificate_missing", "a certificate-bound token on a connection without certificate", "401 `invalid_token`"},
		{"certificate_other", "the connection has another certificate than the token", "401 `invalid_token`"},
		{"certificate_expired", "the certificate is not valid now", "401 `invalid_token`"},
		{"certificate_token_as_dpop", "a certificate-bound token with the scheme DPoP", "401 `invalid_token`"},
		{"replay_full", "this key has used too many proofs in a minute, or the table is full", "503"},
		{"replay_unavailable", "the shared table cannot be asked", "503"},
	} {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", r[0], r[1], r[2])
	}
	return b.String()
}

func eventsPage() string {
	var b strings.Builder
	b.WriteString("# Security events\n\nGenerated from `internal/audit/events.go`. They stand in the `events` of a request's log line, and `/metrics` counts them.\n\n| Event | Means | Do |\n|---|---|---|\n")
	for _, e := range audit.Events {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", e.Name, e.Meaning, e.Do)
	}
	return b.String()
}

func tiersPage() string {
	var b strings.Builder
	b.WriteString("# Tiers\n\nGenerated from `internal/token/tier.go`. These are hard caps: a configuration may go below them, never above.\n\n|  |")
	for _, tier := range token.Tiers {
		fmt.Fprintf(&b, " `%s` |", tier)
	}
	b.WriteString("\n|---|---|---|---|\n")
	row := func(what string, of func(token.Limits) string) {
		fmt.Fprintf(&b, "| %s |", what)
		for _, tier := range token.Tiers {
			fmt.Fprintf(&b, " %s |", of(tier.Limits()))
		}
		b.WriteString("\n")
	}
	row("access token lives", func(l token.Limits) string { return span(l.AccessToken) })
	row("refresh token dies unused after", func(l token.Limits) string { return span(l.RefreshIdle) })
	row("refresh token dies anyway after", func(l token.Limits) string { return span(l.RefreshAbsolute) })
	row("session at the issuer ends unused after", func(l token.Limits) string { return span(l.SessionIdle) })
	row("session at the issuer ends anyway after", func(l token.Limits) string { return span(l.SessionAbsolute) })
	row("revocations may be stale for", func(l token.Limits) string { return span(l.RevocationMaxAge) })
	row("weakest authentication", func(l token.Limits) string {
		if l.ACR == "" {
			return "any"
		}
		return "`" + l.ACR + "`"
	})
	row("access tokens are bound to a key", func(l token.Limits) string { return yes(l.Bound) })
	row("DPoP proofs need a nonce of the server", func(l token.Limits) string { return yes(l.ProofNonce) })
	return b.String()
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "optional"
}

func span(d time.Duration) string {
	switch {
	case d%(24*time.Hour) == 0:
		return fmt.Sprintf("%d d", d/(24*time.Hour))
	case d%time.Hour == 0:
		return fmt.Sprintf("%d h", d/time.Hour)
	case d%time.Minute == 0:
		return fmt.Sprintf("%d min", d/time.Minute)
	}
	return fmt.Sprintf("%d s", d/time.Second)
}
