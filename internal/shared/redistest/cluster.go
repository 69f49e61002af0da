//go:build unix

package redistest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"
)

// slots of a cluster, all of which must be somebody's.
const slots = 16384

// NewCluster starts a cluster of n nodes that share the slots, without
// replicas. All have the password of the first.
func NewCluster(t testing.TB, n int) []*Server {
	t.Helper()
	var nodes []*Server
	for i := range n {
		settings := []string{"--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf", "--cluster-node-timeout", "2000"}
		if i > 0 {
			settings = append(settings, "--requirepass", nodes[0].Password)
		}
		s := New(t, settings...)
		if i > 0 {
			s.Password = nodes[0].Password
			s.must("CLUSTER", "MEET", "127.0.0.1", strconv.Itoa(nodes[0].Port))
		}
		s.must("CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(i*slots/n), strconv.Itoa((i+1)*slots/n-1))
		nodes = append(nodes, s)
	}
	const tries = 600
	for try := 0; ; try++ {
		time.Sleep(50 * time.Millisecond)
		whole := true
		for _, s := range nodes {
			info := s.must("CLUSTER", "INFO")
			whole = whole && strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_known_nodes:"+strconv.Itoa(n))
		}
		if whole {
			return nodes
		}
		if try == tries {
			t.Fatal("Redis for tests: the cluster does not come together")
		}
	}
}

// must sends one command and returns the answer, as text.
func (s *Server) must(command ...string) string {
	s.t.Helper()
	answer, err := s.command(command...)
	if err != nil {
		s.t.Fatalf("Redis for tests: %s: %v", command[0], err)
	}
	return answer
}

func (s *Server) command(command ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.Host())
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	context.AfterFunc(ctx, func() { _ = conn.Close() })
	r := bufio.NewReader(conn)
	answer := ""
	for _, c := range [][]string{{"AUTH", s.Password}, command} {
		fmt.Fprintf(conn, "*%d\r\n", len(c))
		for _, word := range c {
			fmt.Fprintf(conn, "$%d\r\n%s\r\n", len(word), word)
		}
		if answer, err = r.ReadString('\n'); err != nil {
			return "", err
		}
		if strings.HasPrefix(answer, "-") {
			return "", fmt.Errorf("the server says %s", answer)
		}
	}
	if n, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(answer, "$"))); err == nil && n > 0 {
		body := make([]byte, n)
		if _, err := io.ReadFull(r, body); err != nil {
			return "", err
		}
		return string(body), nil
	}
	return answer, nil
}
