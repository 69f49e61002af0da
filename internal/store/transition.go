package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// transition is the body of one transaction. It must not keep t, and may be
// run again from the start.
type transition func(ctx context.Context, t *tx) error

// tx is a transaction as a transition sees it.
type tx struct {
	queryer
	// forShare is appended to a SELECT whose rows must stay as they are until
	// the commit, forUpdate to one whose rows one transaction has at a time. SQLite
	// has one writer, so there they are empty.
	forShare, forUpdate string

	fed bool // the feed has grown
}

// queryer runs statements in the dialect that both engines share.
type queryer interface {
	exec(ctx context.Context, q string, args ...any) (rows int64, err error)
	// each calls f for every row; scan is only valid during the call.
	each(ctx context.Context, f func(scan func(...any) error) error, q string, args ...any) error
}

// row reads one row into dest, or returns sql.ErrNoRows.
func row(ctx context.Context, q queryer, dest []any, query string, args ...any) error {
	found := false
	err := q.each(ctx, func(scan func(...any) error) error {
		found = true
		return scan(dest...)
	}, query, args...)
	if err == nil && !found {
		return sql.ErrNoRows
	}
	return err
}

func (s *Store) write(ctx context.Context, doing string, f transition) error {
	if err := s.engine.write(ctx, f); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

// one reads one row outside of a transaction; none is the error for no row.
func (s *Store) one(ctx context.Context, doing string, none error, dest []any, query string, args ...any) error {
	err := s.engine.read(ctx, func(ctx context.Context, q queryer) error { return row(ctx, q, dest, query, args...) })
	if errors.Is(err, sql.ErrNoRows) {
		err = none
	}
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

// changed runs a write that must hit at least one row; none is the error for
// no row.
func changed(ctx context.Context, t *tx, none error, q string, args ...any) error {
	n, err := t.exec(ctx, q, args...)
	if err == nil && n == 0 {
		return none
	}
	return err
}

func (t *tx) all(ctx context.Context, statements []string, args ...any) error {
	for _, q := range statements {
		if _, err := t.exec(ctx, q, args...); err != nil {
			return err
		}
	}
	return nil
}

func seconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

func at(s int64) time.Time {
	if s == 0 {
		return time.Time{}
	}
	return time.Unix(s, 0).UTC()
}

func number(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// storable reports whether s can be a stored text at all. PostgreSQL refuses
// the rest with an error; here nothing of that form exists, so looking for it
// must find nothing rather than fail.
func storable(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

func listText(list []string) (string, error) {
	if len(list) == 0 {
		return "[]", nil
	}
	b, err := json.Marshal(list)
	return string(b), err
}

func parseList(text string) ([]string, error) {
	var list []string
	if text == "[]" {
		return nil, nil
	}
	err := json.Unmarshal([]byte(text), &list)
	return list, err
}
