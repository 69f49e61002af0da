package audit

import "time"

// Ask is what a person is told who is asked for consent by a client that is not in
// their browser.
type Ask struct {
	App   string    `json:"app"` // as the page calls it
	URL   string    `json:"url"` // of the page
	Until time.Time `json:"until"`
}
