package main

import (
	"slices"

	"sallyport/internal/gateway"
)

// apiContract is where the OpenAPI document of an API is.
type apiContract struct{}

// operationContract is what an operation does other than the document says.
type operationContract struct{}

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
