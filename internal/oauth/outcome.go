package oauth

import "net/url"

// Outcome is where an authorization ends for the browser. Exactly one of
// Location, Post and Done is set.
type Outcome struct {
	Location string    // to be sent there
	Post     *FormPost // or a page that posts a form there
	Done     string    // or a page of ours that says that the person may go back to the device: DoneAllowed, DoneDenied
}

// FormPost is an authorization response as a form (OAuth 2.0 Form Post Response
// Mode 1.0 §2). Action is a registered redirect URI.
type FormPost struct {
	Action string
	Params url.Values
}

// What Outcome.Done says.
const (
	DoneAllowed = "allowed"
	DoneDenied  = "denied"
)
