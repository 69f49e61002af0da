package gateway

import (
	"net/http"
	"strings"
)

// checkShape refuses what is wrong with the request whoever sends it.
func (c *call) checkShape() refusal {
	h := c.r.Header
	if overridesMethod(h) {
		return refusal{problem: invalidRequest, reason: "method_override"}
	}
	for _, line := range h["Sec-Websocket-Protocol"] {
		if carriesToken(line) {
			return refusal{problem: invalidRequest, reason: "token_in_subprotocol"}
		}
	}
	if c.r.ContentLength > c.api.backend.maxBody {
		return refusal{problem: bodyTooLarge, reason: "body_size"}
	}
	return c.checkUpgrade()
}

// checkUpgrade lets WebSocket through and nothing else: an upgrade to h2c
// would be a tunnel past every check. Pages can open sockets across origins
// without CORS, so the origin is checked here.
func (c *call) checkUpgrade() refusal {
	if !hasToken(c.r.Header["Connection"], "upgrade") {
		return handled
	}
	if u := c.r.Header["Upgrade"]; len(u) != 1 || !strings.EqualFold(u[0], "websocket") || c.r.Method != http.MethodGet || c.r.ContentLength != 0 {
		return refusal{problem: invalidRequest, reason: "upgrade"}
	}
	if p := c.api.backend.Protocol; p == H2 || p == H2C {
		return refusal{problem: invalidRequest, reason: "upgrade"} // there is no such thing
	}
	if c.r.Header["Origin"] != nil && c.origin == "" {
		return refusal{problem: wrongOrigin, reason: "origin"}
	}
	c.upgrade = true
	return handled
}

func hasToken(lines []string, token string) bool {
	for _, line := range lines {
		for t := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(t), token) {
				return true
			}
		}
	}
	return false
}
