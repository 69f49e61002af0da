package sallyport

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// allowed is the import policy between our own packages: a package may import
// the ones on its line and nothing else of ours. It is read top to bottom, so
// a package can name only packages above it, and no cycle can be written down.
const allowed = `
secret:
locale:
theme:
audit:
trace:
metrics:
ratelimit:
breached:
passhash:
hashworker: passhash
contract:
idempotency: secret
outbound:
outbound/tlstest:
http1: outbound
token/jose:
token: secret token/jose
shared/redistest:
shared: secret outbound
revocation: secret token
vault: secret
apikey: secret
notify: secret locale audit outbound
oauth: secret audit token token/jose
upstream: secret audit outbound token token/jose
account: secret locale audit ratelimit breached passhash token
passkey: account
roster: passhash
certificates: outbound token
gateway: secret apikey audit ratelimit outbound http1 contract idempotency token token/jose revocation trace
egress: secret vault audit ratelimit outbound token token/jose gateway
signals: secret audit token token/jose revocation oauth
bff: secret audit token
store/storetest: secret vault apikey audit notify certificates token token/jose revocation oauth account signals bff
store/storetest/pgtest:
store: secret vault apikey audit outbound notify certificates token token/jose revocation oauth account signals bff
web: secret audit metrics ratelimit locale theme token token/jose revocation oauth account signals upstream trace
`

// sealed packages reach none of these, at any depth: they speak in values that
// the edge has filled, so that no rule depends on a listener or an engine.
var sealed = map[string][]string{
	"secret":     {"net/http", "database/sql"},
	"ratelimit":  {"net/http", "database/sql"},
	"token/jose": {"net/http", "database/sql"},
	"token":      {"net/http", "database/sql"},
	"revocation": {"net/http", "database/sql"},
	"oauth":      {"net/http", "database/sql"},
	"account":    {"net/http", "database/sql"},
	"locale":     {"net/http", "database/sql"},
	"passhash":   {"net/http", "database/sql"},
	"hashworker": {"net/http", "database/sql"},
	"theme":      {"net/http", "database/sql"},
	"breached":   {"net/http", "database/sql"},
	"signals":    {"net/http", "database/sql"},
}

type listedPackage struct {
	ImportPath, Dir, Name              string
	GoFiles, TestGoFiles, XTestGoFiles []string
	Imports, Deps                      []string
	TestImports, XTestImports          []string
}

func listPackages(t *testing.T, pattern string) []listedPackage {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json", pattern).Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %v: %s", err, exit.Stderr)
		}
		t.Fatal(err)
	}
	var list []listedPackage
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listedPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return list
		} else if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
}

func readPolicy(t *testing.T) map[string][]string {
	t.Helper()
	policy := map[string][]string{}
	var seen []string
	for line := range strings.Lines(strings.TrimSpace(allowed)) {
		name, deps, _ := strings.Cut(strings.TrimSpace(line), ":")
		for _, d := range strings.Fields(deps) {
			if !slices.Contains(seen, d) {
				t.Errorf("%s names %s, which stands below it", name, d)
			}
		}
		seen, policy[name] = append(seen, name), strings.Fields(deps)
	}
	return policy
}

func TestArchitecture(t *testing.T) {
	const mod = "sallyport/internal/"
	policy, found := readPolicy(t), map[string]bool{}
	for _, p := range listPackages(t, "./internal/...") {
		name := strings.TrimPrefix(p.ImportPath, mod)
		want, known := policy[name]
		found[name] = true
		if !known {
			t.Errorf("%s is not in the policy: a new package needs a line and a reason", name)
		}
		for _, i := range p.Imports {
			if d, ours := strings.CutPrefix(i, mod); ours && !slices.Contains(want, d) {
				t.Errorf("%s must not import %s", name, d)
			}
			if strings.HasPrefix(i, "sallyport/cmd/") || strings.HasPrefix(i, "sallyport/test/") {
				t.Errorf("%s must not import %s", name, i)
			}
		}
		for _, bad := range sealed[name] {
			if slices.Contains(p.Deps, bad) {
				t.Errorf("%s reaches %s", name, bad)
			}
		}
	}
	for name := range policy {
		if !found[name] {
			t.Errorf("the policy has a line for %s, which does not exist", name)
		}
	}
}

// One package reads JOSE objects. Another that called the library would go
// without the checks that the profile makes around it (T068).
func TestT068OnlyTheProfileImportsTheJOSELibrary(t *testing.T) {
	users := 0
	for _, p := range listPackages(t, "./...") {
		for _, i := range p.Imports {
			if !strings.HasPrefix(i, "github.com/go-jose/") && !strings.Contains(i, "/jwx/") && !strings.Contains(i, "golang-jwt") {
				continue
			}
			users++
			if p.ImportPath != "sallyport/internal/token/jose" {
				t.Errorf("%s must not import %s", p.ImportPath, i)
			}
		}
	}
	if users == 0 {
		t.Error("nobody imports a JOSE library: this test looks for the wrong name")
	}
}

// Black box tests know the product only by its binary, so they may share
// test/rig and test/attack and nothing more.
func TestBlackBoxTestsKnowOnlyTheBinary(t *testing.T) {
	for _, p := range listPackages(t, "./test/...") {
		for _, i := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			if strings.HasPrefix(i, "sallyport/") && i != "sallyport/test/rig" && i != "sallyport/test/attack" && i != strings.TrimSuffix(p.ImportPath, "_test") {
				t.Errorf("%s must not import %s", p.ImportPath, i)
			}
		}
	}
}

// The SDK is built into programs of others: it brings nothing but itself.
func TestSDKStandsOnTheStandardLibraryAlone(t *testing.T) {
	for _, p := range listPackages(t, "./sdk/...") {
		for _, d := range p.Deps {
			if host, _, _ := strings.Cut(d, "/"); strings.Contains(host, ".") || strings.HasPrefix(d, "sallyport/") {
				t.Errorf("%s must not reach %s", p.ImportPath, d)
			}
		}
	}
}

// The attack list is for every verifier, ours or not.
func TestAttackListKnowsNothingOfTheProduct(t *testing.T) {
	for _, p := range listPackages(t, "./test/attack") {
		for _, i := range p.Imports {
			if strings.Contains(i, ".") || strings.HasPrefix(i, "sallyport/") {
				t.Errorf("%s must not import %s", p.ImportPath, i)
			}
		}
	}
}
