package audit

import "time"

// Letter is a letter to one address of a person, as it waits to be sent.
type Letter struct {
	ID      string            `json:"id"` // of the letter, which may go to several addresses
	Address string            `json:"address"`
	Kind    string            `json:"kind"` // its texts are letter.KIND.subject and letter.KIND.text
	Locale  string            `json:"locale"`
	Params  map[string]string `json:"params,omitempty"`
	Sealed  string            `json:"sealed,omitempty"` // what only the text has: a code, or a link
	At      time.Time         `json:"at"`               // of what it tells of
	Until   time.Time         `json:"until"`            // from then on it is not sent any more
}
