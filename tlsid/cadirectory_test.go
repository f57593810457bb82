package tlsid_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/inmesh-go/inmesh/tlsid"
)

func TestProcessesThatStartTogetherAgree(t *testing.T) {
	for range 20 {
		dir := filepath.Join(t.TempDir(), "a", "ca")
		cas := make([]*tlsid.CA, 8)
		var all sync.WaitGroup
		for i := range cas {
			all.Go(func() {
				ca, err := tlsid.NewCA(tlsid.CAConfig{Dir: dir})
				if err != nil {
					t.Error(err)
					return
				}
				cas[i] = ca
			})
		}
		all.Wait()
		if t.Failed() {
			return
		}
		for _, ca := range cas {
			if !ca.Bundles().Equal(cas[0].Bundles()) {
				t.Error("two processes have different roots")
			}
		}
		if files := names(t, dir); files != "root-1.pem" {
			t.Errorf("the directory has %s", files)
		}
	}
}

func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

func TestKeysAreForTheirOwnerOnly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ca")
	newCA(t, tlsid.CAConfig{Dir: dir})
	for path, want := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, "root-1.pem"): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: got %v, %v, want %o", path, info.Mode(), err, want)
		}
	}
}

// TestAnotherProcessRotates: within a second all know the new root, and none
// ever meets a peer that it does not trust.
func TestAnotherProcessRotates(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		dir := t.TempDir()
		config := tlsid.CAConfig{Dir: dir, LeafLifetime: time.Minute}
		a, b := newCA(t, config), newCA(t, config)
		x, y := watch(ctx, a.Workload("a")), watch(ctx, b.Workload("b"))
		pass(time.Second / 2)
		if err := a.Rotate(); err != nil {
			t.Fatal(err)
		}
		pass(time.Second)
		if len(b.Bundles().Roots(domain(t, "cluster.local"))) != 2 || !last(t, y).Bundles().Equal(a.Bundles()) {
			t.Error("the other process does not know the new root after a second")
		}
		for range 200 {
			pass(time.Second)
			if err := vouches(last(t, x), last(t, y)); err != nil {
				t.Fatal(err)
			}
			if err := vouches(last(t, y), last(t, x)); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.Rotate(); err != nil {
			t.Fatal(err)
		}
		if files := names(t, dir); files != "root-2.pem root-3.pem" {
			t.Errorf("after another rotation the directory has %s", files)
		}
		pass(2 * time.Second)
		quiet(t, x)
		quiet(t, y)
	})
}

func TestALateProcessTakesWhatIsThere(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		config := tlsid.CAConfig{Dir: t.TempDir()}
		a := newCA(t, config)
		if err := a.Rotate(); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		if !newCA(t, config).Bundles().Equal(a.Bundles()) {
			t.Error("it has other roots")
		}
	})
}

func TestDirectoriesThatAreNoGood(t *testing.T) {
	write := func(name, text string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	rooted := func(c tlsid.CAConfig) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			c.Dir = dir
			newCA(t, c)
		}
	}
	chmod := func(name string, mode os.FileMode) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			newCA(t, tlsid.CAConfig{Dir: dir})
			if err := os.Chmod(filepath.Join(dir, name), mode); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		prepare func(t *testing.T, dir string)
		says    string // "": it is good
	}{
		"key for all":             {chmod("root-1.pem", 0o644), "root-1.pem has mode 0644"},
		"key for the group":       {chmod("root-1.pem", 0o640), "root-1.pem has mode 0640"},
		"directory for all":       {chmod(".", 0o777), "has mode 0777: others may write to it"},
		"readable directory":      {chmod(".", 0o755), ""},
		"another trust domain":    {rooted(tlsid.CAConfig{TrustDomain: domain(t, "other")}), `it is of "spiffe://other", this process has trust domain cluster.local`},
		"another lifetime":        {rooted(tlsid.CAConfig{LeafLifetime: time.Minute}), "its Leaf-Lifetime is 1m0s, this process has 1h0m0s"},
		"another announcement":    {rooted(tlsid.CAConfig{Announce: time.Minute}), "its Announce is 1m0s, this process has 10s"},
		"half a root":             {write("root-1.pem", "-----BEGIN INMESH ROOT-----\nSigns-From: "), "root-1.pem: there is no PEM block INMESH ROOT in it"},
		"an empty root":           {write("root-1.pem", ""), "root-1.pem: there is no PEM block INMESH ROOT in it"},
		"a half-written root":     {write(".root-new-1234", "-----BEGIN"), ""},
		"other files":             {write("README", "hello"), ""},
		"a number with a zero":    {write("root-01.pem", "hello"), ""},
		"a directory that is new": {func(t *testing.T, dir string) { os.Remove(dir) }, ""},
		"a file for a directory": {func(t *testing.T, dir string) {
			os.Remove(dir)
			write("", "")(t, dir)
		}, "not a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			c.prepare(t, dir)
			_, err := tlsid.NewCA(tlsid.CAConfig{Dir: dir})
			if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want %q", err, c.says)
			}
		})
	}
}

// TestADirectoryThatGoesBad changes nothing but what is told, and is told once.
func TestADirectoryThatGoesBad(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		dir := t.TempDir()
		ca := newCA(t, tlsid.CAConfig{Dir: dir})
		seen := watch(ctx, ca.Workload("a"))
		synctest.Wait()
		if err := os.Rename(filepath.Join(dir, "root-1.pem"), filepath.Join(dir, "moved")); err != nil {
			t.Fatal(err)
		}
		pass(50 * time.Minute)
		errs, renewals := count(seen.all())
		if errs != 1 || renewals < 2 {
			t.Errorf("got %d errors and %d credentials", errs, renewals)
		}
		if err := os.Rename(filepath.Join(dir, "moved"), filepath.Join(dir, "root-1.pem")); err != nil {
			t.Fatal(err)
		}
		pass(time.Second)
		if n := seen.all()[len(seen.all())-1]; n.err != nil {
			t.Errorf("the end of it is not told, but %v", n.err)
		}
		if err := vouches(last(t, seen), last(t, seen)); err != nil {
			t.Error(err)
		}
	})
}

func count(seen []news) (errs, credentials int) {
	for _, n := range seen {
		if n.err != nil {
			errs++
		} else {
			credentials++
		}
	}
	return errs, credentials
}

// TestARemovedRootIsDistrusted: whoever has leaves of it gets others at once.
func TestARemovedRootIsDistrusted(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		dir := t.TempDir()
		ca := newCA(t, tlsid.CAConfig{Dir: dir})
		seen := watch(ctx, ca.Workload("a"))
		synctest.Wait()
		if err := ca.Rotate(); err != nil {
			t.Fatal(err)
		}
		pass(15 * time.Second)
		old := last(t, seen)
		if err := os.Remove(filepath.Join(dir, "root-1.pem")); err != nil {
			t.Fatal(err)
		}
		pass(time.Second)
		if fresh := last(t, seen); vouches(fresh, old) == nil || vouches(fresh, fresh) != nil {
			t.Errorf("got %s", fresh)
		}
	})
}

// Whoever owns a directory puts into it what he likes, and his root would be ours.
func TestADirectoryOfSomebodyElseIsRefused(t *testing.T) {
	dir := t.TempDir()
	newCA(t, tlsid.CAConfig{Dir: dir})
	if os.Chown(dir, 65534, -1) != nil { // only the superuser can, and only he could read the key of another
		return
	}
	if _, err := tlsid.NewCA(tlsid.CAConfig{Dir: dir}); err == nil || !strings.Contains(err.Error(), "is of user 65534") {
		t.Errorf("got %v", err)
	}
}

// TestARootOfTheFutureIsTold: it was made while the clock was fast. Each bubble has
// the time at which all of them begin.
func TestARootOfTheFutureIsTold(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ca")
	bubble(t, func(t *testing.T, ctx context.Context) {
		pass(time.Hour)
		newCA(t, tlsid.CAConfig{Dir: dir})
	})
	bubble(t, func(t *testing.T, ctx context.Context) {
		seen := watch(ctx, newCA(t, tlsid.CAConfig{Dir: dir}).Workload("a"))
		pass(time.Minute)
		told(t, seen, 0, []string{"root 1 is not valid before 2000-01-01T00:58:00Z"})
		pass(time.Hour)
		if c := last(t, seen); vouches(c, c) != nil {
			t.Errorf("got %s: %v", c, vouches(c, c))
		}
	})
}
