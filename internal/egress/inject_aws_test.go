package egress_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/internal/egress"
	"sallyport/internal/secret"
	secrets "sallyport/internal/vault"
)

// values are secrets without a store.
type values struct {
	mu   sync.Mutex
	list map[string][]secret.Value // the newest first
	err  error
}

func keep(name string, text ...string) *values {
	v := &values{list: map[string][]secret.Value{}}
	v.set(name, text...)
	return v
}

func (v *values) set(name string, text ...string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.list[name] = nil
	for _, t := range text {
		v.list[name] = append(v.list[name], secret.New(t))
	}
}

func (v *values) fail(err error) { v.mu.Lock(); defer v.mu.Unlock(); v.err = err }

func (v *values) Secret(_ context.Context, name string) (secret.Value, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.err != nil || len(v.list[name]) == 0 {
		return secret.Value{}, errors.Join(v.err, secrets.ErrNoSecret)
	}
	return v.list[name][0], nil
}

func (v *values) Values(_ context.Context, name string) ([]secret.Value, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.list[name], v.err
}

const awsSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

// The vectors that AWS has published with the algorithm, without those that normalise
// paths: such a path does not pass the gateway.
func TestSignatureV4ByThePublishedVectors(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("testdata/sigv4.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct{ Name, Request, Authorization string }
	if err := json.Unmarshal(b, &vectors); err != nil || len(vectors) < 20 {
		t.Fatal(len(vectors), err)
	}
	at := time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC)
	for _, v := range vectors {
		t.Run(v.Name, func(t *testing.T) {
			head, body, _ := strings.Cut(v.Request, "\n\n")
			line, rest, _ := strings.Cut(head, "\n")
			target := strings.TrimSuffix(strings.SplitN(line, " ", 2)[1], " HTTP/1.1")
			r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(strings.SplitN(line, " ", 2)[0] + " / HTTP/1.1\r\n" + strings.ReplaceAll(rest, "\n", "\r\n") + "\r\n\r\n" + body)))
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(r.Body)
			if err != nil {
				t.Fatal(err)
			}
			path, query, _ := strings.Cut(target, "?")
			r.URL = &url.URL{Scheme: "https", Host: r.Host, Path: path, RawQuery: query}
			key := "AKIDEXAMPLE:" + awsSecret
			if session := r.Header.Get("X-Amz-Security-Token"); session != "" {
				key += ":" + session
			}
			i := &egress.AWSInjector{Secrets: keep("aws", key), Secret: "aws", Region: "us-east-1", Service: "service", Now: func() time.Time { return at }}
			sent, err := i.Inject(t.Context(), r, text)
			if err != nil {
				t.Fatal(err)
			}
			if got := r.Header.Get("Authorization"); got != v.Authorization {
				t.Errorf("\ngot  %s\nwant %s", got, v.Authorization)
			}
			for _, s := range sent {
				if s.Reveal() == awsSecret {
					t.Error("the key is said to be sent")
				}
			}
			if strings.Contains(r.Header.Get("Authorization"), awsSecret) || len(sent) == 0 {
				t.Error("the key is sent, or nothing is looked for in the answer")
			}
		})
	}
}

// S3's own example: GET Object with a range.
func TestSignatureV4OfS3(t *testing.T) {
	t.Parallel()
	i := &egress.AWSInjector{
		Secrets: keep("aws", "AKIAIOSFODNN7EXAMPLE:wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"), Secret: "aws", Region: "us-east-1", Service: "s3",
		Now: func() time.Time { return time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC) },
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://examplebucket.s3.amazonaws.com/test.txt", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Range", "bytes=0-9")
	if _, err := i.Inject(t.Context(), r, nil); err != nil {
		t.Fatal(err)
	}
	if got := r.Header.Get("Authorization"); !strings.HasSuffix(got, "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41") {
		t.Error(got)
	}
}

func TestSignatureV4SignsWhatIsSent(t *testing.T) {
	t.Parallel()
	sign := func(key, query, body string) (string, string, error) {
		i := &egress.AWSInjector{Secrets: keep("aws", key), Secret: "aws", Region: "eu-central-1", Service: "execute-api", Now: time.Now}
		r := &http.Request{Method: http.MethodPost, URL: &url.URL{Scheme: "https", Host: "a.example.com", Path: "/a b/c", RawQuery: query}, Header: http.Header{}}
		_, err := i.Inject(t.Context(), r, []byte(body))
		return r.URL.RawQuery, r.Header.Get("Authorization"), err
	}
	key := "AKIDEXAMPLE:" + awsSecret
	query, one, err := sign(key, "b=2&a=%7e&a=1+1&c", "x")
	if err != nil || query != "a=1%201&a=~&b=2&c=" {
		t.Errorf("sent: %q %v", query, err)
	}
	if _, two, _ := sign(key, "b=2&a=%7e&a=1+1&c", "y"); one == two {
		t.Error("the body is not signed")
	}
	if _, _, err := sign(key, "a=%zz", ""); err == nil {
		t.Error("a query that cannot be read is signed")
	}
	for _, bad := range []string{"not-a-key-at-all", "AKID EXAMPLE:" + awsSecret, "AKIDEXAMPLE:short"} {
		var word interface{ EgressReason() string }
		if _, _, err := sign(bad, "", ""); !errors.As(err, &word) || word.EgressReason() != "egress_secret_unusable" || strings.Contains(err.Error(), bad) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
