package oauth

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// DetailsType is a type of authorization_details (RFC 9396 §2) that this
// deployment knows: for which APIs it is, what an object of it has, and what it
// means in words. Everything that is not declared is refused.
type DetailsType struct {
	Type   string         `yaml:"type" need:"yes" example:"payment" doc:"Name of the type. Clients ask for it once they are registered for it."`
	APIs   []string       `yaml:"apis" need:"yes" example:"[pay]" doc:"Names of the APIs that understand it. A request may choose among them by locations."`
	Text   string         `yaml:"text" need:"yes" example:"Pay {amount} {currency} to {creditor}" doc:"What it means, in words for the page that asks people to agree. A required field in braces stands for its value; all fields are listed below it anyway."`
	Fields []DetailsField `yaml:"fields" doc:"What an object of the type has beside type and locations. Nothing else is accepted."`
}

// DetailsField is one value in an object of a DetailsType.
type DetailsField struct {
	Name     string   `yaml:"name" need:"yes" example:"amount.value" doc:"Name of the member. Dots lead into objects: amount.value is value in the object amount."`
	Label    string   `yaml:"label" example:"Amount" doc:"What people are shown for it. Without it, the name."`
	Kind     string   `yaml:"kind" default:"string" enum:"string,integer,boolean,strings" example:"string" doc:"string, integer (0 and up), boolean, or strings, a list of them."`
	Required bool     `yaml:"required" example:"true" doc:"An object without it is refused."`
	Enum     []string `yaml:"enum" example:"[EUR, USD]" doc:"The only texts that it may have."`
	Pattern  string   `yaml:"pattern" example:"[0-9]{1,9}[.][0-9]{2}" doc:"Regular expression that the whole of each text must match."`
	Max      int      `yaml:"max" example:"140" doc:"Longest text in characters, or largest integer. Without it 256 characters, and 9007199254740991."`
}

const (
	maxDetailsText   = 256
	maxDetailsItems  = 20
	maxDetailsNumber = 1<<53 - 1 // what every reader of JSON reads exactly
	maxDetailsDepth  = 4
)

// detailsType is a DetailsType, compiled.
type detailsType struct {
	DetailsType
	audiences []string
	patterns  []*regexp.Regexp // by field
}

var (
	detailsName  = regexp.MustCompile(`^[A-Za-z0-9_:/.-]{1,128}$`)
	detailsField = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	placeholder  = regexp.MustCompile(`\{([^{}]*)\}`)
)

// Problem returns the first setting of the type that cannot be kept, and why.
func (t *DetailsType) Problem() (setting, why string) {
	if !detailsName.MatchString(t.Type) {
		return "type", "is empty, longer than 128 characters or has others than letters, digits and . _ : / -"
	}
	if len(t.APIs) == 0 {
		return "apis", "is empty: who would understand it?"
	}
	required := []string{}
	for i := range t.Fields {
		f := &t.Fields[i]
		at := fmt.Sprintf("fields[%d].", i)
		if setting, why := f.problem(); why != "" {
			return at + setting, why
		}
		for _, other := range t.Fields[:i] {
			if other.Name == f.Name || strings.HasPrefix(other.Name, f.Name+".") || strings.HasPrefix(f.Name, other.Name+".") {
				return at + "name", fmt.Sprintf("is a value and cannot be there twice, nor hold %s", other.Name)
			}
		}
		if f.Required {
			required = append(required, f.Name)
		}
	}
	for _, m := range placeholder.FindAllStringSubmatch(t.Text, -1) {
		if !slices.Contains(required, m[1]) {
			return "text", fmt.Sprintf("names {%s}, which is no required field", m[1])
		}
	}
	if t.Text == "" || len(t.Text) > maxDetailsText {
		return "text", "is empty or longer than 256 bytes"
	}
	return "", ""
}

func (f *DetailsField) problem() (setting, why string) {
	parts := strings.Split(f.Name, ".")
	switch {
	case len(parts) > maxDetailsDepth:
		return "name", "leads deeper than four levels"
	case slices.ContainsFunc(parts, func(p string) bool { return !detailsField.MatchString(p) }):
		return "name", "is not made of letters, digits, _ and -, with single dots between"
	case parts[0] == "type", parts[0] == "locations":
		return "name", "is there in every type: leave it out"
	case f.Kind != "" && !slices.Contains([]string{"string", "integer", "boolean", "strings"}, f.Kind):
		return "kind", fmt.Sprintf("%q is not one of string, integer, boolean, strings", f.Kind)
	case (f.Pattern != "" || len(f.Enum) > 0) && (f.Kind == "integer" || f.Kind == "boolean"):
		return "kind", "is no text, so it has neither pattern nor enum"
	case f.Max < 0 || f.Max > maxDetailsText && f.Kind != "integer" || f.Max > maxDetailsNumber:
		return "max", "is below 0, or above 256 characters or 9007199254740991"
	}
	if _, err := regexp.Compile(f.Pattern); err != nil {
		return "pattern", "is no regular expression: " + err.Error()
	}
	return "", ""
}

// compileDetails makes the types ready. Their names are unique and their APIs known.
func (s *Service) compileDetails(types []DetailsType) error {
	s.detailsTypes = map[string]*detailsType{}
	for i := range types {
		t := &detailsType{DetailsType: types[i]}
		if setting, why := t.Problem(); why != "" {
			return fmt.Errorf("oauth: authorization_details type %q: %s %s", t.Type, setting, why)
		}
		if s.detailsTypes[t.Type] != nil {
			return fmt.Errorf("oauth: authorization_details type %q is there twice", t.Type)
		}
		for _, name := range t.APIs {
			j := slices.IndexFunc(s.resources, func(r Resource) bool { return r.Name == name })
			if j < 0 {
				return fmt.Errorf("oauth: authorization_details type %q: no API is called %q", t.Type, name)
			}
			t.audiences = append(t.audiences, s.resources[j].Audience)
		}
		for _, f := range t.Fields {
			t.patterns = append(t.patterns, regexp.MustCompile(`^(?:`+f.Pattern+`)$`))
		}
		s.detailsTypes[t.Type] = t
	}
	return nil
}

// check says why d is no object of the type, or nothing. It quotes nothing of d.
func (t *detailsType) check(d map[string]any) string {
	locations, ok := texts(d["locations"])
	if !ok || len(locations) == 0 || slices.ContainsFunc(locations, func(l string) bool { return !slices.Contains(t.audiences, l) }) {
		return t.Type + ": locations must be a list of APIs of this type"
	}
	found := map[string]any{}
	if !t.flatten(d, "", found) {
		return t.Type + ": there is a field that the type does not have"
	}
	for i := range t.Fields {
		f := &t.Fields[i]
		v, there := found[f.Name]
		if !there && f.Required {
			return t.Type + ": " + f.Name + " is missing"
		}
		if there && !f.fits(v, t.patterns[i]) {
			return t.Type + ": " + f.Name + " has a value that does not fit"
		}
	}
	return ""
}

// flatten collects the values by their dotted names. It is false for a name that
// is neither a field nor leads to one.
func (t *detailsType) flatten(d map[string]any, prefix string, into map[string]any) bool {
	for name, v := range d {
		full := prefix + name
		if prefix == "" && (name == "type" || name == "locations") {
			continue
		}
		if strings.Contains(name, ".") {
			return false
		}
		switch {
		case slices.ContainsFunc(t.Fields, func(f DetailsField) bool { return f.Name == full }):
			into[full] = v
		case slices.ContainsFunc(t.Fields, func(f DetailsField) bool { return strings.HasPrefix(f.Name, full+".") }):
			inner, ok := v.(map[string]any)
			if !ok || !t.flatten(inner, full+".", into) {
				return false
			}
		default:
			return false
		}
	}
	return true
}

func (f *DetailsField) fits(v any, pattern *regexp.Regexp) bool {
	switch f.Kind {
	case "boolean":
		_, ok := v.(bool)
		return ok
	case "integer":
		n, ok := v.(json.Number)
		i, err := n.Int64()
		most := int64(f.Max)
		if most == 0 {
			most = maxDetailsNumber
		}
		return ok && err == nil && i >= 0 && i <= most && n.String() == fmt.Sprint(i) // one way to write it
	case "strings":
		list, ok := texts(v)
		return ok && len(list) > 0 && len(list) <= maxDetailsItems && !slices.ContainsFunc(list, func(s string) bool { return !f.fitsText(s, pattern) })
	}
	s, ok := v.(string)
	return ok && f.fitsText(s, pattern)
}

func (f *DetailsField) fitsText(s string, pattern *regexp.Regexp) bool {
	most := f.Max
	if most == 0 {
		most = maxDetailsText
	}
	switch {
	case s == "" && f.Required, utf8.RuneCountInString(s) > most, len(f.Enum) > 0 && !slices.Contains(f.Enum, s):
		return false
	case strings.ContainsFunc(s, unseen), s != strings.Join(strings.Fields(s), " "):
		return false // people could not see what they agree to
	}
	return f.Pattern == "" || pattern.MatchString(s)
}

// texts is v as a list of texts, if it is one.
func texts(v any) ([]string, bool) {
	list, ok := v.([]any)
	if !ok {
		return nil, false
	}
	out := make([]string, len(list))
	for i, one := range list {
		if out[i], ok = one.(string); !ok {
			return nil, false
		}
	}
	return out, true
}
