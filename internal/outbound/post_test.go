package outbound_test

import (
	"io"
	"net/http"
	"testing"

	"sallyport/internal/outbound"
)

func TestPostSendsTheFormAsItIs(t *testing.T) {
	t.Parallel()
	var got *http.Request
	var body []byte
	status := http.StatusNoContent
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		w.WriteHeader(status)
	})
	post := func(header map[string]string) error {
		c, _, _ := far(s, addrs("93.184.215.14"))
		return c.Post(t.Context(), "https://example.com/logout", header, []byte("logout_token=x"))
	}
	if err := post(map[string]string{"Content-Type": "application/x-www-form-urlencoded", "Authorization": "Bearer t"}); err != nil {
		t.Fatal(err)
	}
	if got.Method != http.MethodPost || got.Header.Get("Content-Type") != "application/x-www-form-urlencoded" || got.Header.Get("Authorization") != "Bearer t" || string(body) != "logout_token=x" {
		t.Errorf("%s %v %q", got.Method, got.Header, body)
	}
	wantReason(t, post(map[string]string{"Host": "evil.example"}), outbound.ReasonRequest)
	wantReason(t, post(map[string]string{"Authorization": "a\r\nX: b"}), outbound.ReasonRequest)
	status = http.StatusBadRequest
	wantReason(t, post(nil), outbound.ReasonStatus)
	status = http.StatusFound
	wantReason(t, post(nil), outbound.ReasonRedirect)
}
