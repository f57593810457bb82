package browser

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// Install is what brings what is needed.
const Install = "apt-get install -y --no-install-recommends chromium"

// closeGrace is how long a browser has to end by itself.
const closeGrace = 10 * time.Second

// flags keep the browser from everything but the pages it is shown: no window, no
// network of its own. Containers have no sandbox to offer.
var flags = []string{
	"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
	"--disable-background-networking", "--disable-component-update", "--disable-sync",
	"--disable-dev-shm-usage", "--force-color-profile=srgb", "--hide-scrollbars",
	"--remote-debugging-pipe", // descriptors 3 and 4
}

// A Browser is a Chromium that runs.
type Browser struct {
	*link
	cmd    *exec.Cmd
	output bytes.Buffer
	exited chan struct{} // closed when the process is gone
}

// Start starts one, whose profile is an empty directory of the caller's. ctx ends it.
func Start(ctx context.Context, profile string) (*Browser, error) {
	program, err := find()
	if err != nil {
		return nil, err
	}
	b := &Browser{exited: make(chan struct{})}
	b.cmd = exec.CommandContext(ctx, program, append(flags, "--user-data-dir="+profile, "about:blank")...)
	b.cmd.Stdout, b.cmd.Stderr = &b.output, &b.output
	b.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // with its children
	b.cmd.Cancel = b.kill
	b.cmd.WaitDelay = closeGrace
	to, from, err := b.start()
	if err != nil {
		return nil, err
	}
	b.link = newLink(to, from)
	go func() {
		defer close(b.exited)
		_ = b.cmd.Wait() // it is killed, as a rule
	}()
	return b, nil
}

func find() (string, error) {
	for _, name := range []string{"chromium", "chromium-browser"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("chromium is missing: %s", Install)
}

// start starts the process with a pipe each way.
func (b *Browser) start() (to io.WriteCloser, from io.ReadCloser, err error) {
	theirIn, to, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	defer theirIn.Close()
	from, theirOut, err := os.Pipe()
	if err != nil {
		_ = to.Close()
		return nil, nil, err
	}
	defer theirOut.Close()
	b.cmd.ExtraFiles = []*os.File{theirIn, theirOut}
	if err := b.cmd.Start(); err != nil {
		_, _ = to.Close(), from.Close()
		return nil, nil, err
	}
	return to, from, nil
}

func (b *Browser) kill() error { return syscall.Kill(-b.cmd.Process.Pid, syscall.SIGKILL) }

// Close ends the browser, and waits until it is gone.
func (b *Browser) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeGrace)
	defer cancel()
	err := b.call(ctx, "", "Browser.close", nil, nil)
	select {
	case <-b.exited:
		err = nil // it may go without an answer
	case <-ctx.Done():
		_ = b.kill()
		<-b.exited
	}
	return errors.Join(err, b.link.close())
}

// Output is what the process has written. It may be called once it is closed.
func (b *Browser) Output() string { return b.output.String() }
