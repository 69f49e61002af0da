//go:build unix

// Package pgtest gives tests a real PostgreSQL: one throw-away cluster for each
// test binary, made by initdb in a temporary folder, and a fresh database for
// each test. It refuses to skip: without PostgreSQL the test fails. The cluster
// ends with the test process, however that ends. Start at New.
package pgtest

import (
	"context"
	"fmt"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

var start = sync.OnceValues(startCluster)

// New returns the address, as store.Open reads it, of an empty database for
// this test alone. It reaches the server over TCP on the loopback interface,
// as a superuser. Safe for concurrent use.
func New(t testing.TB) string {
	t.Helper()
	c, err := start()
	if err != nil {
		t.Fatalf("PostgreSQL for tests: %v", err)
	}
	name, err := c.take(t.Context())
	if err != nil {
		t.Fatalf("PostgreSQL for tests: create database: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := c.giveBack(ctx, name); err != nil {
			t.Errorf("PostgreSQL for tests: empty database: %v", err)
		}
	})
	return c.dsn(name)
}

// take returns an empty database. A new one costs a quarter of a second, so
// those that tests have left are emptied and used again.
func (c *cluster) take(ctx context.Context) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.free); n > 0 {
		name := c.free[n-1]
		c.free = c.free[:n-1]
		return name, nil
	}
	c.made++
	name := fmt.Sprintf("test_%d", c.made)
	return name, c.run(ctx, "postgres", "CREATE DATABASE "+name)
}

// giveBack ends what is still connected, then removes all that the test made.
func (c *cluster) giveBack(ctx context.Context, name string) error {
	err := c.run(ctx, name,
		`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`,
		`DROP SCHEMA public CASCADE`,
		`CREATE SCHEMA public`)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.free = append(c.free, name)
	return nil
}

func (c *cluster) dsn(database string) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword("postgres", c.password),
		Host: fmt.Sprintf("127.0.0.1:%d", c.port), Path: "/" + database, RawQuery: "sslmode=disable",
	}
	return u.String()
}

func (c *cluster) run(ctx context.Context, database string, statements ...string) error {
	conn, err := pgx.Connect(ctx, c.dsn(database))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	for _, q := range statements {
		if _, err := conn.Exec(ctx, q); err != nil {
			return err
		}
	}
	return nil
}
