package oauth

import (
	"encoding/json"
	"strings"
)

// DetailView is one object of authorization_details in words. Its values came
// from the client: whoever shows them escapes them.
type DetailView struct {
	Text   string   // with the values filled in
	APIs   []string // names of those that it is for
	Fields []FieldView
}

// FieldView is one value of it. All of them are there: nobody agrees to what is
// not shown.
type FieldView struct {
	Label string
	Value string
}

// detailsInWords is what a person should know of details.
func (s *Service) detailsInWords(details json.RawMessage) []DetailView {
	list, perr := s.scanDetails(string(details))
	if perr != nil {
		return nil
	}
	var views []DetailView
	for _, d := range list {
		name, _ := d["type"].(string)
		t := s.detailsTypes[name]
		if t == nil { // it was refused when it came in
			views = append(views, DetailView{Text: name, Fields: []FieldView{{"authorization_details", string(appendCanonical(nil, d))}}})
			continue
		}
		views = append(views, s.detailInWords(t, d))
	}
	return views
}

func (s *Service) detailInWords(t *detailsType, d map[string]any) DetailView {
	found := map[string]any{}
	t.flatten(d, "", found)
	view := DetailView{Text: placeholder.ReplaceAllStringFunc(t.Text, func(m string) string { return inText(found[m[1:len(m)-1]]) })}
	locations, _ := texts(d["locations"])
	for _, l := range locations {
		if res := s.byAudience(l); res != nil {
			view.APIs = append(view.APIs, res.Name)
		}
	}
	for _, f := range t.Fields {
		v, there := found[f.Name]
		if !there {
			continue
		}
		label := f.Label
		if label == "" {
			label = f.Name
		}
		view.Fields = append(view.Fields, FieldView{label, inText(v)})
	}
	return view
}

// inText is a value as people write it.
func inText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case bool:
		if v {
			return "yes"
		}
		return "no"
	case json.Number:
		return v.String()
	case []any:
		parts := make([]string, len(v))
		for i, one := range v {
			parts[i] = inText(one)
		}
		return strings.Join(parts, ", ")
	}
	return ""
}
