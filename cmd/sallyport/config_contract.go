package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"sallyport/internal/contract"
	"sallyport/internal/gateway"
	"sallyport/internal/token"
)

// apiContract is what an API says of itself.
type apiContract struct {
	OpenAPI   string `yaml:"openapi" file:"policy" example:"catalog.openapi.yaml" doc:"OpenAPI document (3.0 or 3.1, YAML or JSON): its operations, their scopes and what requests and answers look like come from here. operations then says only what differs."`
	Unknown   string `yaml:"unknown_fields" enum:"pass,refuse" example:"refuse" doc:"What happens to members of bodies and parameters of the query that the document does not name. Without it, refuse in tier high, else pass."`
	Responses string `yaml:"responses" enum:"off,report,enforce" example:"report" doc:"What happens to answers that are not as the document says: report passes them on with an event, enforce sends 502 instead. Without it, enforce in tier high, else off."`

	document *contract.Document      // nil: there is none, or it could not be read
	listed   map[int]contract.Listed // operations that it describes, by their place in Operations
}

// operationContract is what an operation does other than the document says.
type operationContract struct {
	Unknown   string        `yaml:"unknown_fields" enum:"pass,refuse" example:"refuse" doc:"As of the API, for this operation."`
	Responses string        `yaml:"responses" enum:"off,report,enforce" example:"enforce" doc:"As of the API, for this operation."`
	Stream    bool          `yaml:"stream_body" example:"true" doc:"Pass bodies on as they come, as large uploads need it: only their content type is held against the document. Bodies that are read are at most 1 MiB."`
	GraphQL   graphQLConfig `yaml:"graphql" doc:"The operation takes GraphQL: how much one request may ask for."`
	Retired   bool          `yaml:"retired" example:"true" doc:"The document still has the operation, but it is not served: calls get 404."`
}

// graphQLConfig bounds GraphQL requests.
type graphQLConfig struct {
	Enabled       bool `yaml:"enabled" example:"true" doc:"Hold requests against these limits."`
	Depth         int  `yaml:"depth" default:"10" example:"10" doc:"Fields inside fields."`
	Aliases       int  `yaml:"aliases" default:"20" example:"20" doc:"Aliases in one document."`
	Fields        int  `yaml:"fields" default:"500" example:"500" doc:"Fields, with those of fragments each time they are used."`
	Batch         int  `yaml:"batch" default:"1" example:"1" doc:"Requests in one array."`
	PageSize      int  `yaml:"page_size" default:"100" example:"100" doc:"Largest first, last, limit or the like."`
	Introspection bool `yaml:"introspection" example:"false" doc:"Answer questions about the schema."`
}

// operationObjects say whose objects an operation may touch.
type operationObjects struct {
	Objects []objectConfig `yaml:"objects" doc:"Whose objects may be touched: what the call names must be what its access token says, or it is refused."`
}

// objectConfig is one rule; one of path, query, header and body is set.
type objectConfig struct {
	Path     string `yaml:"path" example:"uid" doc:"Parameter of the path template."`
	Query    string `yaml:"query" example:"owner" doc:"Parameter of the query. It may be there once."`
	Header   string `yaml:"header" example:"Account-Id" doc:"Header that names the object."`
	Body     string `yaml:"body" example:"/items/*/owner" doc:"Place in a JSON body, a JSON Pointer in which * stands for every item of an array."`
	Claim    string `yaml:"claim" need:"yes" example:"sub" doc:"What it must equal: sub, client_id, grant_id or install_id of the access token, or authorization_details.TYPE.FIELD, which is what the person agreed to and not what is theirs."`
	Node     string `yaml:"node" example:"User" doc:"The identifier is a global one as GraphQL servers make them, base64 of TYPE:ID, of this type."`
	Optional bool   `yaml:"optional" example:"true" doc:"Let calls pass that do not name it."`
}

// places are the fields of o that say where the object is named.
func (o *objectConfig) places() []string { return []string{o.Path, o.Query, o.Header, o.Body} }

func (o *operationObjects) gateway() []gateway.ObjectRule {
	list := make([]gateway.ObjectRule, 0, len(o.Objects))
	for i := range o.Objects {
		r := &o.Objects[i]
		in := slices.IndexFunc(r.places(), func(s string) bool { return s != "" })
		if in < 0 {
			continue // CF14
		}
		list = append(list, gateway.ObjectRule{
			In: gateway.ObjectPlace(in), Name: r.places()[in], Claim: r.Claim, Node: r.Node, Optional: r.Optional,
		})
	}
	return list
}

// contract is what the gateway holds the k-th operation to, nil for nothing.
func (a *apiConfig) contract(k int, op *gateway.Operation) (*gateway.Contract, error) {
	o, tier := &a.Operations[k], a.tier()
	if op.Tier != nil {
		tier = *op.Tier
	}
	g := &gateway.Contract{}
	if q := o.GraphQL; q.Enabled {
		g.GraphQL = &contract.GraphQL{
			Depth: q.Depth, Aliases: q.Aliases, Fields: q.Fields, Batch: q.Batch, PageSize: q.PageSize, Introspection: q.Introspection,
			Variables: len(op.Objects) > 0,
		}
	}
	listed, described := a.listed[k]
	if !described {
		if g.GraphQL == nil {
			return nil, nil //nolint:nilnil // nothing is held against anything
		}
		return g, nil
	}
	high := tier == token.TierHigh
	closed := cmp.Or(o.Unknown, a.Unknown, map[bool]string{true: "refuse", false: "pass"}[high]) == "refuse"
	g.Answers = map[string]gateway.AnswerCheck{
		"off": gateway.AnswersPass, "report": gateway.AnswersReported, "enforce": gateway.AnswersEnforced,
	}[cmp.Or(o.Responses, a.Responses, map[bool]string{true: "enforce", false: "off"}[high])]
	var err error
	g.Operation, err = a.document.Compile(listed, contract.CompileOptions{Closed: closed, Stream: o.Stream})
	return g, err
}

// String says the rules in words, "" for none.
func (o *operationObjects) String() string {
	var list []string
	for i := range o.Objects {
		r, need := &o.Objects[i], ""
		in := slices.IndexFunc(r.places(), func(s string) bool { return s != "" })
		if in < 0 {
			continue
		}
		if r.Optional {
			need = ", if it is there,"
		}
		list = append(list, fmt.Sprintf("%s %s%s equals %s", [...]string{"path", "query", "header", "body"}[in], r.places()[in], need, r.Claim))
	}
	return strings.Join(list, "; ")
}

// contract says what an explained call is held to, "" for nothing.
func (e *explained) contract() string {
	op := e.op.gateway()
	k := slices.IndexFunc(e.api.Operations, func(o operationConfig) bool { return o.Match == e.op.Match })
	held, err := e.api.contract(k, &op)
	if err != nil || held == nil || held.Operation == nil {
		return ""
	}
	unknown := "pass"
	if held.Operation.Closed() {
		unknown = "are refused"
	}
	answers := [...]string{"are not looked at", "are reported where they differ", "become 502 where they differ"}[held.Answers]
	return fmt.Sprintf("requests are as %s says, unknown fields %s, answers %s", e.api.OpenAPI, unknown, answers)
}
