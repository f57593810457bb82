package consultest

import (
	"fmt"
	"io"
	"os"
	"os/exec"
)

// A process is a program that does not outlive this one.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed when it has
	guard *exec.Cmd
	leash io.Closer // what the guard reads from
}

// launch starts a program whose output is appended to a file.
func launch(log, name string, args ...string) (*process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, ended: make(chan struct{})}
	go func() {
		defer close(p.ended)
		_ = cmd.Wait() // it is killed, or says in its log why it ended
	}()
	if err := p.watch(); err != nil {
		p.kill()
		return nil, err
	}
	return p, nil
}

// watch starts a guard that kills the program when this process is no more: the
// pipe from which it reads ends then, however that came about.
func (p *process) watch() error {
	guard := exec.Command("sh", "-c", fmt.Sprintf("read -r _ || kill -9 %d", p.cmd.Process.Pid))
	leash, err := guard.StdinPipe()
	if err != nil {
		return err
	}
	if err := guard.Start(); err != nil {
		return err
	}
	p.guard, p.leash = guard, leash
	return nil
}

// kill ends the program, first the guard: the number of a program that is gone
// may be another's.
func (p *process) kill() {
	if p.guard != nil {
		_ = p.guard.Process.Kill()
		_ = p.guard.Wait()
		p.leash.Close()
	}
	_ = p.cmd.Process.Kill()
	<-p.ended
}
