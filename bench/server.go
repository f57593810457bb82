package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"github.com/inmesh-go/inmesh/tlsid"
)

// A server is the process that answers, and the CA that vouches for both.
type server struct {
	plain  []string // addresses
	secure []string
	grpc   []string
	ca     *tlsid.CA
	dir    string // of the CA; it is the server's own
	stdin  io.Closer
	cmd    *exec.Cmd
}

// startServer runs this program again, as the server: a process of its own, as
// upstreams are.
func startServer() (*server, error) {
	dir, err := os.MkdirTemp("", "inmesh-bench-")
	if err != nil {
		return nil, err
	}
	s, err := startServerIn(dir)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return s, nil
}

func startServerIn(dir string) (*server, error) {
	ca, err := tlsid.NewCA(tlsid.CAConfig{Dir: dir})
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, "-serve", dir)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &server{ca: ca, dir: dir, stdin: stdin, cmd: cmd}
	if err := s.hear(stdout); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

// hear takes the addresses that the server tells.
func (s *server) hear(out io.Reader) error {
	line, err := bufio.NewReader(out).ReadString('\n')
	all := strings.Fields(line)
	if len(all) != 3*servers {
		return errors.Join(fmt.Errorf("the server told %d addresses, not %d", len(all), 3*servers), err)
	}
	s.plain, s.secure, s.grpc = all[:servers], all[servers:2*servers], all[2*servers:]
	return nil
}

// stop ends the process, and removes the CA's directory.
func (s *server) stop() error {
	_ = s.stdin.Close()
	return errors.Join(s.cmd.Wait(), os.RemoveAll(s.dir))
}
