package blackbox_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

const (
	projectPath = "/v1/projects/demo/databases/(default)/documents/"
	botEmail    = "bot@demo.iam.gserviceaccount.com"
	dataScope   = "https://www.googleapis.com/auth/datastore"
)

// firestore is a server that speaks as Google's token endpoint and as Firestore's REST
// API do, as far as an app with documents needs them.
type firestore struct {
	*httptest.Server
	t testing.TB

	mu     sync.Mutex
	keys   map[string]*rsa.PublicKey // of the service account, by private_key_id
	tokens map[string]string         // access token to the key that it was asked for with
	docs   map[string]json.RawMessage
	made   int // tokens
	asked  int // requests for documents
	seen   []string
	echo   bool // the answer has the Authorization header in it
}

func newFirestore(t testing.TB) *firestore {
	f := &firestore{t: t, keys: map[string]*rsa.PublicKey{}, tokens: map[string]string{}, docs: map[string]json.RawMessage{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /token", f.token)
	mux.HandleFunc(projectPath, f.documents)
	f.Server = httptest.NewServer(mux)
	t.Cleanup(f.Close)
	return f
}

// account makes a key of the service account, as the console does, and returns the file.
func (f *firestore) account(id string) string {
	f.t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		f.t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		f.t.Fatal(err)
	}
	b, err := json.Marshal(map[string]string{
		"type": "service_account", "project_id": "demo", "private_key_id": id, "client_email": botEmail,
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), "token_uri": "https://oauth2.googleapis.com/token",
	})
	if err != nil {
		f.t.Fatal(err)
	}
	file := filepath.Join(f.t.TempDir(), id+".json")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		f.t.Fatal(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.keys[id] = &key.PublicKey
	return file
}

// forget deletes a key, with all that it was exchanged for.
func (f *firestore) forget(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.keys, id)
	for token, of := range f.tokens {
		if of == id {
			delete(f.tokens, token)
		}
	}
}

// token exchanges an assertion (RFC 7523 §2.1).
func (f *firestore) token(w http.ResponseWriter, r *http.Request) {
	no := func(why string) {
		w.Header().Set("Content-Type", "application/json; charset=UTF-8")
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"error":"invalid_grant","error_description":%q}`, why)
	}
	parts := strings.Split(r.PostFormValue("assertion"), ".")
	if r.PostFormValue("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" || len(parts) != 3 {
		no("Invalid JWT")
		return
	}
	var header struct{ Alg, Kid string }
	var claims struct {
		Iss, Scope, Aud string
		Iat, Exp        int64
	}
	raw := make([][]byte, 3)
	for i := range parts {
		raw[i], _ = base64.RawURLEncoding.DecodeString(parts[i])
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case json.Unmarshal(raw[0], &header) != nil || json.Unmarshal(raw[1], &claims) != nil || header.Alg != "RS256" || f.keys[header.Kid] == nil:
		no("Invalid JWT Signature.")
	case rsa.VerifyPKCS1v15(f.keys[header.Kid], crypto.SHA256, sum[:], raw[2]) != nil:
		no("Invalid JWT Signature.")
	case claims.Iss != botEmail || claims.Aud != f.URL+"/token" || claims.Exp <= claims.Iat || claims.Exp-claims.Iat > 3600:
		no("Invalid JWT: Token must be a short-lived token")
	case claims.Scope != dataScope:
		no("Invalid OAuth scope.")
	default:
		f.made++
		token := fmt.Sprintf("ya29.c.token-%d-of-%s....................", f.made, header.Kid)
		f.tokens[token] = header.Kid
		w.Header().Set("Content-Type", "application/json; charset=UTF-8")
		fmt.Fprintf(w, `{"access_token":%q,"expires_in":3599,"token_type":"Bearer"}`, token)
	}
}

// documents answers for one document, or for a collection.
func (f *firestore) documents(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	f.seen = append(f.seen, r.Method+" "+r.RequestURI)
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	bearer := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	if f.tokens[bearer] == "" {
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"error":{"code":401,"message":"Request had invalid authentication credentials.","status":"UNAUTHENTICATED"}}`)
		return
	}
	name := strings.TrimPrefix(r.URL.Path, "/v1/")
	if f.echo {
		fmt.Fprintf(w, `{"name":%q,"fields":{"said":{"stringValue":%q}}}`, name, bearer)
		return
	}
	switch doc, there := f.docs[name]; {
	case r.Method == http.MethodPatch:
		var body struct {
			Fields json.RawMessage `json:"fields"`
		}
		if json.NewDecoder(r.Body).Decode(&body) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		f.docs[name] = body.Fields
		fmt.Fprintf(w, `{"name":%q,"fields":%s}`, name, body.Fields)
	case r.Method == http.MethodDelete:
		delete(f.docs, name)
		_, _ = io.WriteString(w, `{}`)
	case there:
		fmt.Fprintf(w, `{"name":%q,"fields":%s}`, name, doc)
	case strings.HasSuffix(name, "/notes"):
		var list []string
		for at, fields := range f.docs {
			if strings.HasPrefix(at, name+"/") {
				list = append(list, fmt.Sprintf(`{"name":%q,"fields":%s}`, at, fields))
			}
		}
		fmt.Fprintf(w, `{"documents":[%s]}`, strings.Join(list, ","))
	default:
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"error":{"code":404,"status":"NOT_FOUND"}}`)
	}
}

func (f *firestore) count() (made, asked int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.made, f.asked
}
