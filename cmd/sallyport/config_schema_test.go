package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(configSchema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("sallyport.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("sallyport.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSchemaAgreesWithTheReader(t *testing.T) {
	t.Parallel()
	s := schema(t)
	for name, tc := range map[string]struct {
		old, new string
		good     bool
	}{
		"the example":                      {"", "", true},
		"self-signed":                      {"{cert_file: cert.pem, key_file: key.pem}", "{self_signed: true}", true},
		"an unknown field":                 {"listen:", "lisen:", false},
		"an unknown field in a list":       {"upstream:", "upsteam:", false},
		"a wrong word":                     {"tier: standard", "tier: medium", false},
		"a list where text belongs":        {"issuer: https://auth.example.com", "issuer: [a]", false},
		"a number where text belongs":      {"client_id: shop-app", "client_id: 12", false},
		"a duration without unit":          {"max_age: 5m", `max_age: "5"`, false},
		"a wrong truth value":              {"{cert_file: cert.pem, key_file: key.pem}", `{self_signed: "yes"}`, false},
		"egress with a field that is none": {"apis:", "egress: [{name: maps, upstream: \"https://maps.example.net\", keys: [x]}]\napis:", false},
	} {
		text := strings.Replace(goodConfig, tc.old, tc.new, 1)
		var doc any
		if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
			t.Fatal(err)
		}
		bySchema := s.Validate(doc)
		_, byReader := parseConfig("f.yaml", []byte(text), nil)
		if (bySchema == nil) != tc.good || (byReader == nil) != tc.good {
			t.Errorf("%s: schema says %v, reader says %v; want good: %t", name, bySchema, byReader, tc.good)
		}
	}
}

func TestSchemaTakesWhatInitAndDevWrite(t *testing.T) {
	t.Parallel()
	var doc any
	if err := yaml.Unmarshal(initConfig, &doc); err != nil {
		t.Fatal(err)
	}
	if err := schema(t).Validate(doc); err != nil {
		t.Error(err)
	}
	if _, err := parseConfig("sallyport.yaml", initConfig, nil); err != nil {
		t.Error(err)
	}
}

func TestConfigurationReferenceIsFresh(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"configuration.md": configReference(), "sallyport.schema.json": string(configSchema())} {
		path := filepath.Join("..", "..", "docs", "reference", name)
		if *update {
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != want {
			t.Errorf("%s is out of date: go test ./cmd/sallyport -run Reference -update", name)
		}
	}
}
