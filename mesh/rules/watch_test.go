package rules_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/inmesh-go/inmesh/mesh/rules"
)

// A follower watches a source until the test ends.
type follower struct {
	*testing.T
	news chan news
}

type news struct {
	set *rules.Set
	err error
}

func follow(t *testing.T, s rules.Source) *follower {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	f := &follower{t, make(chan news)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for set, err := range s.Watch(ctx) {
			select {
			case f.news <- news{set, err}:
			case <-ctx.Done():
			}
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	return f
}

// next is the next news, which a second is enough for; a minute is so that the
// slowest machine tells a bug from its own load.
func (f *follower) next() news {
	f.Helper()
	ctx, cancel := context.WithTimeout(f.Context(), time.Minute)
	defer cancel()
	select {
	case n := <-f.news:
		return n
	case <-ctx.Done():
		f.Fatal("no news")
		return news{}
	}
}

// hosts waits for a Set and returns its DestinationRules' hosts.
func (f *follower) hosts(want string) *rules.Set {
	f.Helper()
	n := f.next()
	if n.err != nil {
		f.Fatal(n.err)
	}
	var hosts []string
	for _, dr := range n.set.DestinationRules {
		hosts = append(hosts, dr.Spec.Host)
	}
	if got := strings.Join(hosts, " "); got != want {
		f.Fatalf("hosts = %q, want %q", got, want)
	}
	return n.set
}

func (f *follower) fault(want string) {
	f.Helper()
	n := f.next()
	if n.set != nil {
		f.Error("there is a set beside the fault")
	}
	if n.err == nil || !strings.Contains(n.err.Error(), want) {
		f.Errorf("error = %v, want %s", n.err, want)
	}
}

// A folder is a directory for one test.
type folder struct {
	*testing.T
	dir string
}

func newFolder(t *testing.T) folder { return folder{t, t.TempDir()} }

func (d folder) path(name string) string { return filepath.Join(d.dir, name) }

func (d folder) must(err error) {
	d.Helper()
	if err != nil {
		d.Fatal(err)
	}
}

// write writes in one step: nobody sees half a file, however long this process
// pauses in between.
func (d folder) write(name, text string) {
	d.Helper()
	d.must(os.MkdirAll(filepath.Dir(d.path(name)), 0o755))
	d.must(os.WriteFile(d.path(".next"), []byte(text), 0o644))
	d.rename(".next", name)
}

func (d folder) rename(from, to string) { d.Helper(); d.must(os.Rename(d.path(from), d.path(to))) }
func (d folder) remove(name string)     { d.Helper(); d.must(os.RemoveAll(d.path(name))) }
func (d folder) link(target, name string) {
	d.Helper()
	d.must(os.Symlink(target, d.path(name)))
}

func TestDirTellsEveryChange(t *testing.T) {
	d := newFolder(t)
	f := follow(t, rules.Dir(d.dir))
	f.hosts("")

	d.write("a.yaml", rule("a", "{host: a}"))
	f.hosts("a")

	d.write("a.yaml", rule("a", "{host: a2}"))
	f.hosts("a2")

	d.write("new/deep/b.yml", rule("b", "{host: b}"))
	f.hosts("a2 b")

	d.write("new/deep/b.yml", rule("b", "{host: b2}"))
	f.hosts("a2 b2")

	d.write("c.json", `{"apiVersion":"networking.istio.io/v1","kind":"DestinationRule","metadata":{"name":"c"},"spec":{"host":"c"}}`)
	f.hosts("a2 b2 c")

	d.write("README.md", "no rule")
	d.write(".hidden.yaml", "no: rule")
	d.write(".git/x.yaml", "no: rule")
	d.remove("a.yaml")
	f.hosts("b2 c")

	d.remove("new")
	f.hosts("c")
}

// Who writes in place may be seen in between, but not for long.
func TestDirTellsWhatIsWrittenInPlace(t *testing.T) {
	d := newFolder(t)
	d.write("a.yaml", rule("a", "{host: a0}"))
	f := follow(t, rules.Dir(d.dir))
	f.hosts("a0")
	for _, host := range []string{"a1", "longer", "a"} {
		d.must(os.WriteFile(d.path("a.yaml"), []byte(rule("a", "{host: "+host+"}")), 0o644))
		for n := f.next(); n.err != nil || len(n.set.DestinationRules) == 0 || n.set.DestinationRules[0].Spec.Host != host; {
			n = f.next()
		}
	}
}

func TestDirSurvivesEditorsThatReplaceByRename(t *testing.T) {
	d := newFolder(t)
	d.write("a.yaml", rule("a", "{host: a0}"))
	f := follow(t, rules.Dir(d.dir))
	f.hosts("a0")
	for _, host := range []string{"a1", "a2", "a3"} {
		d.write(".a.yaml.swp", "x: y")
		d.write("a.yaml~", rule("a", "{host: "+host+"}"))
		d.rename("a.yaml~", "a.yaml")
		f.hosts(host)
	}
}

// swap does what the kubelet does to a mounted ConfigMap.
func (d folder) swap(version, text string) {
	d.Helper()
	d.write(".."+version+"/a.yaml", text)
	d.link(".."+version, "..data_tmp")
	d.rename("..data_tmp", "..data")
}

func TestSurvivesConfigMapSwaps(t *testing.T) {
	for name, source := range map[string]func(string) *rules.Tree{
		"directory": rules.Dir,
		"file":      func(dir string) *rules.Tree { return rules.File(filepath.Join(dir, "a.yaml")) },
	} {
		t.Run(name, func(t *testing.T) {
			d := newFolder(t)
			d.swap("2024_1", rule("a", "{host: a1}"))
			d.link("..data/a.yaml", "a.yaml")
			f := follow(t, source(d.dir))
			f.hosts("a1")
			d.swap("2024_2", rule("a", "{host: a2}"))
			d.remove("..2024_1")
			f.hosts("a2")
			d.swap("2024_3", rule("a", "{host: a3}"))
			d.remove("..2024_2")
			f.hosts("a3")
		})
	}
}

func TestFollowsLinksOnce(t *testing.T) {
	d, elsewhere := newFolder(t), newFolder(t)
	elsewhere.write("target.yaml", rule("a", "{host: a}"))
	elsewhere.write("rules/b.yaml", rule("b", "{host: b}"))
	d.link(elsewhere.path("target.yaml"), "a.yaml")
	d.link("a.yaml", "again.yaml")
	d.link(elsewhere.path("rules"), "more")
	d.link(".", "loop")
	d.link("nowhere", "dangling")
	f := follow(t, rules.Dir(d.dir))
	f.hosts("a b")
	// No watch sees what happens behind a link: this is polled.
	elsewhere.write("target.yaml", rule("a", "{host: polled}"))
	f.hosts("polled b")
}

func TestFileLeavesItsNeighboursAlone(t *testing.T) {
	d := newFolder(t)
	d.write("rules.conf", rule("a", "{host: a}"))
	d.write("b.yaml", "no: rule")
	f := follow(t, rules.File(d.path("rules.conf")))
	f.hosts("a")
	d.write("b.yaml", "still: none")
	d.write("rules.conf", rule("a", "{host: a2}"))
	f.hosts("a2")
}

func TestMissingFilesAreNewsUntilTheyAreThere(t *testing.T) {
	d := newFolder(t)
	dir := follow(t, rules.Dir(d.path("later")))
	file := follow(t, rules.File(d.path("later/a.yaml")))
	for _, f := range []*follower{dir, file} {
		if n := f.next(); !errors.Is(n.err, fs.ErrNotExist) || !strings.Contains(n.err.Error(), d.path("later")) {
			t.Errorf("error = %v", n.err)
		}
	}
	d.write("later/a.yaml", rule("a", "{host: a}"))
	dir.hosts("a")
	file.hosts("a")
	d.rename("later", "gone")
	dir.fault("no such file")
	file.fault("no such file")
	d.write("again/a.yaml", rule("a", "{host: again}"))
	d.rename("again", "later")
	dir.hosts("again")
	file.hosts("again")
}

func TestTellsWhatIsNoRuleFile(t *testing.T) {
	d := newFolder(t)
	d.write("a.yaml", "")
	d.write("dir.yaml/b.yaml", rule("b", "{host: b}"))
	follow(t, rules.Dir(d.path("a.yaml"))).fault("a.yaml: not a directory")
	follow(t, rules.File(d.path("dir.yaml"))).fault("dir.yaml is not a regular file")
	follow(t, rules.Dir(d.dir)).hosts("b")
	d.link("nowhere", "broken.yaml")
	follow(t, rules.Dir(d.dir)).fault("broken.yaml: no such file")
}

// Whoever breaks a file and mends it has changed nothing.
func TestTheLastGoodRulesOutliveBadOnes(t *testing.T) {
	d := newFolder(t)
	d.write("a.yaml", rule("a", "{host: a}"))
	d.write("b.yaml", rule("b", "{host: b}"))
	f := follow(t, rules.Dir(d.dir))
	before := f.hosts("a b")
	d.write("b.yaml", rule("b", "{hots: b}"))
	f.fault("b.yaml:4: DestinationRule default/b: spec.hots")
	d.write("b.yaml", rule("b", "{hosts: b}"))
	f.fault("b.yaml:4: DestinationRule default/b: spec.hosts")
	d.write("b.yaml", rule("b", "{host: b}"))
	after := f.hosts("a b")
	for i, dr := range before.DestinationRules {
		if after.DestinationRules[i] != dr {
			t.Errorf("%s is another object", dr.Name)
		}
	}
	if before.Version != after.Version {
		t.Errorf("version %s became %s", before.Version, after.Version)
	}
}

func TestTheSameBytesAreNoNews(t *testing.T) {
	d := newFolder(t)
	d.write("a.yaml", rule("a", "{host: a}"))
	f := follow(t, rules.Dir(d.dir))
	first := f.hosts("a")
	d.write("a.yaml", rule("a", "{host: a}"))
	d.must(os.Chtimes(d.path("a.yaml"), time.Now(), time.Now().Add(-time.Hour)))
	d.write("b.yaml", rule("b", "{host: b}"))
	if second := f.hosts("a b"); second.Version == first.Version {
		t.Error("the version did not change")
	}
}

func TestWatchEndsWhenItsReaderHasEnough(t *testing.T) {
	d := newFolder(t)
	for _, s := range []rules.Source{rules.Dir(d.dir), rules.Static(), rules.FS(fstest.MapFS{})} {
		for set, err := range s.Watch(t.Context()) {
			if set == nil || err != nil {
				t.Error(set, err)
			}
			break
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range rules.Dir(d.dir).Watch(ctx) {
		t.Error("news after the end")
	}
}

// A changingFS is a file system whose files change.
type changingFS struct {
	mu    sync.Mutex
	files fstest.MapFS
}

func (c *changingFS) put(name, text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.files = fstest.MapFS{name: {Data: []byte(text)}}
}

func (c *changingFS) Open(name string) (fs.File, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.files.Open(name)
}

func TestPollsAFileSystemEachSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var fsys changingFS
		fsys.put("a.yaml", rule("a", "{host: a}"))
		f := follow(t, rules.FS(&fsys))
		f.hosts("a")
		synctest.Wait() // for the watch to sleep
		begin := time.Now()
		fsys.put("a.yaml", rule("a", "{host: b}"))
		f.hosts("b")
		if took := time.Since(begin); took > time.Second {
			t.Errorf("the change was told after %v", took)
		}
	})
}

// A look at any time may come while a file is being written: what is half there may
// well be rules, only fewer.
func TestNoHalfOfAFileIsReadWhereNobodyTellsOfChanges(t *testing.T) {
	first, second := rule("a", "{host: a}"), "---\n"+rule("b", "{host: b}")
	for begun := time.Duration(0); begun < 2*time.Second; begun += 5 * time.Millisecond {
		synctest.Test(t, func(t *testing.T) {
			var fsys changingFS
			fsys.put("a.yaml", first+second)
			f := follow(t, rules.FS(&fsys))
			f.hosts("a b")
			time.Sleep(begun)
			fsys.put("a.yaml", first)
			time.Sleep(10 * time.Millisecond)
			fsys.put("a.yaml", first+second+"---\n"+rule("c", "{host: c}"))
			f.hosts("a b c")
		})
	}
}

// So may the reading of a file that has been looked at: it is another one by then.
func TestNoHalfOfAFileIsReadThatIsWrittenAfterALook(t *testing.T) {
	first, second := rule("a", "{host: a}"), "---\n"+rule("b", "{host: b}")
	for nth := range 8 {
		synctest.Test(t, func(t *testing.T) {
			fsys := &openedFS{name: "a.yaml", opens: make(chan func(), 8)}
			fsys.put("a.yaml", first+second)
			f := follow(t, rules.FS(fsys))
			f.hosts("a b")
			synctest.Wait() // for the watch to sleep
			fsys.before(nth, func() {
				fsys.put("a.yaml", first)
				time.AfterFunc(10*time.Millisecond, func() { fsys.put("a.yaml", first+second+"---\n"+rule("c", "{host: c}")) })
			})
			f.hosts("a b c")
		})
	}
}

// An openedFS changes as a file is opened.
type openedFS struct {
	changingFS
	name  string
	opens chan func() // what comes before each of them
}

// before has change come before the file is opened once more than n times.
func (o *openedFS) before(n int, change func()) {
	for range n {
		o.opens <- func() {}
	}
	o.opens <- change
}

func (o *openedFS) Open(name string) (fs.File, error) {
	if name == o.name {
		select {
		case change := <-o.opens:
			change()
		default:
		}
	}
	return o.changingFS.Open(name)
}

func TestStaticRulesCanBeRewritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := rules.Static(rule("a", "{host: a}"), rule("b", "{host: b}"))
		f, late := follow(t, s), follow(t, s)
		f.hosts("a b")
		late.hosts("a b")
		if err := s.Update(rule("a", "{host: a2}")); err != nil {
			t.Fatal(err)
		}
		f.hosts("a2")
		late.hosts("a2")
		const want = "static[0]:4: DestinationRule default/a: spec.hots"
		wantFault(t, s.Update(rule("a", "{hots: a3}")), want)
		f.fault(want)
		if err := s.Update(rule("a", "{host: a2}")); err != nil {
			t.Fatal(err)
		}
		f.hosts("a2")
	})
}

// Of many files only those are read again that have changed; a file put in the
// place of another is another file, whatever its size and time.
func TestAFileOfTheSameSizeAndTimeIsAnotherFile(t *testing.T) {
	d, old := newFolder(t), time.Now().Add(-time.Hour)
	put := func(name, host string) {
		d.write(name, rule(host, "{host: "+host+"}"))
		d.must(os.Chtimes(d.path(name), old, old))
	}
	put("a.yaml", "a")
	put("b.yaml", "b")
	f := follow(t, rules.Dir(d.dir))
	first := f.hosts("a b")
	put("c.tmp", "c")
	d.must(os.Rename(d.path("c.tmp"), d.path("b.yaml")))
	if second := f.hosts("a c"); second.DestinationRules[0] != first.DestinationRules[0] {
		t.Error("the file that has not changed gave another object")
	}
}

// What a variable of the environment that nobody has set comes to.
func TestADirectoryWithoutANameIsToldAsThat(t *testing.T) {
	for _, err := range rules.Dir("").Watch(t.Context()) {
		if err == nil || err.Error() != "rules: no directory is named: its name is empty" {
			t.Errorf("got %v", err)
		}
		return
	}
}
