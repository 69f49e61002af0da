package main

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// configSchema is the JSON Schema of the configuration file, made from the
// struct. It says what editors can check; the rules are in validate.go.
func configSchema() []byte {
	s := objectSchema(reflect.TypeFor[config]())
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["title"] = "Configuration of Sallyport"
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		panic(err) // maps of strings always encode
	}
	return append(b, '\n')
}

func objectSchema(t reflect.Type) map[string]any {
	properties, required := map[string]any{}, []string{}
	for _, f := range fields(t) {
		properties[f.Tag.Get("yaml")] = fieldSchema(f)
		if f.Tag.Get("need") != "" {
			required = append(required, f.Tag.Get("yaml"))
		}
	}
	s := map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}

func fieldSchema(f reflect.StructField) map[string]any {
	s := typeSchema(f.Type, f)
	s["description"] = f.Tag.Get("doc")
	if d := f.Tag.Get("default"); d != "" {
		s["default"] = d
		if n, err := strconv.Atoi(d); err == nil && f.Type.Kind() == reflect.Int {
			s["default"] = n
		}
	}
	return s
}

func typeSchema(t reflect.Type, f reflect.StructField) map[string]any {
	switch {
	case isDuration(t):
		return map[string]any{"type": "string", "pattern": `^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$`}
	case t.Kind() == reflect.Bool:
		return map[string]any{"type": "boolean"}
	case t.Kind() == reflect.Int:
		return map[string]any{"type": "integer", "minimum": 0}
	case t.Kind() == reflect.Struct:
		return objectSchema(t)
	case t.Kind() == reflect.Slice:
		return map[string]any{"type": "array", "items": typeSchema(t.Elem(), f)}
	case t.Kind() == reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": map[string]any{"type": "string"}}
	}
	s := map[string]any{"type": "string"}
	if f.Tag.Get("need") != "" {
		s["minLength"] = 1
	}
	if enum := f.Tag.Get("enum"); enum != "" {
		s["enum"] = strings.Split(enum, ",")
	}
	return s
}

// configReference is the page docs/reference/configuration.md.
func configReference() string {
	var b strings.Builder
	b.WriteString(`# Configuration

Generated from ` + "`cmd/sallyport/config.go`" + `. One YAML file, ` + "`sallyport.yaml`" + ` unless ` + "`-c`" + ` names another. An unknown field is an error.
Relative file names start at the folder of the configuration file. Single values can be overridden by the variable in the last
column; an empty variable counts as unset, and one that is a slip away from a known name is an error. ` + "`sallyport check`" + ` judges the file, [sallyport.schema.json](sallyport.schema.json) describes it to editors.
`)
	section(&b, "At the top", reflect.TypeFor[config](), "", true)
	b.WriteString("\n## Rules\n\n`sallyport check` prints each rule with `pass`, `warn` or `fail`. `sallyport serve` refuses to start while one fails. `warn` is\n" +
		"for a person to judge: check ends with 0 and serve starts. If the file cannot be read at all, CF00 says why and the others are not judged.\n" +
		"The last two look into the store; while it cannot be opened they are not judged.\n\n" +
		"| Rule | What | How to fix |\n|---|---|---|\n")
	for _, r := range slices.Concat([]rule{readable}, rules, storeRules) {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", r.ID, cell(r.What), cell(r.Fix))
	}
	b.WriteString("\n## Not yet\n\nThese are refused, and not ignored: who writes one counts on what it does.\n\n| Setting | |\n|---|---|\n")
	for _, path := range sortedKeys(notYet) {
		fmt.Fprintf(&b, "| `%s` | %s |\n", path, cell(notYet[path]))
	}
	return b.String()
}

// section writes the table of one struct and then those of the structs in it.
func section(b *strings.Builder, title string, t reflect.Type, path string, env bool) {
	fmt.Fprintf(b, "\n## %s\n\n| Setting | | Default | Example | Variable |\n|---|---|---|---|---|\n", title)
	for _, f := range fields(t) {
		variable, byDefault := "", f.Tag.Get("default")
		if single := f.Type.Kind() == reflect.String || f.Type.Kind() == reflect.Bool || f.Type.Kind() == reflect.Int || isDuration(f.Type); env && single {
			variable = "`" + envName(join(path, f.Tag.Get("yaml"))) + "`"
		}
		if byDefault != "" {
			byDefault = "`" + byDefault + "`"
		} else if f.Tag.Get("need") != "" {
			byDefault = "*needed*"
		}
		example := f.Tag.Get("example")
		if example != "" {
			example = "`" + example + "`"
		}
		doc := f.Tag.Get("doc")
		if enum := f.Tag.Get("enum"); enum != "" {
			doc += " One of `" + strings.ReplaceAll(enum, ",", "`, `") + "`."
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s | %s |\n", f.Tag.Get("yaml"), cell(doc), byDefault, cell(example), variable)
	}
	for _, f := range fields(t) {
		at, inner, inList := join(path, f.Tag.Get("yaml")), f.Type, false
		if inner.Kind() == reflect.Slice {
			inner, inList = inner.Elem(), true
			at += "[]"
		}
		if inner.Kind() == reflect.Struct {
			section(b, "`"+at+"`", inner, at, env && !inList)
		}
	}
}

func cell(s string) string { return strings.ReplaceAll(s, "|", "\\|") }
