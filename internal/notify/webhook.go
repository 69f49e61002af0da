package notify

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"

	"sallyport/internal/secret"
)

// Poster sends JSON with more headers and succeeds with a 2xx answer.
type Poster func(ctx context.Context, url string, header map[string]string, body []byte) error

// Webhook is an address of the operator that hears of leaks.
type Webhook struct {
	url    string
	secret secret.Value
	post   Poster
}

// NewWebhook returns a webhook. secret is what both sides know.
func NewWebhook(url string, key secret.Value, post Poster) *Webhook { return &Webhook{url, key, post} }

// The headers of a call. Delivery is the same when a call is repeated.
const (
	SignatureHeader = "Sallyport-Signature"
	DeliveryHeader  = "Sallyport-Delivery"
)

func (h *Webhook) call(ctx context.Context, n Notice, now time.Time) error {
	return h.post(ctx, h.url, map[string]string{SignatureHeader: Sign(h.secret, n.Body, now), DeliveryHeader: n.ID}, n.Body)
}

// Sign returns the value of SignatureHeader: t=SECONDS,v1=HEX, where HEX is
// HMAC-SHA256 of SECONDS, a dot and the body. The receiver refuses a t that is
// more than five minutes away, so that a call that was copied is worth nothing later.
func Sign(key secret.Value, body []byte, now time.Time) string {
	t := strconv.FormatInt(now.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(key.Reveal()))
	mac.Write([]byte(t + "."))
	mac.Write(body)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}
