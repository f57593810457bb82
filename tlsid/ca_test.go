package tlsid_test

import (
	"context"
	"crypto/x509"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/inmesh-go/inmesh/tlsid"
)

func newCA(t testing.TB, c tlsid.CAConfig) *tlsid.CA {
	t.Helper()
	ca, err := tlsid.NewCA(c)
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

// news is what a watch has yielded.
type news struct {
	at         time.Time
	credential tlsid.Credential
	err        error
}

// A record is what a watch has yielded so far.
type record struct {
	mu   sync.Mutex
	news []news
}

func (r *record) add(n news) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.news = append(r.news, n)
}

func (r *record) all() []news {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.news)
}

// watch records what a source yields until ctx ends.
func watch(ctx context.Context, s tlsid.Source) *record {
	seen := new(record)
	go func() {
		for c, err := range s.Watch(ctx) {
			seen.add(news{time.Now(), c, err})
		}
	}()
	return seen
}

// pass lets time pass in a bubble.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// bubble runs a test in a bubble, with a context that ends before the test does.
func bubble(t *testing.T, test func(t *testing.T, ctx context.Context)) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer synctest.Wait()
		defer cancel()
		test(t, ctx)
	})
}

// last is the newest credential.
func last(t testing.TB, seen *record) tlsid.Credential {
	t.Helper()
	for _, n := range slices.Backward(seen.all()) {
		if n.err == nil {
			return n.credential
		}
	}
	t.Fatalf("there is no credential in %v", seen.all())
	return tlsid.Credential{}
}

func quiet(t testing.TB, seen *record) {
	t.Helper()
	for _, n := range seen.all() {
		if n.err != nil {
			t.Errorf("at %s: %v", n.at, n.err)
		}
	}
}

// vouches reports whether who has c lets in who has peer.
func vouches(c, peer tlsid.Credential) error {
	leaf := peer.Certificate().Leaf
	pool := x509.NewCertPool()
	for _, r := range c.Bundles().Roots(peer.ID().TrustDomain()) {
		pool.AddCert(r)
	}
	_, err := leaf.Verify(x509.VerifyOptions{Roots: pool, CurrentTime: time.Now()})
	return err
}

func TestACAIssuesSVIDs(t *testing.T) {
	ca := newCA(t, tlsid.CAConfig{})
	for name, want := range map[string]string{
		"reviews":      "spiffe://cluster.local/ns/default/sa/reviews",
		"prod/reviews": "spiffe://cluster.local/ns/prod/sa/reviews",
	} {
		c := first(t, ca.Workload(name))
		if c.ID().String() != want {
			t.Errorf("got %s, want %s", c.ID(), want)
		}
		if !c.Bundles().Equal(ca.Bundles()) {
			t.Errorf("got %s", c.Bundles())
		}
		leaf := c.Certificate().Leaf
		if leaf.IsCA || leaf.KeyUsage != x509.KeyUsageDigitalSignature || len(leaf.URIs) != 1 || leaf.Subject.String() != "" {
			t.Errorf("got %+v", leaf)
		}
		if life := time.Until(c.NotAfter()); life < 59*time.Minute || life > 61*time.Minute {
			t.Errorf("it lives %s", life)
		}
	}
	c, err := ca.Issue(id(t, "spiffe://cluster.local/x"))
	if err != nil || c.ID().Path() != "/x" {
		t.Errorf("got %s, %v", c, err)
	}
}

func TestWhatIsNoWorkloadHasNoCredential(t *testing.T) {
	ca := newCA(t, tlsid.CAConfig{})
	for says, source := range map[string]tlsid.Source{
		"'/' is not allowed": ca.Workload("a/b/c"),
		"segment is empty":   ca.Workload("a//"),
		"ends with a slash":  ca.Workload(""),
		"not of the trust":   ca.Source(id(t, "spiffe://other/a")),
		"no path":            ca.Source(id(t, "spiffe://cluster.local")),
		`identity ""`:        ca.Source(tlsid.ID{}),
	} {
		for c, err := range source.Watch(t.Context()) {
			if err == nil || !c.IsZero() {
				t.Errorf("got %s, want %s", c, says)
			}
			break
		}
	}
	if _, err := ca.Issue(id(t, "spiffe://other/a")); err == nil {
		t.Error("it issues for another trust domain")
	}
}

func TestImpossibleCAs(t *testing.T) {
	for _, c := range []struct {
		config tlsid.CAConfig
		says   string
	}{
		{tlsid.CAConfig{LeafLifetime: time.Millisecond}, "field LeafLifetime: 1ms is less than 100ms"},
		{tlsid.CAConfig{LeafLifetime: -1}, "LeafLifetime"},
		{tlsid.CAConfig{Announce: -1}, "field Announce: -1ns is less than 0s"},
		{tlsid.CAConfig{Announce: time.Second, Dir: t.TempDir()}, "field Announce: 1s is less than 3s"},
		{tlsid.CAConfig{RootLifetime: time.Hour}, "field RootLifetime: 1h0m0s is less than 10h1m40s"},
	} {
		if _, err := tlsid.NewCA(c.config); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: got %v, want %s", c.config, err, c.says)
		}
	}
}

func TestLeavesAreRenewedAtAboutHalfOfTheirLives(t *testing.T) {
	for _, lifetime := range []time.Duration{time.Hour, 400 * time.Millisecond, 9 * time.Hour} {
		bubble(t, func(t *testing.T, ctx context.Context) {
			seen := watch(ctx, newCA(t, tlsid.CAConfig{LeafLifetime: lifetime}).Workload("a"))
			pass(20 * lifetime)
			quiet(t, seen)
			gaps := map[time.Duration]bool{}
			all := seen.all()
			for i, n := range all[1:] {
				gap := n.at.Sub(all[i].at)
				gaps[gap] = true
				if gap < lifetime*4/10 || gap > lifetime*6/10 {
					t.Errorf("renewed after %s of %s", gap, lifetime)
				}
				if n.at.After(all[i].credential.NotAfter()) {
					t.Error("a credential expired before it was renewed")
				}
			}
			if len(gaps) < 10 {
				t.Errorf("there is no jitter in %v", gaps)
			}
		})
	}
}

// TestARootIsReplacedWithOverlap follows a rotation on its time line.
func TestARootIsReplacedWithOverlap(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		ca := newCA(t, tlsid.CAConfig{LeafLifetime: time.Hour, Announce: time.Minute})
		old := ca.Bundles()
		seen := watch(ctx, ca.Workload("a"))
		pass(time.Hour)
		before := len(seen.all())
		if err := ca.Rotate(); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if len(seen.all()) != before+1 {
			t.Error("the new root is not told at once")
		}
		for _, c := range []struct {
			after   time.Duration // the step before
			roots   int
			oldSign bool // whether the old root signs
		}{
			{0, 2, true},
			{time.Minute - 1, 2, true},
			{1, 2, false},
			{time.Hour + time.Minute + time.Second - 1, 2, false},
			{1, 1, false},
		} {
			pass(c.after)
			if n := len(ca.Bundles().Roots(domain(t, "cluster.local"))); n != c.roots {
				t.Errorf("%+v: there are %d roots", c, n)
			}
			if !last(t, seen).Bundles().Equal(ca.Bundles()) {
				t.Errorf("%+v: the credential has other roots", c)
			}
			fresh, err := ca.Issue(id(t, "spiffe://cluster.local/x"))
			if err != nil {
				t.Fatal(err)
			}
			if signed := vouches(fresh.With(old), fresh) == nil; signed != c.oldSign {
				t.Errorf("%+v: signed by the old root: %v", c, signed)
			}
		}
		quiet(t, seen)
	})
}

func TestARotationUnderWayIsNotStartedAgain(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		ca := newCA(t, tlsid.CAConfig{})
		if err := ca.Rotate(); err != nil {
			t.Fatal(err)
		}
		if err := ca.Rotate(); err == nil || !strings.Contains(err.Error(), "under way") {
			t.Errorf("got %v", err)
		}
		pass(10 * time.Second)
		if err := ca.Rotate(); err != nil {
			t.Error(err)
		}
		if n := len(ca.Bundles().Roots(domain(t, "cluster.local"))); n != 3 {
			t.Errorf("there are %d roots", n)
		}
	})
}

// TestWorkloadsTrustEachOtherThroughRotations looks at two of them each second
// of some hours.
func TestWorkloadsTrustEachOtherThroughRotations(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		ca := newCA(t, tlsid.CAConfig{LeafLifetime: 10 * time.Minute})
		a, b := watch(ctx, ca.Workload("a")), watch(ctx, ca.Workload("b"))
		for second := range 3 * 60 * 60 {
			pass(time.Second)
			if second%1000 == 999 {
				if err := ca.Rotate(); err != nil {
					t.Fatal(err)
				}
			}
			if second%10 != 0 {
				continue
			}
			x, y := last(t, a), last(t, b)
			if err := errors.Join(vouches(x, y), vouches(y, x)); err != nil {
				t.Fatalf("second %d: %v", second, err)
			}
		}
		quiet(t, a)
		quiet(t, b)
	})
}

func TestARootIsReplacedBeforeItExpires(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		ca := newCA(t, tlsid.CAConfig{LeafLifetime: time.Hour, RootLifetime: 100 * time.Hour})
		seen := watch(ctx, ca.Workload("a"))
		for range 500 {
			pass(time.Hour)
			if err := vouches(last(t, seen), last(t, seen)); err != nil {
				t.Fatal(err)
			}
		}
		quiet(t, seen)
	})
}

// TestWithoutAWatchARootExpires: nobody looks after it, and what is issued says
// so; nor is a leaf valid for longer than its root.
func TestWithoutAWatchARootExpires(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		ca := newCA(t, tlsid.CAConfig{RootLifetime: 20 * time.Hour})
		pass(20*time.Hour - time.Minute)
		c, err := ca.Issue(id(t, "spiffe://cluster.local/x"))
		if err != nil || time.Until(c.NotAfter()) > time.Minute {
			t.Errorf("got %s, %v", c, err)
		}
		pass(time.Hour)
		if c, err := ca.Issue(id(t, "spiffe://cluster.local/x")); err == nil || !strings.Contains(err.Error(), "root 1 has expired") {
			t.Errorf("got %s, %v", c, err)
		}
	})
}

func TestAWatchEnds(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		ca := newCA(t, tlsid.CAConfig{})
		for range ca.Workload("a").Watch(ctx) {
			break
		}
		ended, cancel := context.WithCancel(ctx)
		cancel()
		for c, err := range ca.Workload("a").Watch(ended) {
			t.Errorf("got %s, %v", c, err)
		}
	})
}

func TestStaticSourcesSayOneThing(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		c := first(t, newCA(t, tlsid.CAConfig{}).Workload("a"))
		seen := watch(ctx, tlsid.Static(c))
		pass(time.Hour)
		if len(seen.all()) != 1 || seen.all()[0].credential != c {
			t.Errorf("got %v", seen.all())
		}
	})
}
