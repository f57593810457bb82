package rules

import (
	"context"
	"iter"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// pollEvery is how often a Tree looks for changes that nobody told it: on
	// network file systems, behind links that lead elsewhere, where the system
	// is out of watches. A look costs one stat a file, and no read. With the time
	// that a change settles it is less than a second.
	pollEvery = 900 * time.Millisecond
	// A change is read when all has been quiet for quiet, but settleMax after
	// it began at the latest: files are rarely written in one step.
	quiet     = 50 * time.Millisecond
	settleMax = 500 * time.Millisecond
)

// Watch is Source's. A change is told within a second, most of the time within
// a tenth of one.
func (t *Tree) Watch(ctx context.Context) iter.Seq2[*Set, error] {
	return func(yield func(*Set, error) bool) {
		w := newWatch(t)
		defer w.close()
		for ctx.Err() == nil {
			set, err, news := w.look(ctx)
			if news && !yield(set, err) {
				return
			}
			w.wait(ctx)
		}
	}
}

// A watch is one iteration over a Tree.
type watch struct {
	tree   *Tree
	teller teller
	last   []found
	held   map[string]held // what was read last, by the name of its file
	ticker *time.Ticker
	// notify is nil where the system gives no watches; polling does without.
	notify *fsnotify.Watcher
	events <-chan fsnotify.Event // nil with notify
	lost   <-chan error          // events that overflowed; nil with notify
	polled bool                  // nobody has told of a change, or not of its end
}

func newWatch(t *Tree) *watch {
	w := &watch{tree: t, ticker: time.NewTicker(pollEvery)}
	if !t.real {
		return w
	}
	if n, err := fsnotify.NewWatcher(); err == nil {
		w.notify, w.events, w.lost = n, n.Events, n.Errors
	}
	return w
}

func (w *watch) close() {
	w.ticker.Stop()
	if w.notify != nil {
		w.notify.Close()
	}
}

// look reads the files if they may have changed since the last look. What was written
// while they were read is read again.
func (w *watch) look(ctx context.Context) (*Set, error, bool) {
	for late := time.Now().Add(settleMax); ; w.polled = true {
		l, err := w.list(ctx)
		if err != nil {
			w.last = nil
			return w.teller.news(nil, err)
		}
		if len(l.files) > 0 && slices.EqualFunc(w.last, l.files, found.same) {
			return nil, nil, false
		}
		w.last = l.files
		w.observe(l.dirs)
		texts, err := w.read(l.files)
		if err != nil || w.still(l) || !time.Now().Before(late) || ctx.Err() != nil {
			return w.teller.news(texts, err)
		}
	}
}

// still says that the files are those of the listing, as far as one sees.
func (w *watch) still(l listing) bool {
	now, err := w.tree.list(time.Now())
	return err == nil && slices.EqualFunc(l.files, now.files, found.alike)
}

// list names the files. Where nobody has told of a change that there is, they are named
// until two listings are alike: somebody may be writing them.
func (w *watch) list(ctx context.Context) (listing, error) {
	l, err := w.tree.list(time.Now())
	if !w.polled {
		return l, err
	}
	late := time.Now().Add(settleMax)
	for before := w.last; err == nil && !slices.EqualFunc(before, l.files, found.alike) && time.Now().Before(late); {
		before = l.files
		w.settle(ctx)
		l, err = w.tree.list(time.Now())
	}
	return l, err
}

// read reads what has changed, and holds it all.
func (w *watch) read(files []found) ([]Text, error) {
	read, err := w.tree.read(files, w.held)
	if err != nil {
		w.last = nil // it may be well again although nothing has changed
		return nil, err
	}
	w.held = make(map[string]held, len(read))
	for _, h := range read {
		w.held[h.name] = h
	}
	return textsIn(read), nil
}

// observe watches directories, not files: a watch on a file follows the file
// that an editor or a ConfigMap's update renames away. It is asked again after
// each change, since a directory may have come anew under its old name. What
// cannot be watched is polled.
func (w *watch) observe(dirs []string) {
	if w.notify == nil {
		return
	}
	for _, dir := range dirs {
		_ = w.notify.Add(w.tree.display(dir))
	}
}

// wait returns when it is time to look again, or when ctx ends.
func (w *watch) wait(ctx context.Context) {
	w.polled = false
	select {
	case <-ctx.Done():
	case <-w.ticker.C:
		w.polled = true
	case <-w.lost:
		w.settle(ctx)
	case <-w.events:
		w.settle(ctx)
	}
}

// settle waits until the writers seem to have done.
func (w *watch) settle(ctx context.Context) {
	deadline := time.After(settleMax)
	for {
		select {
		case <-ctx.Done():
			return
		case <-deadline:
			return
		case <-time.After(quiet):
			return
		case <-w.lost:
		case <-w.events:
		}
	}
}
