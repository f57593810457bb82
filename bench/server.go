package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
)

// servers is how many addresses the service has.
const servers = 3

// serveLoopback is the server's own process: it tells its addresses on one line,
// and lives until in ends.
func serveLoopback(in io.Reader, out io.Writer) error {
	body := []byte(`{"id":"7","reviews":[{"reviewer":"Reviewer1","text":"An extremely entertaining play."}]}`)
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body)
	})
	var addresses []string
	for range servers {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		s := &http.Server{Handler: handler}
		defer s.Close()
		go func() { _ = s.Serve(l) }()
		addresses = append(addresses, l.Addr().String())
	}
	fmt.Fprintln(out, strings.Join(addresses, " "))
	_, err := io.Copy(io.Discard, in)
	return err
}

// A server is the process that answers.
type server struct {
	addresses []string
	stdin     io.Closer
	cmd       *exec.Cmd
}

// startServer runs this program again, as the server: a process of its own, as
// upstreams are.
func startServer() (*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, "-serve")
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
	s := &server{stdin: stdin, cmd: cmd}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if s.addresses = strings.Fields(line); len(s.addresses) != servers {
		return nil, errors.Join(fmt.Errorf("the server told %d addresses, not %d", len(s.addresses), servers), err, s.stop())
	}
	return s, nil
}

func (s *server) stop() error {
	_ = s.stdin.Close()
	return s.cmd.Wait()
}
