package main

import (
	"reflect"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"sallyport/internal/oauth"
)

// fields lists the settings of a type, in the order of the struct.
func fields(t reflect.Type) []reflect.StructField {
	var list []reflect.StructField
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			for _, inner := range fields(f.Type) {
				inner.Index = append([]int{i}, inner.Index...)
				list = append(list, inner)
			}
		}
		if f.Tag.Get("yaml") != "" {
			list = append(list, f)
		}
	}
	return list
}

// isDuration reports whether a setting is written as 90s, 5m or 12h.
func isDuration(t reflect.Type) bool {
	return t == reflect.TypeFor[duration]() || t == reflect.TypeFor[oauth.Seconds]()
}

func fieldNamed(t reflect.Type, name string) (reflect.StructField, bool) {
	for _, f := range fields(t) {
		if f.Tag.Get("yaml") == name {
			return f, true
		}
	}
	return reflect.StructField{}, false
}

func fieldNames(t reflect.Type) []string {
	var list []string
	for _, f := range fields(t) {
		list = append(list, f.Tag.Get("yaml"))
	}
	return list
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

var index = regexp.MustCompile(`\[\d+\]`)

func withoutIndexes(path string) string { return index.ReplaceAllString(path, "[]") }

// envPrefix begins every variable that overrides a setting.
const envPrefix = "SALLYPORT_"

// envName is the variable that overrides the setting at path. Settings inside
// lists have none.
func envName(path string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
}

// environment overrides the single values of into.
func (r *reader) environment(env []string, into reflect.Value, path string) {
	for _, f := range fields(into.Type()) {
		v, at := into.FieldByIndex(f.Index), join(path, f.Tag.Get("yaml"))
		switch v.Kind() {
		case reflect.Struct:
			r.environment(env, v, at)
		case reflect.Slice, reflect.Map:
		default:
			if text, ok := lookup(env, envName(at)); ok {
				r.variables[at] = envName(at)
				delete(r.broken, at)
				r.set(0, text, v, f, at)
			}
		}
	}
}

// overrides lists the variables that were taken, with their values.
func (r *reader) overrides(env []string) []string {
	var list []string
	for _, name := range r.variables {
		value, _ := lookup(env, name)
		list = append(list, name+"="+value)
	}
	slices.Sort(list)
	return list
}

// strays refuses variables that are a slip away from one of ours. Others with
// the prefix are not ours to judge: Kubernetes sets SALLYPORT_PORT for a
// service of this name.
func (r *reader) strays(env []string) {
	const slip = 2 // letters
	known := variableNames(reflect.TypeFor[config](), "")
	for _, entry := range env {
		name, value, _ := strings.Cut(entry, "=")
		if value == "" || !strings.HasPrefix(name, envPrefix) || slices.Contains(known, name) {
			continue
		}
		for _, k := range known {
			if distance(name, k) <= slip {
				r.problems = append(r.problems, problem{Variable: name, Text: "unknown variable" + didYouMean(k)})
				break
			}
		}
	}
}

func variableNames(t reflect.Type, path string) []string {
	var list []string
	for _, f := range fields(t) {
		at := join(path, f.Tag.Get("yaml"))
		switch f.Type.Kind() {
		case reflect.Struct:
			list = append(list, variableNames(f.Type, at)...)
		case reflect.Slice, reflect.Map:
		default:
			list = append(list, envName(at))
		}
	}
	return list
}

// lookup returns the last value of a variable that is not empty.
func lookup(env []string, name string) (string, bool) {
	for i := len(env) - 1; i >= 0; i-- {
		if value, ok := strings.CutPrefix(env[i], name+"="); ok {
			return value, value != ""
		}
	}
	return "", false
}

func kindName(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "fields with values"
	case yaml.SequenceNode:
		return "a list"
	default:
	}
	if n.Tag == "!!null" {
		return "empty"
	}
	return "a single value"
}

func typeName(t reflect.Type) string {
	switch {
	case isDuration(t):
		return "a duration"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.Int:
		return "a number"
	}
	return "text"
}

// otherWords are what settings are called elsewhere.
var otherWords = map[string]string{"client_secret": "secret_file", "secret": "secret_file"}

// near is the nearest of the known words, if one is near enough to be a slip.
func near(word string, known []string) string {
	if other := otherWords[word]; slices.Contains(known, other) {
		return other
	}
	best, at := "", len(word)/2+1
	for _, k := range known {
		if d := distance(strings.ToLower(word), k); d < at {
			best, at = k, d
		}
	}
	return best
}

func didYouMean(word string) string {
	if word == "" {
		return ""
	}
	return ": did you mean " + word + "?"
}

// suggest completes a sentence with the nearest of the known words, or with
// all of them.
func suggest(word string, known []string) string {
	if best := near(word, known); best != "" {
		return didYouMean(best)
	}
	if len(known) == 0 {
		return ""
	}
	return ": known are " + strings.Join(known, ", ")
}

// distance counts the letters to insert, delete or replace (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
