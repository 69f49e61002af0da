package egress

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"sallyport/internal/secret"
	"sallyport/internal/vault"
)

// AWSInjector signs requests by AWS Signature Version 4. The key signs here and goes
// nowhere; what is sent is good for this request and some minutes.
type AWSInjector struct {
	Secrets         Secrets
	Secret          string // name of a secret of the kind vault.AWSAccessKey
	Region, Service string
	Now             func() time.Time
}

// Owns implements Owner: what signs, also where it is in the query.
func (*AWSInjector) Owns() Owned {
	return Owned{
		Headers: []string{"Authorization", amzDate, amzToken, amzSum, "Date"},
		Parameters: []string{
			"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature", "X-Amz-Security-Token",
			"AWSAccessKeyId", "Signature", "Expires",
		},
	}
}

const (
	algorithm = "AWS4-HMAC-SHA256"
	amzDate   = "X-Amz-Date"
	amzToken  = "X-Amz-Security-Token"
	amzSum    = "X-Amz-Content-Sha256"
)

// Inject implements Injector. The query is written anew in the order that is signed.
func (a *AWSInjector) Inject(ctx context.Context, r *http.Request, body []byte) ([]secret.Value, error) {
	s, err := a.Secrets.Secret(ctx, a.Secret)
	if err != nil {
		return nil, err
	}
	key, err := vault.ParseAWSAccessKey(s)
	if err != nil {
		return nil, errors.Join(errUnusable, err)
	}
	at := a.Now().UTC()
	sum := sha256.Sum256(body)
	r.Header[amzDate] = []string{at.Format("20060102T150405Z")}
	sent := []secret.Value{}
	if !key.Session.IsZero() {
		r.Header[amzToken] = []string{key.Session.Reveal()}
		sent = append(sent, key.Session)
	}
	if a.Service == "s3" {
		r.Header[amzSum] = []string{hex.EncodeToString(sum[:])}
	}
	query, err := canonicalQuery(r.URL.RawQuery)
	if err != nil {
		return nil, errUnusable
	}
	r.URL.RawQuery = query
	names, headers := canonicalHeaders(r)
	request := strings.Join([]string{r.Method, a.canonicalPath(r.URL), query, headers, names, hex.EncodeToString(sum[:])}, "\n")
	scope := at.Format("20060102") + "/" + a.Region + "/" + a.Service + "/aws4_request"
	hashed := sha256.Sum256([]byte(request))
	signature := hex.EncodeToString(a.sign(key.Secret, at, strings.Join([]string{algorithm, r.Header[amzDate][0], scope, hex.EncodeToString(hashed[:])}, "\n")))
	r.Header["Authorization"] = []string{algorithm + " Credential=" + key.ID + "/" + scope + ", SignedHeaders=" + names + ", Signature=" + signature}
	return append(sent, secret.New(signature)), nil
}

// sign derives the key of the day, region and service, and signs with it.
func (a *AWSInjector) sign(key secret.Value, at time.Time, text string) []byte {
	k := []byte("AWS4" + key.Reveal())
	for _, part := range []string{at.Format("20060102"), a.Region, a.Service, "aws4_request", text} {
		h := hmac.New(sha256.New, k)
		h.Write([]byte(part))
		k = h.Sum(nil)
	}
	return k
}

// canonicalPath is the path as it is sent, with each byte escaped once more; S3 does
// without that, and its names may have dots and slashes of their own.
func (a *AWSInjector) canonicalPath(u *url.URL) string {
	path := u.EscapedPath()
	if path == "" {
		return "/"
	}
	if a.Service == "s3" {
		return path
	}
	return awsEscape(path, true)
}

// canonicalQuery is the parameters in order of their escaped names, then values.
func canonicalQuery(raw string) (string, error) {
	if raw == "" {
		return "", nil
	}
	type pair struct{ name, value string }
	var list []pair
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		name, err1 := url.QueryUnescape(name)
		value, err2 := url.QueryUnescape(value)
		if err := errors.Join(err1, err2); err != nil {
			return "", err
		}
		list = append(list, pair{awsEscape(name, false), awsEscape(value, false)})
	}
	slices.SortFunc(list, func(a, b pair) int {
		if c := strings.Compare(a.name, b.name); c != 0 {
			return c
		}
		return strings.Compare(a.value, b.value)
	})
	var b strings.Builder
	for i, p := range list {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(p.name + "=" + p.value)
	}
	return b.String(), nil
}

// unsigned headers are those that the way may change, or that say nothing to AWS.
var unsigned = map[string]bool{
	"authorization": true, "accept": true, "accept-encoding": true, "accept-language": true, "connection": true, "content-length": true, "expect": true,
	"transfer-encoding": true, "user-agent": true, "x-amzn-trace-id": true,
}

func canonicalHeaders(r *http.Request) (names, lines string) {
	values := map[string]string{"host": r.Host}
	if r.Host == "" {
		values["host"] = r.URL.Host
	}
	for name, list := range r.Header {
		low := strings.ToLower(name)
		if unsigned[low] {
			continue
		}
		trimmed := make([]string, len(list))
		for i, v := range list {
			trimmed[i] = strings.Join(strings.Fields(v), " ")
		}
		values[low] = strings.Join(trimmed, ",")
	}
	order := make([]string, 0, len(values))
	for name := range values {
		order = append(order, name)
	}
	slices.Sort(order)
	var b strings.Builder
	for _, name := range order {
		b.WriteString(name + ":" + values[name] + "\n")
	}
	return strings.Join(order, ";"), b.String()
}

// awsEscape escapes all but the unreserved bytes of RFC 3986 §2.3, and slashes where
// they divide.
func awsEscape(s string, path bool) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c >= '0' && c <= '9', strings.IndexByte("-._~", c) >= 0, path && c == '/':
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(digits[c>>4])
			b.WriteByte(digits[c&15])
		}
	}
	return b.String()
}
