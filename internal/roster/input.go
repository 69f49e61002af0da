package roster

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// maxEntry bounds one entry of a list.
const maxEntry = 1 << 20

var errEntryTooLong = errors.New("has more than a megabyte")

// input reads a list and knows in which line it is.
type input struct {
	from *bufio.Reader
	at   int64   // bytes that were read
	done int64   // bytes of entries that are complete
	ends []int64 // where lines end, behind done
	line int     // of done
}

func newInput(r io.Reader) *input { return &input{from: bufio.NewReaderSize(r, 64<<10), line: 1} }

// first is the first byte that is no white space, which is left unread.
func (in *input) first() (byte, error) {
	for n := 1; n <= 4096; n++ {
		b, err := in.from.Peek(n)
		if err != nil {
			return 0, fmt.Errorf("%w: it is empty", ErrFormat)
		}
		if c := b[n-1]; c != ' ' && c != '\n' && c != '\r' && c != '\t' {
			return c, nil
		}
	}
	return 0, ErrFormat
}

// Read implements io.Reader for the decoder of values.
func (in *input) Read(p []byte) (int, error) {
	if in.at-in.done > 2*maxEntry {
		return 0, errEntryTooLong
	}
	n, err := in.from.Read(p)
	for i, c := range p[:n] {
		if c == '\n' {
			in.ends = append(in.ends, in.at+int64(i))
		}
	}
	in.at += int64(n)
	return n, err
}

// reach says that everything before offset is done, and returns the line of it.
func (in *input) reach(offset int64) int {
	for len(in.ends) > 0 && in.ends[0] < offset {
		in.ends = in.ends[1:]
		in.line++
	}
	in.done = offset
	return in.line
}

type entryParser func(json.RawMessage) (Person, error)

func deliver(line int, raw json.RawMessage, parse entryParser, each func(Person, error) error) error {
	p, err := parse(raw)
	if err != nil {
		return each(Person{Line: line}, &EntryError{line, err})
	}
	p.Line = line
	return each(p, nil)
}

// lines reads JSON Lines: one entry each, empty lines between them.
func (in *input) lines(each func(Person, error) error, parse entryParser) error {
	scanner := bufio.NewScanner(in.from)
	scanner.Buffer(nil, maxEntry)
	for n := 1; scanner.Scan(); n++ {
		line := bytes.TrimSpace(scanner.Bytes())
		if len(line) == 0 {
			continue
		}
		if err := deliver(n, line, parse, each); err != nil {
			return err
		}
		in.line = n + 1
	}
	if errors.Is(scanner.Err(), bufio.ErrTooLong) {
		return &EntryError{in.line, errEntryTooLong}
	}
	return scanner.Err()
}

// values reads an array of entries, or an object that has one under name.
func (in *input) values(name string, each func(Person, error) error, parse entryParser) error {
	dec := json.NewDecoder(in)
	found, err := in.findArray(dec, name)
	if err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("%w: it has no %q", ErrFormat, name)
	}
	for dec.More() {
		var raw json.RawMessage
		// More has skipped the white space, up to the entry or the comma before it.
		line := in.reach(dec.InputOffset())
		if err := dec.Decode(&raw); err != nil {
			return in.broken(dec, err)
		}
		// What Decode has taken ends with the entry, so it begins that much before.
		line = max(line, in.lineAt(dec.InputOffset()-int64(len(raw))))
		if err := deliver(line, raw, parse, each); err != nil {
			return err
		}
	}
	return nil
}

// lineAt is the line of an offset behind done.
func (in *input) lineAt(offset int64) int {
	n := in.line
	for _, end := range in.ends {
		if end < offset {
			n++
		}
	}
	return n
}

// findArray goes into the array, over what is beside it.
func (in *input) findArray(dec *json.Decoder, name string) (bool, error) {
	t, err := dec.Token()
	if err != nil {
		return false, in.broken(dec, err)
	}
	if t == json.Delim('[') {
		return true, nil
	}
	if t != json.Delim('{') || name == "" {
		return false, ErrFormat
	}
	for dec.More() {
		in.reach(dec.InputOffset())
		key, err := dec.Token()
		if err != nil {
			return false, in.broken(dec, err)
		}
		if key != name {
			if err := in.skip(dec); err != nil {
				return false, err
			}
			continue
		}
		t, err := dec.Token()
		return t == json.Delim('['), err
	}
	return false, nil
}

// skip goes over one value by its tokens, so that a large one takes no memory.
func (in *input) skip(dec *json.Decoder) error {
	depth := 0
	for {
		t, err := dec.Token()
		if err != nil {
			return in.broken(dec, err)
		}
		in.reach(dec.InputOffset())
		switch t {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return nil
		}
	}
}

func (in *input) broken(dec *json.Decoder, err error) error {
	return fmt.Errorf("%w: %w", ErrFormat, &EntryError{in.lineAt(dec.InputOffset()), err})
}

// csv reads rows without a header.
func (in *input) csv(each func(Person, error) error, parse func([]string) (Person, error)) error {
	rows := csv.NewReader(in)
	rows.FieldsPerRecord, rows.ReuseRecord = -1, true
	for {
		row, err := rows.Read()
		if err == io.EOF { //nolint:errorlint // csv returns it bare
			return nil
		}
		if err != nil {
			return fmt.Errorf("%w: %w", ErrFormat, err)
		}
		line, _ := rows.FieldPos(0)
		in.reach(rows.InputOffset())
		p, err := parse(row)
		p.Line = line
		if err != nil {
			p, err = Person{Line: line}, &EntryError{line, err}
		}
		if err := each(p, err); err != nil {
			return err
		}
	}
}
