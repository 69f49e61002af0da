package store

import (
	"context"
	"database/sql"
	"fmt"
)

// sqliteConn is one connection with its prepared statements. It is used by one
// goroutine at a time.
type sqliteConn struct {
	conn  *sql.Conn
	stmts map[string]*sql.Stmt
}

func newSQLiteConn(ctx context.Context, db *sql.DB) (*sqliteConn, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	return &sqliteConn{conn: conn, stmts: map[string]*sql.Stmt{}}, nil
}

// prepared keeps every statement: their number is that of the statements
// written in this package.
func (c *sqliteConn) prepared(ctx context.Context, q string) (*sql.Stmt, error) {
	if s, ok := c.stmts[q]; ok {
		return s, nil
	}
	s, err := c.conn.PrepareContext(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("prepare: %w", err)
	}
	c.stmts[q] = s
	return s, nil
}

func (c *sqliteConn) exec(ctx context.Context, q string, args ...any) (int64, error) {
	s, err := c.prepared(ctx, q) //nolint:sqlclosecheck // kept until close
	if err != nil {
		return 0, err
	}
	res, err := s.ExecContext(ctx, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (c *sqliteConn) each(ctx context.Context, f func(func(...any) error) error, q string, args ...any) error {
	s, err := c.prepared(ctx, q) //nolint:sqlclosecheck // kept until close
	if err != nil {
		return err
	}
	rows, err := s.QueryContext(ctx, args...)
	return scanAll(rows, err, f)
}

func scanAll(rows *sql.Rows, err error, f func(func(...any) error) error) error {
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := f(rows.Scan); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return rows.Close()
}

func (c *sqliteConn) close() {
	for _, s := range c.stmts {
		_ = s.Close()
	}
	_ = c.conn.Close()
}
