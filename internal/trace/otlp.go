package trace

import (
	"encoding/hex"
	"encoding/json"
	"strconv"
	"time"
)

// The message ExportTraceServiceRequest of OTLP 1.x in its JSON encoding: IDs in
// hexadecimal, 64-bit numbers as strings.
type (
	export struct {
		ResourceSpans []resourceSpans `json:"resourceSpans"`
	}
	resourceSpans struct {
		Resource   resource     `json:"resource"`
		ScopeSpans []scopeSpans `json:"scopeSpans"`
	}
	resource struct {
		Attributes []keyValue `json:"attributes"`
	}
	scopeSpans struct {
		Scope scope  `json:"scope"`
		Spans []span `json:"spans"`
	}
	scope struct {
		Name string `json:"name"`
	}
	span struct {
		TraceID    string     `json:"traceId"`
		SpanID     string     `json:"spanId"`
		ParentID   string     `json:"parentSpanId,omitempty"`
		Name       string     `json:"name"`
		Kind       int        `json:"kind"`
		Start      string     `json:"startTimeUnixNano"`
		End        string     `json:"endTimeUnixNano"`
		Attributes []keyValue `json:"attributes,omitempty"`
		Status     status     `json:"status"`
	}
	status struct {
		Code int `json:"code,omitempty"` // 2: error
	}
	keyValue struct {
		Key   string `json:"key"`
		Value value  `json:"value"`
	}
	value struct {
		Text   *string `json:"stringValue,omitempty"`
		Number string  `json:"intValue,omitempty"`
	}
)

const serviceName = "sallyport"

func encode(batch []*Span) []byte {
	name := serviceName
	spans := make([]span, len(batch))
	for i, s := range batch {
		spans[i] = s.message()
	}
	b, err := json.Marshal(export{[]resourceSpans{{
		Resource:   resource{[]keyValue{{"service.name", value{Text: &name}}}},
		ScopeSpans: []scopeSpans{{scope{serviceName}, spans}},
	}}})
	if err != nil {
		panic(err) // nothing in it can fail
	}
	return b
}

func (s *Span) message() span {
	m := span{
		TraceID: hex.EncodeToString(s.trace[:]), SpanID: hex.EncodeToString(s.id[:]), Name: s.name, Kind: int(s.kind),
		Start: nanos(s.start), End: nanos(s.end),
	}
	if s.parent != [8]byte{} {
		m.ParentID = hex.EncodeToString(s.parent[:])
	}
	if s.failed {
		m.Status.Code = 2
	}
	for i := range s.attrs {
		a := &s.attrs[i]
		if a.isNumber {
			m.Attributes = append(m.Attributes, keyValue{a.key, value{Number: strconv.FormatInt(a.number, 10)}})
			continue
		}
		m.Attributes = append(m.Attributes, keyValue{a.key, value{Text: &a.text}})
	}
	return m
}

func nanos(t time.Time) string { return strconv.FormatInt(t.UnixNano(), 10) }
