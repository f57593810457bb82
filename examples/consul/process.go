package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// endTime is how long a process may take to end, before it is killed.
const endTime = 15 * time.Second

// A process is this program again, in another role. It ends when its standard
// input does: when it is told to, and also when this process is no more.
type process struct {
	name  string
	cmd   *exec.Cmd
	leash io.Closer
	out   io.ReadCloser
}

// begin starts the program in a role. What it has to complain of goes to stderr.
func begin(name string, stderr io.Writer, role ...string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, role...)
	cmd.Stderr, cmd.WaitDelay = stderr, endTime
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for this process alone
	p := &process{name: name, cmd: cmd}
	if p.leash, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if p.out, err = cmd.StdoutPipe(); err != nil {
		return nil, err
	}
	return p, cmd.Start()
}

// say returns the first line that the process writes. It is killed if ctx ends
// before.
func (p *process) say(ctx context.Context) (string, error) {
	stop := context.AfterFunc(ctx, func() { _ = p.cmd.Process.Kill() })
	defer stop()
	line, err := bufio.NewReader(p.out).ReadString('\n')
	if err != nil {
		return "", errors.Join(fmt.Errorf("%s has ended before it was ready", p.name), ctx.Err())
	}
	return strings.TrimSpace(line), nil
}

// end ends the process and waits for it.
func (p *process) end() {
	_ = p.leash.Close()
	late := time.AfterFunc(endTime, func() { _ = p.cmd.Process.Kill() })
	defer late.Stop()
	_ = p.cmd.Wait() // it has said what was wrong
}

// leashed is done when ctx is, or when stdin ends. It reads stdin until then.
func leashed(ctx context.Context, stdin io.Reader) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() { // until stdin ends, or the process does
		_, _ = io.Copy(io.Discard, stdin)
		cancel()
	}()
	return ctx, cancel
}

// keep is the role of a process that runs another program, and kills it when its
// own standard input ends.
func keep(ctx context.Context, args []string, stdin io.Reader, stderr io.Writer) error {
	if len(args) == 0 {
		return errors.New("keep: which program?")
	}
	ctx, cancel := leashed(ctx, stdin)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stderr = stderr // and no output: it has a log
	err := cmd.Run()
	if ctx.Err() != nil {
		return nil
	}
	return errors.Join(fmt.Errorf("%s has ended", args[0]), err)
}
