package main

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"os"

	_ "modernc.org/sqlite" // the driver that the product uses

	"sallyport/internal/secret"
)

// durable moves a grant from a generation to the next; what it has written
// survives a crash once it returns.
type durable interface {
	rotate(grant secret.ID, from uint32) error
}

type rotation struct {
	grant secret.ID
	from  uint32
	done  chan error
}

// group lets one goroutine write for all that wait.
type group chan rotation

func newGroup(write func([]rotation) error) group {
	g := make(group, maxWorkers)
	go func() {
		for first := range g {
			batch := []rotation{first}
		more:
			for {
				select {
				case r := <-g:
					batch = append(batch, r)
				default:
					break more
				}
			}
			err := write(batch)
			for _, r := range batch {
				r.done <- err
			}
		}
	}()
	return g
}

func (g group) rotate(grant secret.ID, from uint32) error {
	r := rotation{grant, from, make(chan error, 1)}
	g <- r
	return <-r.done
}

// openSyncLog writes one line a rotation.
func openSyncLog(path string) (durable, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	return newGroup(func(batch []rotation) error {
		var buf []byte
		for _, r := range batch {
			buf = append(append(buf, r.grant[:]...), byte(r.from), byte(r.from>>8), byte(r.from>>16), byte(r.from>>24))
		}
		if _, err := f.Write(buf); err != nil {
			return err
		}
		return f.Sync()
	}), nil
}

// openRows updates one row a rotation, with the pragmas of the product.
func openRows(ctx context.Context, path string, grants []secret.ID) (durable, error) {
	db, err := sql.Open("sqlite", "file:"+path+"?"+url.Values{"_pragma": {"journal_mode(wal)", "synchronous(full)"}}.Encode())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(ctx, `CREATE TABLE grants (id BLOB PRIMARY KEY, generation INTEGER NOT NULL) WITHOUT ROWID`); err != nil {
		return nil, err
	}
	for _, g := range grants {
		if _, err := db.ExecContext(ctx, `INSERT INTO grants VALUES (?, 1)`, g[:]); err != nil {
			return nil, err
		}
	}
	update, err := db.PrepareContext(ctx, `UPDATE grants SET generation = ?1 + 1 WHERE id = ?2 AND generation = ?1`)
	if err != nil {
		return nil, err
	}
	return newGroup(func(batch []rotation) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }()
		in := tx.StmtContext(ctx, update)
		defer func() { _ = in.Close() }()
		for _, r := range batch {
			res, err := in.ExecContext(ctx, r.from, r.grant[:])
			if err != nil {
				return err
			}
			if n, err := res.RowsAffected(); err != nil || n != 1 {
				return errors.Join(errors.New("not at that generation"), err)
			}
		}
		return tx.Commit()
	}), nil
}
