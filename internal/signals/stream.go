package signals

import (
	"encoding/json"
	"slices"
	"time"

	"sallyport/internal/secret"
)

// Status of a stream (SSF 1.0 §8.1.2).
type Status string

// The statuses.
const (
	Enabled  Status = "enabled"
	Paused   Status = "paused"   // events are kept
	Disabled Status = "disabled" // and here they are not
)

// The methods of delivery (SSF 1.0 §6.1).
const (
	Push = "urn:ietf:rfc:8935"
	Poll = "urn:ietf:rfc:8936"
)

// The formats in which a stream can name a person (RFC 9493 §3.2.2, §3.2.4).
const (
	formatIssSub  = "iss_sub"
	formatEmail   = "email"
	formatOpaque  = "opaque"
	formatComplex = "complex"
)

// Stream is what a receiver has asked for. A receiver is a client, and has one.
type Stream struct {
	ID            secret.ID
	ClientID      string
	CreatedAt     time.Time
	Method        string
	EndpointURL   string // of Push; the one of Poll is ours
	Authorization string // header for EndpointURL, sealed; empty: none
	Requested     []string
	Description   string
	Format        string // empty is formatIssSub
	Status        Status
	Reason        string // of a status that we have set

	Attempts int    // that have failed one after the other
	Problem  string // of the last one, in words of ours; empty if it went well
}

// Delivered are the events that the receiver has asked for and that exist.
func (s *Stream) Delivered() []string {
	list := []string{}
	for _, e := range Supported {
		if slices.Contains(s.Requested, e) {
			list = append(list, e)
		}
	}
	return list
}

// Wants reports whether an event belongs into the stream.
func (s *Stream) Wants(e *Event) bool {
	return s.Status != Disabled && (e.UserID == "" || slices.Contains(s.Delivered(), e.Type))
}

// config is a stream as its receiver sees it (SSF 1.0 §8.1.1). The header for the
// endpoint is the receiver's secret, and is not shown again.
type config struct {
	ID              string   `json:"stream_id"`
	Issuer          string   `json:"iss"`
	Audience        string   `json:"aud"`
	Delivery        delivery `json:"delivery"`
	EventsSupported []string `json:"events_supported"`
	EventsRequested []string `json:"events_requested"`
	EventsDelivered []string `json:"events_delivered"`
	Format          string   `json:"format,omitempty"`
	MinVerification int64    `json:"min_verification_interval"`
	Description     string   `json:"description,omitempty"`
}

type delivery struct {
	Method      string `json:"method"`
	EndpointURL string `json:"endpoint_url"`
}

func (s *Service) show(stream *Stream) config {
	c := config{
		ID: stream.ID.String(), Issuer: s.o.Issuer, Audience: stream.ClientID,
		Delivery:        delivery{stream.Method, stream.EndpointURL},
		EventsSupported: Supported, EventsRequested: stream.Requested, EventsDelivered: stream.Delivered(),
		Format: stream.Format, MinVerification: int64(verifyEvery / time.Second), Description: stream.Description,
	}
	if stream.Method == Poll {
		c.Delivery.EndpointURL = s.pollURL(stream.ID)
	}
	if c.EventsRequested == nil {
		c.EventsRequested = []string{}
	}
	return c
}

func (s *Service) pollURL(id secret.ID) string {
	return s.o.Issuer + PollPath + "?stream_id=" + id.String()
}

type status struct {
	ID     string `json:"stream_id"`
	Status Status `json:"status"`
	Reason string `json:"reason,omitempty"`
}

func showStatus(s *Stream) ([]byte, error) {
	return json.Marshal(status{s.ID.String(), s.Status, s.Reason})
}
