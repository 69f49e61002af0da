package token

// Why a grant ended. The text is the wire value of error_reason, which an app can
// act on beside invalid_grant.
const (
	ReasonLogout     = "revoked_by_user"
	ReasonExpired    = "expired"
	ReasonReused     = "reused"
	ReasonRevoked    = "revoked_by_client"
	ReasonCodeReplay = "code_replayed"
	ReasonDisabled   = "account_disabled"
	ReasonPassword   = "password_changed"
	ReasonAdmin      = "revoked_by_admin"
	ReasonClientGone = "client_removed"
	ReasonLeaked     = "leaked"
)
