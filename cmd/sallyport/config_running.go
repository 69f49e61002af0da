package main

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"reflect"
	"strings"
	"time"

	"sallyport/internal/web"
)

// runningConfig is how the server is run: what it does when its configuration
// changes, and when it is to end.
type runningConfig struct {
	Reload reloadConfig `yaml:"reload" doc:"What happens when this file changes, or one that it names."`
	Drain  drainConfig  `yaml:"drain" doc:"How the server ends."`
	Log    logConfig    `yaml:"log" doc:"What is written to the log: docs/reference/log.md."`
	Traces tracesConfig `yaml:"traces" doc:"Which requests are followed, and who is told (OpenTelemetry). Without otlp_endpoint none is."`
}

type reloadConfig struct {
	Watch  bool     `yaml:"watch" default:"true" example:"true" doc:"Look for changes of this file and of the files that it names, and take them. Without it, SIGHUP says when."`
	Settle duration `yaml:"settle" default:"2s" example:"2s" doc:"How long files must have stayed as they are before a change is taken: 1s to 1m. Who writes them in place may pause."`
}

type drainConfig struct {
	Delay duration `yaml:"delay" default:"0s" example:"10s" doc:"How long /readyz says that the server is stopping before it stops listening, so that a load balancer sends no more: up to 2m."`
	Limit duration `yaml:"limit" default:"10s" example:"30s" doc:"How long calls that are under way may go on then: 1s to 10m."`
}

type logConfig struct {
	Access string `yaml:"access" default:"all" enum:"all,sampled,refused" example:"sampled" doc:"Which requests have a line: all, one of so many, or those only that have one in any case: what was refused or has failed, what has a security event, and calls of tier high."`
	OneOf  int    `yaml:"one_of" default:"100" example:"100" doc:"With access sampled, how many requests one line stands for: 2 to 100000."`
	Level  string `yaml:"level" default:"info" enum:"info,debug" example:"debug" doc:"debug writes a little more, of connections. It holds no credentials either."`
}

// access is valid after the configuration has been read.
func (l *logConfig) access() web.Access {
	switch l.Access {
	case "sampled":
		return web.AccessOneOf(l.OneOf)
	case "refused":
		return web.AccessRefused
	}
	return web.AccessAll
}

func (l *logConfig) level() slog.Level {
	if l.Level == "debug" {
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

func checkRunning(j *judge) {
	for _, l := range []struct {
		path        string
		value       duration
		least, most time.Duration
	}{
		{"reload.settle", j.c.Reload.Settle, time.Second, time.Minute},
		{"drain.delay", j.c.Drain.Delay, 0, 2 * time.Minute},
		{"drain.limit", j.c.Drain.Limit, time.Second, 10 * time.Minute},
	} {
		if d := l.value.std(); d < l.least || d > l.most {
			j.failf(l.path, "%s is not between %s and %s", d, l.least, l.most)
		}
	}
	if n := j.c.Log.OneOf; n < 2 || n > 100_000 {
		j.failf("log.one_of", "%d is not between 2 and 100000", n)
	}
}

// namedFile is a file that a setting names.
type namedFile struct {
	setting string // apis[0].jwks_file
	name    string // as it is to be opened
	policy  bool   // what it says decides about calls; it holds no secret
}

// files lists the files that the configuration names: the settings whose names
// end in _file, and those with the tag file. file:"policy" is for what the
// version of the policy covers. Secrets are not in it: whoever sees the version
// could try guesses.
func (c *config) files() []namedFile {
	var list []namedFile
	c.filesIn(reflect.ValueOf(c).Elem(), "", &list)
	return append(list, c.contractFiles()...)
}

func (c *config) filesIn(v reflect.Value, path string, list *[]namedFile) {
	if v.Kind() != reflect.Struct {
		return
	}
	for _, f := range fields(v.Type()) {
		name, tag := f.Tag.Get("yaml"), f.Tag.Get("file")
		at, value := join(path, name), v.FieldByIndex(f.Index)
		isFile := tag != "" || strings.HasSuffix(name, "_file")
		add := func(at, file string) {
			if isFile && file != "" {
				*list = append(*list, namedFile{at, c.file(file), tag == "policy"})
			}
		}
		switch value.Kind() {
		case reflect.Struct:
			c.filesIn(value, at, list)
		case reflect.String:
			add(at, value.String())
		case reflect.Slice:
			for i := range value.Len() {
				item, at := value.Index(i), fmt.Sprintf("%s[%d]", at, i)
				if item.Kind() == reflect.String {
					add(at, item.String())
				}
				c.filesIn(item, at, list)
			}
		default:
		}
	}
}

// maxHashed is how much of a file the version covers, in bytes. Larger ones are
// tables, of which the size counts too.
const maxHashed = 16 << 20

// version names the policy in logs: the same text, variables and files of policy
// have the same one on every node. Twelve hexadecimal digits.
func (c *config) version() (string, error) {
	h := sha256.New()
	part := func(b []byte) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(b)))
		h.Write(n[:])
		h.Write(b)
	}
	part(c.text)
	for _, v := range c.overrides {
		part([]byte(v))
	}
	for _, f := range c.files() {
		if !f.policy {
			continue
		}
		sum, err := digestOf(f.name)
		if err != nil {
			return "", fmt.Errorf("%s: %w", f.setting, err)
		}
		part([]byte(f.setting))
		part(sum)
	}
	return hex.EncodeToString(h.Sum(nil)[:6]), nil
}

func digestOf(name string) (sum []byte, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	h := sha256.New()
	if _, err := io.Copy(h, io.LimitReader(f, maxHashed)); err != nil {
		return nil, err
	}
	return binary.BigEndian.AppendUint64(h.Sum(nil), uint64(info.Size())), nil
}
