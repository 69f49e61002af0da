package oauth

import (
	"context"
	"errors"
	"net/url"
	"strconv"
	"time"

	"sallyport/internal/audit"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

const (
	deviceLife   = 10 * time.Minute
	pollInterval = 5 * time.Second
	// DevicePath is where people type user codes, below the issuer.
	DevicePath = "/device"
)

// DeviceResponse is a successful answer of the device authorization endpoint
// (RFC 8628 §3.2).
type DeviceResponse struct {
	DeviceCode       secret.Value
	UserCode         string
	VerificationURI  string
	ExpiresInSeconds int64
	IntervalSeconds  int64
	Nonce            string // for DPoP-Nonce, or empty
}

// AppendJSON appends the body of the response to dst. The complete address fills
// in the code and no more: the person still goes on, compares and agrees.
func (d *DeviceResponse) AppendJSON(dst []byte) []byte {
	dst = token.AppendJSONString(append(dst, `{"device_code":`...), d.DeviceCode.Reveal())
	dst = token.AppendJSONString(append(dst, `,"user_code":`...), d.UserCode)
	dst = token.AppendJSONString(append(dst, `,"verification_uri":`...), d.VerificationURI)
	dst = token.AppendJSONString(append(dst, `,"verification_uri_complete":`...), d.VerificationURI+"?user_code="+url.QueryEscape(d.UserCode))
	dst = strconv.AppendInt(append(dst, `,"expires_in":`...), d.ExpiresInSeconds, 10)
	dst = strconv.AppendInt(append(dst, `,"interval":`...), d.IntervalSeconds, 10)
	return append(dst, '}')
}

// DeviceAuthorization answers the device authorization endpoint (RFC 8628 §3.1).
func (s *Service) DeviceAuthorization(ctx context.Context, r Request) (*DeviceResponse, error) {
	c, err := s.authenticateFor(ctx, r, grantDevice)
	if err != nil {
		return nil, err
	}
	a, held, err := s.readAsked(ctx, c, r, grantDevice)
	if err != nil {
		return nil, err
	}
	if err := s.settle(ctx, c.ID, held); err != nil {
		return nil, err
	}
	res := &DeviceResponse{
		VerificationURI: s.issuer + DevicePath, ExpiresInSeconds: seconds(deviceLife), IntervalSeconds: seconds(pollInterval), Nonce: s.nextNonce(held),
	}
	if res.DeviceCode, res.UserCode, err = s.addDevice(ctx, a); err != nil {
		return nil, err
	}
	note(ctx, audit.Event{Name: audit.DeviceAsked, Client: c.ID, Grant: a.GrantID.String()})
	return res, nil
}

// authenticateFor is authenticate for an endpoint that begins a grant type.
func (s *Service) authenticateFor(ctx context.Context, r Request, name string) (*Client, error) {
	c, err := s.authenticate(ctx, r)
	if err != nil {
		return nil, err
	}
	for i := range grantTypes {
		if grantTypes[i].name == name && c.mayUse(&grantTypes[i]) {
			return c, nil
		}
	}
	return nil, fail(UnauthorizedClient, "this client may not use "+name)
}

// userCodeDraws is how often a code is drawn. A second time is needed once in
// 2.56e10 divided by the number of those that wait.
const userCodeDraws = 5

func (s *Service) addDevice(ctx context.Context, a *Authorization) (secret.Value, string, error) {
	for range userCodeDraws {
		row, handle, err := s.newAsked(a, secret.DeviceCode, deviceLife)
		if err != nil {
			return secret.Value{}, "", err
		}
		shown := showUserCode(newUserCode())
		row.UserCode = s.digestUserCode(shown)
		err = s.store.AddAsked(ctx, row, 0, nil)
		if errors.Is(err, ErrExists) {
			continue
		}
		if err != nil {
			return secret.Value{}, "", unavailable("add request", err)
		}
		return handle, shown, nil
	}
	return secret.Value{}, "", fail(TemporarilyUnavailable, "no user code is free; try again")
}

// ErrUserCode says that no device waits with this code: it is wrong, used or
// expired. Nobody learns which.
var ErrUserCode = errors.New("no device waits with this code")

// OpenUserCode finds the request of the device that shows a code. The caller
// bounds how often a code may be tried.
func (s *Service) OpenUserCode(ctx context.Context, typed string) (*Authorization, error) {
	shown, ok := ReadUserCode(typed)
	if !ok {
		return nil, ErrUserCode
	}
	row, err := s.store.AskedByUserCode(ctx, s.digestsOfUserCode(shown), s.now())
	if errors.Is(err, ErrNotFound) {
		return nil, ErrUserCode
	}
	if err != nil {
		return nil, unavailable("find request", err)
	}
	a, err := s.openAsked(ctx, &row)
	if err != nil {
		return nil, err
	}
	a.Elsewhere.UserCode = shown
	return a, nil
}
