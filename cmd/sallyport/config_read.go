package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"sallyport/internal/oauth"
)

// maxConfig is the longest configuration file, in bytes.
const maxConfig = 1 << 20

// defaultConfig is the file that commands read without -c.
const defaultConfig = "sallyport.yaml"

// problem is something wrong in the configuration.
type problem struct {
	Line     int    // in the file, 0 if it stands nowhere
	Path     string // of the setting, apis[0].path; empty for the whole file
	Text     string
	Variable string // that the value came from, then it stands in no line
}

// problemsError lists everything that is wrong, so that it is mended at once.
type problemsError struct {
	file     string
	problems []problem
}

func (e *problemsError) Error() string {
	lines := make([]string, len(e.problems))
	for i, p := range e.problems {
		lines[i] = p.in(e.file)
	}
	return strings.Join(lines, "\n")
}

// in is the problem as a line that editors can jump to.
func (p problem) in(file string) string {
	if p.Variable != "" {
		return p.Variable + ": " + p.Text
	}
	s := file
	if p.Line > 0 {
		s = fmt.Sprintf("%s:%d", file, p.Line)
	}
	if p.Path != "" {
		s += ": " + p.Path
	}
	return s + ": " + p.Text
}

// readConfig reads the file at path and the environment. The configuration is
// returned with the problems, as far as it could be read; another error means
// that there was no file to read.
func readConfig(path string, env []string) (*config, error) {
	data, err := readText(path)
	if err != nil {
		return nil, err
	}
	return parseConfig(path, data, env)
}

// readText reads a configuration file of bounded size.
func readText(path string) ([]byte, error) {
	f, err := os.Open(path) //nolint:gosec // the operator names it
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s does not exist: name the configuration with -c, or write one with sallyport init", path)
	}
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	if len(data) > maxConfig {
		return nil, fmt.Errorf("read configuration: %s is larger than 1 MiB", path)
	}
	return data, nil
}

// parseConfig reads the text of the file named path, and the environment.
func parseConfig(path string, data []byte, env []string) (*config, error) {
	c := &config{path: path, lines: map[string]int{}, broken: map[string]bool{}, variables: map[string]string{}, origins: map[string]string{}, stands: map[string]string{}}
	r := &reader{lines: c.lines, broken: c.broken, variables: c.variables}
	r.defaults(reflect.ValueOf(c).Elem())
	c.unread = !r.document(data, reflect.ValueOf(c).Elem())
	r.environment(env, reflect.ValueOf(c).Elem(), "")
	c.text, c.overrides = data, r.overrides(env)
	r.strays(env)
	r.documents(c)
	r.connectors(c)
	if len(r.problems) == 0 {
		return c, nil
	}
	slices.SortStableFunc(r.problems, func(a, b problem) int { return a.Line - b.Line })
	return c, &problemsError{path, r.problems}
}

// reader fills a configuration from YAML nodes and remembers all that is wrong.
type reader struct {
	lines     map[string]int
	broken    map[string]bool
	variables map[string]string
	problems  []problem
}

// addf says what is wrong with the value at path. The rules leave it alone
// then: nothing that they could say of it would be true.
func (r *reader) addf(line int, path, format string, args ...any) {
	p := problem{Line: line, Path: path, Text: fmt.Sprintf(format, args...)}
	if name := r.variables[path]; name != "" {
		p.Line, p.Variable = 0, name
	}
	r.problems = append(r.problems, p)
	if r.broken != nil && path != "" {
		r.broken[path] = true
	}
}

// document reports whether there was something for the rules to judge.
func (r *reader) document(data []byte, into reflect.Value) bool {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		r.addf(0, "", "is empty: write one with sallyport init")
		return false
	} else if err != nil {
		line, text := 0, strings.TrimPrefix(err.Error(), "yaml: ")
		if n, _ := fmt.Sscanf(text, "line %d:", &line); n == 1 {
			_, text, _ = strings.Cut(text, ": ")
		}
		r.addf(line, "", "is not YAML: %s", text)
		return false
	}
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		r.addf(more.Line, "", "has more than one document: keep one")
	}
	r.value(doc.Content[0], into, reflect.StructField{}, "")
	return doc.Content[0].Kind == yaml.MappingNode
}

// value reads one node. Recursion ends where the type of into ends, so aliases
// cannot make it endless.
func (r *reader) value(n *yaml.Node, into reflect.Value, f reflect.StructField, path string) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	r.lines[path] = n.Line
	switch {
	case isDuration(into.Type()):
		r.scalar(n, into, f, path)
	case into.Kind() == reflect.Struct:
		r.object(n, into, path)
	case into.Kind() == reflect.Slice:
		r.list(n, into, f, path)
	case into.Kind() == reflect.Map:
		r.words(n, into, path)
	default:
		r.scalar(n, into, f, path)
	}
}

func (r *reader) object(n *yaml.Node, into reflect.Value, path string) {
	if n.Kind != yaml.MappingNode {
		r.addf(n.Line, path, "must be fields with values, it is %s", kindName(n))
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, val := n.Content[i], n.Content[i+1]
		at := join(path, key.Value)
		if first, twice := seen[key.Value]; twice {
			r.addf(key.Line, at, "is there twice, first in line %d", first)
			continue
		}
		seen[key.Value] = key.Line
		if why := notYet[withoutIndexes(at)]; why != "" {
			r.addf(key.Line, at, "%s", why)
			continue
		}
		f, ok := fieldNamed(into.Type(), key.Value)
		if !ok {
			known := fieldNames(into.Type())
			r.addf(key.Line, at, "unknown field%s", suggest(key.Value, known))
			if meant := near(key.Value, known); meant != "" {
				r.broken[join(path, meant)] = true // it is not missing, it is misspelled
			}
			continue
		}
		r.value(val, into.FieldByIndex(f.Index), f, at)
	}
}

func (r *reader) list(n *yaml.Node, into reflect.Value, f reflect.StructField, path string) {
	if n.Kind != yaml.SequenceNode {
		r.addf(n.Line, path, "must be a list, it is %s", kindName(n))
		return
	}
	list := reflect.MakeSlice(into.Type(), len(n.Content), len(n.Content))
	for i, item := range n.Content {
		r.defaults(list.Index(i))
		r.value(item, list.Index(i), f, fmt.Sprintf("%s[%d]", path, i))
	}
	into.Set(list)
}

// words reads a map from text to text.
func (r *reader) words(n *yaml.Node, into reflect.Value, path string) {
	if n.Kind != yaml.MappingNode {
		r.addf(n.Line, path, "must be names with texts, it is %s", kindName(n))
		return
	}
	m := reflect.MakeMap(into.Type())
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, text := n.Content[i], reflect.New(into.Type().Elem()).Elem()
		if m.MapIndex(reflect.ValueOf(key.Value)).IsValid() {
			r.addf(key.Line, join(path, key.Value), "is there twice")
		}
		r.value(n.Content[i+1], text, reflect.StructField{}, join(path, key.Value))
		m.SetMapIndex(reflect.ValueOf(key.Value), text)
	}
	into.Set(m)
}

func (r *reader) scalar(n *yaml.Node, into reflect.Value, f reflect.StructField, path string) {
	want := "!!str"
	switch into.Kind() {
	case reflect.Bool:
		want = "!!bool"
	case reflect.Int:
		want = "!!int"
	default:
	}
	switch {
	case n.Kind != yaml.ScalarNode:
		r.addf(n.Line, path, "must be %s, it is %s", typeName(into.Type()), kindName(n))
	case n.Tag == "!!null":
		r.addf(n.Line, path, "is empty: give it a value or remove it")
	case n.Tag != want && want == "!!str" && into.Kind() == reflect.String:
		r.addf(n.Line, path, "must be text, %s is not: write it in quotes", n.Value)
	default:
		r.set(n.Line, n.Value, into, f, path)
	}
}

// set writes one scalar; the environment comes here too.
func (r *reader) set(line int, text string, into reflect.Value, f reflect.StructField, path string) {
	switch {
	case isDuration(into.Type()):
		d, err := time.ParseDuration(text)
		if err != nil || d < 0 {
			r.addf(line, path, "%q is not a duration: write for example 90s, 5m or 12h", text)
			return
		}
		if into.Type() == reflect.TypeFor[oauth.Seconds]() {
			d /= time.Second
		}
		into.SetInt(int64(d))
	case into.Kind() == reflect.Bool:
		if text != "true" && text != "false" {
			r.addf(line, path, "must be true or false, it is %q", text)
			return
		}
		into.SetBool(text == "true")
	case into.Kind() == reflect.Int:
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			r.addf(line, path, "%q is not a number", text)
			return
		}
		into.SetInt(int64(n))
	default:
		if enum := f.Tag.Get("enum"); enum != "" && !slices.Contains(strings.Split(enum, ","), text) {
			words := strings.Split(enum, ",")
			r.addf(line, path, "%q is not one of %s%s", text, strings.Join(words, ", "), didYouMean(near(text, words)))
			return
		}
		into.SetString(text)
	}
}

// defaults sets what the default tags say.
func (r *reader) defaults(v reflect.Value) {
	if v.Kind() != reflect.Struct {
		return
	}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		switch d := f.Tag.Get("default"); {
		case f.Type.Kind() == reflect.Struct && (f.IsExported() || f.Anonymous):
			r.defaults(v.Field(i))
		case d != "":
			r.set(0, d, v.Field(i), f, "")
		}
	}
}
