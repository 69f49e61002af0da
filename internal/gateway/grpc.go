package gateway

import (
	"net/http"
	"strconv"
	"strings"
)

// isGRPC reports whether the client speaks gRPC, which carries its own status
// in trailers and reads no problem documents.
func (c *call) isGRPC() bool {
	ct := c.r.Header["Content-Type"]
	if len(ct) != 1 || c.r.ProtoMajor < 2 {
		return false
	}
	kind, _, _ := strings.Cut(ct[0], ";")
	return kind == "application/grpc" || strings.HasPrefix(kind, "application/grpc+")
}

// grpcStatus is the status that says what one of HTTP does (google.rpc.Code).
var grpcStatus = map[int]int{
	http.StatusBadRequest: 3, http.StatusUnauthorized: 16, http.StatusForbidden: 7, http.StatusNotFound: 12, http.StatusMethodNotAllowed: 12,
	http.StatusConflict: 10, http.StatusRequestEntityTooLarge: 8, http.StatusUnprocessableEntity: 3, http.StatusTooManyRequests: 8,
	499: 1, http.StatusInternalServerError: 13, http.StatusBadGateway: 14, http.StatusServiceUnavailable: 14, http.StatusGatewayTimeout: 4,
}

// refuseGRPC answers in the form "Trailers-Only" of the gRPC protocol: one block
// of headers with the status in it. The challenge is there as metadata.
func (c *call) refuseGRPC(no *problem) {
	code, known := grpcStatus[no.status]
	if !known {
		code = 2 // UNKNOWN
	}
	h := c.w.Header()
	delete(h, "Content-Length")
	h["Content-Type"] = []string{"application/grpc"}
	h["Grpc-Status"] = []string{strconv.Itoa(code)}
	h["Grpc-Message"] = []string{no.code} // plain words, which need no escapes
	c.w.WriteHeader(http.StatusOK)
}
