package oauth

import (
	"fmt"
	"net/url"
	"slices"
)

// cibaProblem judges what a client is registered with for CIBA (CIBA Core §4).
func (c *Client) cibaProblem() (setting, why string) {
	set := &c.Settings
	switch {
	case set.CIBAMode != "" && !slices.Contains(cibaModes, set.CIBAMode):
		return "backchannel_token_delivery_mode", fmt.Sprintf("must be one of %v", cibaModes)
	case set.CIBAMode == cibaPing && !validNotify(set.CIBANotify):
		return "backchannel_client_notification_endpoint", "must be an https URI without a fragment, where the client is pinged"
	case set.CIBAMode != cibaPing && set.CIBANotify != "":
		return "backchannel_client_notification_endpoint", "is for backchannel_token_delivery_mode ping alone"
	case set.CIBAMode != "" && !slices.Contains(set.GrantTypes, grantCIBA):
		return "backchannel_token_delivery_mode", "is for clients whose grant_types have " + grantCIBA
	case set.CIBAAlg != "" && !slices.Contains(cibaAlgorithms, set.CIBAAlg):
		return "backchannel_authentication_request_signing_alg", fmt.Sprintf("must be one of %v", cibaAlgorithms)
	case set.CIBAAlg != "" && set.JWKS == "" && set.JWKSURI == "":
		return "jwks", "is missing, and so is jwks_uri: there is no key that the client signs with"
	case set.CIBAUserCode:
		return "backchannel_user_code_parameter", "user_code is not used here"
	}
	return "", ""
}

func validNotify(uri string) bool {
	u, err := url.Parse(uri)
	return err == nil && u.Scheme == "https" && u.Host != "" && u.Fragment == "" && u.User == nil
}
