package backends_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"sallyport/test/rig"
)

// serveHead guards one API for each example, with the keys that dev has made.
const serveHead = `issuer: %[1]s
listen: "%[2]s"
metrics_listen: "%[3]s"
tls: {cert_file: cert.pem, key_file: key.pem}
store: sqlite:sallyport.db
master_key_file: master.key
scopes: {go.read: Read, node.read: Read, python.read: Read, java.read: Read}
clients:
  - {client_id: demo-service, type: service, secret_file: demo-service.secret, scope: go.read node.read python.read java.read}
apis:
`

const serveAPI = `  - name: %[2]s
    audience: %[1]s/%[2]s
    path: /%[2]s
    upstream: %[3]s
    tier: standard
    operations:
      - {match: "GET /", scope: %[2]s.read}
`

func TestT058ARealInnerTokenReachesEachExample(t *testing.T) {
	t.Parallel()
	s := rig.Start(t, rig.Options{})
	if code := s.Stop(t); code != 0 {
		t.Fatalf("exit status %d", code)
	}
	config := fmt.Sprintf(serveHead, s.Issuer, s.Listen, rig.FreeAddr(t))
	direct := map[string]*process{}
	for _, e := range examples {
		// JWKS_URL is left out: the gateway's usual place. It is asked when the first call comes.
		p := e.run(t, s.CAFile, "0", "ISSUER="+s.Issuer, "AUDIENCE="+s.Issuer+"/"+e.name)
		direct[e.name] = p
		config += fmt.Sprintf(serveAPI, s.Issuer, e.name, p.url)
	}
	s.ServeText(t, config)
	for _, e := range examples {
		t.Run(e.name, func(t *testing.T) {
			token := s.ServiceToken(t, e.name+".read").AccessToken
			status, _, body := s.Call(t, http.MethodGet, s.Issuer+"/"+e.name+"/", token)
			var who struct{ Sub string }
			if err := json.Unmarshal([]byte(body), &who); status != http.StatusOK || err != nil || who.Sub != "client:demo-service" {
				t.Errorf("through the gateway: status %d: %s\n%s", status, body, direct[e.name].log)
			}
			if status, _ := ask(t, direct[e.name], token); status != http.StatusUnauthorized {
				t.Errorf("the app's own token, past the gateway: status %d", status)
			}
		})
	}
}
