package rig

// What the demo's app may ask for, and where its catalog can be read.
const (
	ReadScope  = "openid profile catalog.read"
	WriteScope = ReadScope + " catalog.write"
)

// Item is the address of an item of the catalog.
func (a API) Item(id string) string { return a.URL + "/items/" + id }
