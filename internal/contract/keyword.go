package contract

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// annotations are the keywords that ask for nothing.
var annotations = []string{
	"$ref", "$schema", "$comment", "$defs", "definitions", "title", "description", "default", "example", "examples", "deprecated",
	"readOnly", "writeOnly", "xml", "externalDocs", "discriminator", "contentEncoding", "contentMediaType", "contentSchema", "nullable", "then", "else",
}

type keywordTable map[string]func(c *compiler, s *schema, parent, n *node) error

// keywords are those that ask for something. A keyword that is in neither list is
// refused: who writes one counts on what it does.
func keywords() keywordTable {
	return keywordTable{
		"type": func(c *compiler, s *schema, parent, n *node) error {
			for _, t := range append(slices.Clone(n.list), n) {
				name, ok := t.text()
				if !ok && t == n && n.kind == yaml.SequenceNode {
					continue
				}
				set, known := typeNames[name]
				if !known {
					return t.problem("type: %s is no type", show(name))
				}
				s.types |= set
			}
			if c.d.three0 && parent.get("nullable").isTrue() {
				s.types |= typeNull
			}
			return nil
		},
		"enum": func(_ *compiler, s *schema, _, n *node) error {
			if n.kind != yaml.SequenceNode || len(n.list) == 0 {
				return n.problem("enum: must be a list that is not empty")
			}
			for _, v := range n.list {
				s.enum = append(s.enum, v.value())
			}
			return nil
		},
		"const": func(_ *compiler, s *schema, _, n *node) error {
			v := n.value()
			s.constant = &v
			return nil
		},
		"minimum": func(_ *compiler, s *schema, parent, n *node) error {
			return limit(&s.low, n, parent.get("exclusiveMinimum").isTrue())
		},
		"maximum": func(_ *compiler, s *schema, parent, n *node) error {
			return limit(&s.high, n, parent.get("exclusiveMaximum").isTrue())
		},
		"exclusiveMinimum": func(_ *compiler, s *schema, _, n *node) error { return exclusive(&s.low, n, 1) },
		"exclusiveMaximum": func(_ *compiler, s *schema, _, n *node) error { return exclusive(&s.high, n, -1) },
		"multipleOf": func(_ *compiler, s *schema, _, n *node) error {
			if err := limit(&s.multiple, n, false); err != nil {
				return err
			}
			if s.multiple.rat.Sign() <= 0 {
				return n.problem("multipleOf: must be more than 0")
			}
			return nil
		},
		"minLength": func(_ *compiler, s *schema, _, n *node) error { return count(&s.minLength, n) },
		"maxLength": func(_ *compiler, s *schema, _, n *node) error { return count(&s.maxLength, n) },
		"pattern":   func(_ *compiler, s *schema, _, n *node) error { return pattern(&s.pattern, n) },
		"format": func(_ *compiler, s *schema, _, n *node) error {
			name, _ := n.text()
			s.format = formats[name] // others are annotations
			return nil
		},
		"minItems":    func(_ *compiler, s *schema, _, n *node) error { return count(&s.minItems, n) },
		"maxItems":    func(_ *compiler, s *schema, _, n *node) error { return count(&s.maxItems, n) },
		"uniqueItems": func(_ *compiler, s *schema, _, n *node) error { s.unique = n.isTrue(); return nil },
		"prefixItems": func(c *compiler, s *schema, _, n *node) (err error) {
			s.prefix, err = c.list(n, true)
			return err
		},
		"items":       func(c *compiler, s *schema, _, n *node) (err error) { s.items, err = c.value(n); return err },
		"contains":    func(c *compiler, s *schema, _, n *node) (err error) { s.contains, err = c.value(n); return err },
		"minContains": func(_ *compiler, s *schema, _, n *node) error { return count(&s.minContains, n) },
		"maxContains": func(_ *compiler, s *schema, _, n *node) error { return count(&s.maxContains, n) },

		"minProperties": func(_ *compiler, s *schema, _, n *node) error { return count(&s.minNames, n) },
		"maxProperties": func(_ *compiler, s *schema, _, n *node) error { return count(&s.maxNames, n) },
		"properties":    func(c *compiler, s *schema, _, n *node) (err error) { s.members, err = c.named(n, true); return err },
		"patternProperties": func(c *compiler, s *schema, _, n *node) error {
			for _, name := range n.order {
				p := patternMember{}
				var err error
				if p.pattern, err = regexp.Compile(name); err != nil {
					return n.fields[name].problem("patternProperties: %s is no pattern of RE2", show(name))
				}
				if p.schema, err = c.value(n.fields[name]); err != nil {
					return err
				}
				s.patterns = append(s.patterns, p)
			}
			return nil
		},
		"additionalProperties": func(c *compiler, s *schema, _, n *node) (err error) {
			s.others, err = c.value(n)
			return err
		},
		"unevaluatedProperties": func(c *compiler, s *schema, _, n *node) (err error) { s.rest, err = c.value(n); return err },
		"propertyNames":         func(c *compiler, s *schema, _, n *node) (err error) { s.names, err = c.value(n); return err },
		"required":              func(_ *compiler, s *schema, _, n *node) (err error) { s.required, err = texts(n); return err },
		"dependentRequired": func(_ *compiler, s *schema, _, n *node) error {
			s.alsoRequired = map[string][]string{}
			for _, name := range n.order {
				list, err := texts(n.fields[name])
				if err != nil {
					return err
				}
				s.alsoRequired[name] = list
			}
			return nil
		},
		"dependentSchemas": func(c *compiler, s *schema, _, n *node) (err error) { s.alsoHolds, err = c.named(n, false); return err },

		"allOf": func(c *compiler, s *schema, _, n *node) (err error) { s.allOf, err = c.list(n, false); return err },
		"anyOf": func(c *compiler, s *schema, _, n *node) (err error) { s.anyOf, err = c.list(n, false); return err },
		"oneOf": func(c *compiler, s *schema, _, n *node) (err error) { s.oneOf, err = c.list(n, false); return err },
		"not":   func(c *compiler, s *schema, _, n *node) (err error) { s.not, err = c.make(n, false); return err },
		"if": func(c *compiler, s *schema, parent, n *node) (err error) {
			if s.cond, err = c.make(n, false); err != nil {
				return err
			}
			if then := parent.get("then"); then.there() {
				if s.then, err = c.make(then, false); err != nil {
					return err
				}
			}
			if other := parent.get("else"); other.there() {
				s.other, err = c.make(other, false)
			}
			return err
		},
	}
}

func (c *compiler) keyword(s *schema, parent *node, name string) error {
	n := parent.fields[name]
	if compile := c.keywords[name]; compile != nil {
		return compile(c, s, parent, n)
	}
	if slices.Contains(annotations, name) || strings.HasPrefix(name, "x-") {
		return nil
	}
	return n.problem("the schema keyword %s is not read here, and what it asks for would not be held: remove it", show(name))
}

func (c *compiler) list(n *node, value bool) ([]*schema, error) {
	if len(n.list) == 0 {
		return nil, n.problem("must be a list of schemas that is not empty")
	}
	var list []*schema
	for _, one := range n.list {
		s, err := c.child(one, value)
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
}

func (c *compiler) named(n *node, value bool) (map[string]*schema, error) {
	if n.fields == nil {
		return nil, n.problem("must be names with schemas")
	}
	m := make(map[string]*schema, len(n.fields))
	for _, name := range n.order {
		s, err := c.child(n.fields[name], value)
		if err != nil {
			return nil, err
		}
		m[name] = s
	}
	return m, nil
}

func (c *compiler) child(n *node, value bool) (*schema, error) {
	if value {
		return c.value(n)
	}
	return c.make(n, false)
}

func count(into *int, n *node) error {
	i, err := strconv.Atoi(text(n))
	if err != nil || i < 0 {
		return n.problem("must be a whole number, 0 or more")
	}
	*into = i
	return nil
}

func pattern(into **regexp.Regexp, n *node) (err error) {
	source, ok := n.text()
	if *into, err = regexp.Compile(source); err != nil || !ok {
		return n.problem("pattern: %s is no pattern of RE2: patterns that look ahead or back can take for ever", show(source))
	}
	return nil
}

func texts(n *node) ([]string, error) {
	list := make([]string, 0, len(n.list))
	for _, item := range n.list {
		s, ok := item.text()
		if !ok {
			return nil, item.problem("must be a list of names")
		}
		list = append(list, s)
	}
	if n.kind != yaml.SequenceNode {
		return nil, n.problem("must be a list of names")
	}
	return list, nil
}
