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
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

var (
	start   = sync.OnceValues(startCluster)
	counter atomic.Int64
)

// New returns the address, as store.Open reads it, of an empty database that
// is dropped when the test ends. It reaches the server over TCP on the loopback
// interface, as a superuser. Safe for concurrent use.
func New(t testing.TB) string {
	t.Helper()
	c, err := start()
	if err != nil {
		t.Fatalf("PostgreSQL for tests: %v", err)
	}
	name := fmt.Sprintf("test_%d", counter.Add(1))
	if err := c.admin(t.Context(), "CREATE DATABASE "+name); err != nil {
		t.Fatalf("PostgreSQL for tests: create database: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := c.admin(ctx, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Errorf("PostgreSQL for tests: drop database: %v", err)
		}
	})
	return c.dsn(name)
}

func (c *cluster) dsn(database string) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword("postgres", c.password),
		Host: fmt.Sprintf("127.0.0.1:%d", c.port), Path: "/" + database, RawQuery: "sslmode=disable",
	}
	return u.String()
}

// admin runs one statement outside of any test's database.
func (c *cluster) admin(ctx context.Context, statement string) error {
	c.mu.Lock() // PostgreSQL copies the template database for one session at a time
	defer c.mu.Unlock()
	conn, err := pgx.Connect(ctx, c.dsn("postgres"))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	_, err = conn.Exec(ctx, statement)
	return err
}
