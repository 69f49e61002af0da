package gateway

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"strings"

	"sallyport/internal/audit"
	"sallyport/internal/contract"
	"sallyport/internal/token"
)

// Contract is what an OpenAPI document says of an operation.
type Contract struct {
	Operation *contract.Operation // nil: requests are not held against anything
	Answers   AnswerCheck
	GraphQL   *contract.GraphQL // nil: it takes no GraphQL
}

// AnswerCheck is what happens to answers of the upstream that are not as described.
type AnswerCheck uint8

// The answer checks.
const (
	AnswersPass     AnswerCheck = iota // nobody looks
	AnswersReported                    // they pass, with an event
	AnswersEnforced                    // the client gets 502 instead
)

var (
	notAsDescribed = newProblem(http.StatusBadRequest, "invalid_request", "The request is not as the description of this API has it. See errors.")
	wrongMedia     = newProblem(http.StatusUnsupportedMediaType, "unsupported_media_type", "This operation does not take a body of that type or encoding.")
	badAnswer      = newProblem(http.StatusBadGateway, "response_contract", "The API behind the gateway gave an answer that is not as described. What was asked for may have been done.")
)

// checkContract holds the request against the API's own description of it, and
// sees to it that the answer will be.
func (c *call) checkContract() refusal {
	k := c.op.contract
	if k == nil {
		return handled
	}
	if k.Operation != nil {
		if no := c.checkRequest(k.Operation); no.refused() {
			return no
		}
	}
	if k.GraphQL != nil {
		if no := c.checkGraphQL(k.GraphQL); no.refused() {
			return no
		}
	}
	if k.Operation != nil && k.Answers != AnswersPass {
		// What is compressed, or a part, could not be held against anything.
		c.r.Header["Accept-Encoding"] = []string{"identity"}
		delete(c.r.Header, "Range")
		delete(c.r.Header, "If-Range")
		c.onResponse = append(c.onResponse, c.checkAnswer)
	}
	return handled
}

func (c *call) checkRequest(op *contract.Operation) refusal {
	if faults := op.CheckHead(c.rest, c.query, c.r.Header); len(faults) > 0 {
		return c.refuseForm(faults)
	}
	size := c.r.ContentLength
	if c.read {
		size = int64(len(c.whole))
	}
	media, faults := op.CheckMedia(c.r.Header, size)
	if media != nil && media.Reads() {
		body, no := c.readBody()
		if no.refused() {
			return no
		}
		if len(body) == 0 {
			_, faults = op.CheckMedia(c.r.Header, 0)
		} else {
			faults = media.Check(body)
		}
	}
	if len(faults) > 0 {
		return c.refuseForm(faults)
	}
	return handled
}

// refuseForm lists places and rules, and never what was sent.
func (c *call) refuseForm(faults []contract.Fault) refusal {
	c.noteFaults(faults)
	if faults[0].Code == "media_type" {
		return refusal{problem: wrongMedia, reason: "contract_media_type"}
	}
	body := append([]byte(nil), notAsDescribed.body[:len(notAsDescribed.body)-1]...)
	for i, f := range faults {
		body = append(body, [...]string{`,"errors":[`, `,`}[min(i, 1)]...)
		for k, part := range [...][2]string{{"in", f.In}, {"pointer", f.Pointer}, {"code", f.Code}} {
			body = append(body, [...]string{`{"`, `,"`}[min(k, 1)]...)
			body = append(body, part[0]+`":`...)
			body = token.AppendJSONString(body, part[1])
		}
		body = append(body, '}')
	}
	no := *notAsDescribed
	no.body = append(body, "]}"...)
	return refusal{problem: &no, reason: "contract_" + faults[0].In}
}

// noteFaults tells the log of the first places.
func (c *call) noteFaults(faults []contract.Fault) {
	const some = 3
	var list []string
	for _, f := range faults[:min(len(faults), some)] {
		list = append(list, strings.TrimSpace(f.In+" "+f.Pointer)+" "+f.Code)
	}
	c.rec.Set(slog.String("faults", strings.Join(list, "; ")))
}

// checkAnswer holds the answer of the upstream against its description.
func (c *call) checkAnswer(res *http.Response) refusal {
	k := c.op.contract
	want := k.Operation.CheckAnswer(res.StatusCode, res.Header)
	bare := c.r.Method == http.MethodHead || res.Body == nil || res.Body == http.NoBody || res.ContentLength == 0
	switch {
	case bare && (want.Fault == nil || want.Fault.In != "status"):
		return handled
	case want.Fault != nil:
		return c.refuseAnswer([]contract.Fault{*want.Fault})
	case want.Empty:
		return c.emptyAnswer(res)
	case !want.Media.Reads():
		return handled
	case res.Header["Content-Encoding"] != nil:
		return c.refuseAnswer([]contract.Fault{{In: "header", Pointer: "Content-Encoding", Code: "media_type"}})
	}
	text, err := io.ReadAll(io.LimitReader(res.Body, maxRead+1))
	switch {
	case err != nil:
		return c.failure(err)
	case len(text) > maxRead:
		res.Body = joined{io.MultiReader(bytes.NewReader(text), res.Body), res.Body}
		return c.refuseAnswer([]contract.Fault{{In: "body", Code: "size"}})
	}
	res.Body = joined{bytes.NewReader(text), res.Body}
	res.ContentLength = int64(len(text))
	if faults := want.Media.Check(text); len(faults) > 0 {
		return c.refuseAnswer(faults)
	}
	return handled
}

// joined reads from one place and closes another.
type joined struct {
	io.Reader
	io.Closer
}

// emptyAnswer takes away a body of which nothing is said.
func (c *call) emptyAnswer(res *http.Response) refusal {
	c.noteAnswer([]contract.Fault{{In: "body", Code: "body_unexpected"}})
	if c.op.contract.Answers == AnswersEnforced {
		res.Body, res.ContentLength = joined{http.NoBody, res.Body}, 0
		for _, name := range [...]string{"Content-Type", "Content-Encoding", "Trailer"} {
			delete(res.Header, name)
		}
		res.Header["Content-Length"] = []string{"0"}
		res.Trailer = nil
	}
	return handled
}

// refuseAnswer answers in place of the upstream, or only tells.
func (c *call) refuseAnswer(faults []contract.Fault) refusal {
	if c.op.contract.Answers == AnswersReported {
		c.noteAnswer(faults)
		return handled
	}
	c.noteFaults(faults)
	return refusal{problem: badAnswer, reason: "response_" + faults[0].In, event: audit.AnswerRefused}
}

// noteAnswer tells of an answer that passes all the same.
func (c *call) noteAnswer(faults []contract.Fault) {
	c.noteFaults(faults)
	c.rec.Add(audit.Event{Name: audit.AnswerReported, Reason: "response_" + faults[0].In})
}

// checkGraphQL bounds what a query makes its server do.
func (c *call) checkGraphQL(limits *contract.GraphQL) refusal {
	body, no := c.readJSON()
	if no.refused() {
		if no.problem == notYours {
			return refusal{problem: wrongMedia, reason: "contract_media_type"}
		}
		return no
	}
	if faults := limits.CheckRequest(body); len(faults) > 0 {
		return c.refuseForm(faults)
	}
	return handled
}

// contract refuses a description that no request could meet.
func (k *checker) contract(where string, o *Operation) {
	if o.Contract == nil || o.Contract.Operation == nil {
		return
	}
	for _, name := range o.Contract.Operation.NeededHeaders() {
		if dropRequest.drops(name) || hopByHop[http.CanonicalHeaderKey(name)] {
			k.addf("%s: path: the document requires the header %q, which is not passed on: take it out of the document", where, name)
		}
	}
}
