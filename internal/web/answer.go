package web

import (
	"bufio"
	"net"
	"net/http"

	"sallyport/internal/secret"
)

// answer is the response on its way out, with what the event of the request
// needs to know of it.
type answer struct {
	http.ResponseWriter

	id      secret.ID // of the request
	route   string    // pattern; empty: not the issuer's
	meter   *meter
	status  int // 0: nothing was written
	bytes   int64
	refused bool // an error went back to the client by a redirect
}

// wrote reports whether the head has left.
func (w *answer) wrote() bool { return w.status != 0 }

// shortID is the random end of the request's ID, short enough to read out.
func (w *answer) shortID() string {
	s := w.id.String()
	return s[len(s)-8:]
}

// WriteHeader implements http.ResponseWriter. Informational answers are not
// the answer, but switching protocols is.
func (w *answer) WriteHeader(status int) {
	if w.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *answer) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// Hijack implements http.Hijacker. After it there is nobody to answer to.
func (w *answer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buf, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err == nil && w.status == 0 {
		w.status = http.StatusSwitchingProtocols
	}
	return conn, buf, err
}

// Unwrap is for http.ResponseController.
func (w *answer) Unwrap() http.ResponseWriter { return w.ResponseWriter }
