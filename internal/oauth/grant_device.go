package oauth

import (
	"context"

	"sallyport/internal/secret"
)

var pollDevice = polling{grantDevice, "device_code", secret.DeviceCode, fail(InvalidGrant, "the device code is wrong or used")}

// exchangeDevice answers a device that polls (RFC 8628 §3.4).
func (s *Service) exchangeDevice(ctx context.Context, c *Client, r Request) (*TokenResponse, error) {
	return pollDevice.answer(ctx, s, c, r)
}
