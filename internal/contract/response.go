package contract

import (
	"net/http"
	"regexp"
	"strconv"
)

// answerContract is a compiled Response Object.
type answerContract struct{ media []Media }

var statusPattern = regexp.MustCompile(`^([1-5][0-9]{2}|[1-5]XX|default)$`)

func (c *compiler) responses(n *node) (map[string]*answerContract, error) {
	m := map[string]*answerContract{}
	for _, status := range n.order {
		if !statusPattern.MatchString(status) {
			if len(status) > 2 && status[:2] == "x-" {
				continue
			}
			return nil, n.fields[status].problem("responses: %s is no status: write 200, 4XX or default", show(status))
		}
		r, err := c.d.follow(n.fields[status])
		if err != nil {
			return nil, err
		}
		a := &answerContract{}
		if a.media, err = c.content(r.get("content"), false); err != nil {
			return nil, err
		}
		m[status] = a
	}
	return m, nil
}

// Answer is what an answer of the upstream has to be.
type Answer struct {
	Media *Media // of its body
	Empty bool   // it has none: nothing is said of a body
	Fault *Fault // it is none of those that are described
}

// CheckAnswer finds what the body of an answer has to be.
func (o *Operation) CheckAnswer(status int, header http.Header) Answer {
	text := strconv.Itoa(status)
	a := o.responses[text]
	if a == nil {
		a = o.responses[text[:1]+"XX"]
	}
	if a == nil {
		a = o.responses["default"]
	}
	switch {
	case status == http.StatusNotModified:
		return Answer{Empty: true}
	case a == nil:
		return Answer{Fault: &Fault{"status", "", "status"}}
	case len(a.media) == 0:
		return Answer{Empty: true}
	}
	m := match(a.media, header)
	if m == nil {
		return Answer{Fault: &Fault{"header", "Content-Type", "media_type"}}
	}
	return Answer{Media: m}
}
