package web_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// What the edge costs a call to an API: the record, the event, the counters.
func BenchmarkEdgeAroundTheGateway(b *testing.B) {
	h := newHouse(b, options{gateway: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }), log: io.Discard})
	r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, issuer+"/catalog/items/1", nil)
	b.ReportAllocs()
	for b.Loop() {
		h.handler.ServeHTTP(httptest.NewRecorder(), r)
	}
}
