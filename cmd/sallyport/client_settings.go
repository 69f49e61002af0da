package main

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sallyport/internal/oauth"
)

// settings are those of the client, with the keys of its file.
func (c *clientConfig) settings(base *config) (oauth.Settings, error) {
	s := c.Settings
	if c.JWKSFile == "" {
		return s, nil
	}
	var err error
	s.JWKS, err = readKeys(base.file(c.JWKSFile))
	return s, err
}

// settingsProblem judges the settings of a client, from wherever it came, and
// names them as the configuration file does.
func (base *config) settingsProblem(c oauth.Client) problem {
	r := &c.Settings
	if setting, why := c.Problem(); setting != "" {
		if setting == "jwks" {
			setting = "jwks_file"
		}
		return problem{Path: setting, Text: why}
	}
	if setting, why := base.fits(c); setting != "" {
		return problem{Path: setting, Text: why}
	}
	if why := keysAddressProblem(r.JWKSURI); r.JWKSURI != "" && why != "" {
		return problem{Path: "jwks_uri", Text: why}
	}
	if r.JWKSURI != "" && !base.unclear("issuer") {
		if why := unaskedProblem(base.clientDoor(), r.JWKSURI, ""); why != "" {
			return problem{Path: "jwks_uri", Text: why}
		}
	}
	return problem{}
}

func checkClientSettings(j *judge) {
	for i := range j.c.Clients {
		at, c := fmt.Sprintf("clients[%d]", i), j.c.Clients[i].client()
		var err error
		if c.Settings, err = j.c.Clients[i].settings(j.c); err != nil {
			j.failf(at+".jwks_file", "%v", err)
			continue
		}
		if p := j.c.settingsProblem(c); p.Text != "" {
			j.failf(at+"."+p.Path, "%s", p.Text)
		}
	}
}

// settingFlags gives client add a flag for each setting, by the setting's name
// with dashes and with what the reference says of it. They write into c.
func settingFlags(cmd *cobra.Command, c *clientConfig) {
	cmd.Flags().StringVar(&c.JWKSFile, "jwks-file", "", "`FILE` with the public keys of the client, a JWK Set")
	flagsOf(cmd, reflect.ValueOf(&c.Settings).Elem(), "")
}

func flagsOf(cmd *cobra.Command, v reflect.Value, path string) {
	for _, f := range fields(v.Type()) {
		name, value := join(path, f.Tag.Get("yaml")), v.FieldByIndex(f.Index)
		if value.Kind() == reflect.Struct {
			flagsOf(cmd, value, name)
			continue
		}
		flag := strings.NewReplacer("_", "-", ".", "-").Replace(name)
		doc := strings.ReplaceAll(f.Tag.Get("doc"), "`", "")
		switch into := value.Addr().Interface().(type) {
		case *[]string:
			cmd.Flags().StringArrayVar(into, flag, nil, doc+" May be repeated.")
		case *bool:
			cmd.Flags().BoolVar(into, flag, false, doc)
		default:
			cmd.Flags().Var(&settingFlag{value, f, name}, flag, doc)
		}
	}
}

// settingFlag reads a flag as the configuration file would be read.
type settingFlag struct {
	into reflect.Value
	f    reflect.StructField
	name string
}

func (s *settingFlag) String() string {
	if !s.into.IsValid() || s.into.IsZero() {
		return ""
	}
	return fmt.Sprint(s.into.Interface())
}

func (s *settingFlag) Type() string { return typeName(s.into.Type()) }

func (s *settingFlag) Set(text string) error {
	r := &reader{}
	r.set(0, text, s.into, s.f, s.name)
	if len(r.problems) > 0 {
		return fmt.Errorf("%s", r.problems[0].Text)
	}
	return nil
}

// settingsText is s on one line, without keys.
func settingsText(s oauth.Settings) string {
	return strings.Join(settingsOf(reflect.ValueOf(s), ""), " ")
}

func settingsOf(v reflect.Value, path string) []string {
	var list []string
	for _, f := range fields(v.Type()) {
		name, value := join(path, f.Tag.Get("yaml")), v.FieldByIndex(f.Index)
		switch {
		case value.IsZero():
		case value.Kind() == reflect.Struct:
			list = append(list, settingsOf(value, name)...)
		case value.Kind() == reflect.Slice:
			list = append(list, name+"="+strings.Join(value.Interface().([]string), ","))
		case isDuration(value.Type()):
			list = append(list, name+"="+(time.Duration(value.Int())*time.Second).String())
		default:
			list = append(list, fmt.Sprintf("%s=%v", name, value.Interface()))
		}
	}
	return list
}
