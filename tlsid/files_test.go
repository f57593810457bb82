package tlsid_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/inmesh-go/inmesh/tlsid"
)

// A secret is a directory as cert-manager's CSI driver or a mounted Secret has it.
type secret struct {
	t   *testing.T
	dir string
}

func (s secret) path(name string) string { return filepath.Join(s.dir, name) }

func (s secret) files() tlsid.Files {
	return tlsid.Files{Certificate: s.path("tls.crt"), Key: s.path("tls.key"), Roots: s.path("ca.crt")}
}

func (s secret) write(name string, text []byte) {
	s.t.Helper()
	if err := os.WriteFile(s.path(name), text, 0o644); err != nil {
		s.t.Fatal(err)
	}
}

func (s secret) issue(by authority, change func(*x509.Certificate)) tls.Certificate {
	s.t.Helper()
	pair := by.leaf(s.t, change, peerID)
	s.write("tls.crt", certificatePEM(pair.Certificate...))
	s.write("tls.key", keyPEM(s.t, pair))
	s.write("ca.crt", certificatePEM(by.certificate.Raw))
	return pair
}

func certificatePEM(der ...[]byte) (text []byte) {
	for _, c := range der {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c})...)
	}
	return text
}

func keyPEM(t testing.TB, pair tls.Certificate) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// secretBubble runs a test in a bubble with a secret of an authority's leaf.
func secretBubble(t *testing.T, test func(ctx context.Context, s secret, root authority)) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		s, root := secret{t, t.TempDir()}, newAuthority(t, "root")
		s.issue(root, nil)
		test(ctx, s, root)
	})
}

func has(c tlsid.Credential, pair tls.Certificate) bool {
	return c.Certificate().Leaf.Equal(pair.Leaf)
}

func TestFilesAreACredential(t *testing.T) {
	secretBubble(t, func(ctx context.Context, s secret, root authority) {
		seen := watch(ctx, s.files())
		pass(time.Minute)
		c := last(t, seen)
		if len(seen.all()) != 1 || c.ID().String() != peerID || !c.Bundles().Equal(trusting(domain(t, "td"), root)) {
			t.Errorf("got %v", seen.all())
		}
	})
}

func TestFilesMayHoldIntermediatesAndOthersRoots(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		s, root, friend := secret{t, t.TempDir()}, newAuthority(t, "root"), newAuthority(t, "friend")
		pair := root.under(t, "middle", nil).leaf(t, nil, peerID)
		s.write("all.pem", append(certificatePEM(pair.Certificate...), keyPEM(t, pair)...))
		s.write("ca.crt", append([]byte("# roots\n"), certificatePEM(root.certificate.Raw)...))
		s.write("friend.crt", certificatePEM(friend.certificate.Raw))
		c := first(t, tlsid.Files{
			Certificate: s.path("all.pem"), Key: s.path("all.pem"), Roots: s.path("ca.crt"),
			OtherRoots: map[tlsid.TrustDomain]string{domain(t, "friend"): s.path("friend.crt")},
		})
		if len(c.Certificate().Certificate) != 2 || len(c.Bundles().Domains()) != 2 {
			t.Errorf("got %s", c)
		}
	})
}

func TestFilesThatAreReplacedOneByOneAreNoNews(t *testing.T) {
	secretBubble(t, func(ctx context.Context, s secret, root authority) {
		seen := watch(ctx, s.files())
		pass(time.Second / 2)
		pair := root.leaf(t, nil, peerID)
		s.write("tls.crt", certificatePEM(pair.Certificate...))
		pass(time.Second)
		s.write("tls.key", keyPEM(t, pair))
		pass(time.Second)
		quiet(t, seen)
		if len(seen.all()) != 2 || !has(last(t, seen), pair) {
			t.Errorf("got %v", seen.all())
		}
	})
}

// A look at any time may come while a file is being written: what is half there may
// well be roots, only fewer.
func TestNoHalfOfAFileIsTaken(t *testing.T) {
	for begun := time.Duration(0); begun < time.Second; begun += 10 * time.Millisecond {
		secretBubble(t, func(ctx context.Context, s secret, root authority) {
			own, other := certificatePEM(root.certificate.Raw), certificatePEM(newAuthority(t, "other").certificate.Raw)
			s.write("ca.crt", append(own, other...))
			seen := watch(ctx, s.files())
			pass(begun)
			s.write("ca.crt", own)
			pass(20 * time.Millisecond)
			s.write("ca.crt", append(append(own, other...), certificatePEM(newAuthority(t, "third").certificate.Raw)...))
			pass(2 * time.Second)
			for i, n := range seen.all() {
				if got := len(n.credential.Bundles().Roots(domain(t, "td"))); n.err != nil || got != i+2 {
					t.Errorf("written %v after the start: %v", begun, n)
				}
			}
		})
	}
}

func TestASwappedLinkIsFollowed(t *testing.T) {
	secretBubble(t, func(ctx context.Context, s secret, root authority) {
		mounted := secret{t, s.path("..data")}
		old, fresh := secret{t, s.path("1")}, secret{t, s.path("2")}
		for _, dir := range []string{old.dir, fresh.dir} {
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
		}
		old.issue(root, nil)
		pair := fresh.issue(newAuthority(t, "new"), nil)
		link := func(dir string) {
			if err := errors.Join(os.Symlink(dir, s.path("new")), os.Rename(s.path("new"), mounted.dir)); err != nil {
				t.Fatal(err)
			}
		}
		link("1")
		seen := watch(ctx, mounted.files())
		pass(time.Second / 2)
		link("2")
		pass(time.Second)
		quiet(t, seen)
		if len(seen.all()) != 2 || !has(last(t, seen), pair) {
			t.Errorf("got %v", seen.all())
		}
	})
}

// TestUnfitFiles: each of them is told by name at the start; later it changes
// nothing, is told once, and when it is mended that is told too.
func TestUnfitFiles(t *testing.T) {
	now := time.Now()
	for name, c := range map[string]struct {
		spoil func(s secret, root authority)
		says  []string
	}{
		"no certificate": {func(s secret, _ authority) { os.Remove(s.path("tls.crt")) }, []string{"tls.crt: no such file"}},
		"no key":         {func(s secret, _ authority) { os.Remove(s.path("tls.key")) }, []string{"tls.key: no such file"}},
		"no roots":       {func(s secret, _ authority) { os.Remove(s.path("ca.crt")) }, []string{"ca.crt: no such file"}},
		"nothing": {func(s secret, _ authority) { os.RemoveAll(s.dir) },
			[]string{"tls.crt: no such file", "tls.key: no such file", "ca.crt: no such file"}},
		"a directory": {func(s secret, _ authority) {
			os.Remove(s.path("tls.key"))
			os.Mkdir(s.path("tls.key"), 0o700)
		}, []string{"tls.key: it is not a regular file"}},
		"a long file":          {func(s secret, _ authority) { s.write("ca.crt", make([]byte, 5<<20)) }, []string{"ca.crt: longer than"}},
		"an empty certificate": {func(s secret, _ authority) { s.write("tls.crt", nil) }, []string{"tls.crt: there is no PEM block CERTIFICATE"}},
		"an empty key":         {func(s secret, _ authority) { s.write("tls.key", nil) }, []string{"tls.key: there is no PEM block PRIVATE KEY"}},
		"empty roots":          {func(s secret, _ authority) { s.write("ca.crt", nil) }, []string{"ca.crt: there is no PEM block CERTIFICATE"}},
		"a spoilt certificate": {func(s secret, _ authority) { s.write("tls.crt", certificatePEM([]byte("x"))) }, []string{"tls.crt: certificate 1"}},
		"a spoilt key": {func(s secret, _ authority) {
			s.write("tls.key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("x")}))
		}, []string{"tls.crt", "tls.key", "failed to parse private key"}},
		"an encrypted key": {func(s secret, _ authority) {
			s.write("tls.key", pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("x")}))
		}, []string{"tls.key: the private key is encrypted"}},
		"an old encrypted key": {func(s secret, _ authority) {
			s.write("tls.key", pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES"}, Bytes: []byte("x")}))
		}, []string{"tls.key: the private key is encrypted"}},
		"another key": {func(s secret, root authority) { s.write("tls.key", keyPEM(t, root.leaf(t, nil, peerID))) },
			[]string{"tls.crt", "tls.key", "private key does not match"}},
		"a root that is cut off": {func(s secret, root authority) {
			other := certificatePEM(newAuthority(t, "other").certificate.Raw)
			s.write("ca.crt", append(certificatePEM(root.certificate.Raw), other[:len(other)/2]...))
		}, []string{"ca.crt: 2 PEM blocks begin in it, and 1 can be read"}},
		"a key among the roots": {func(s secret, root authority) { s.write("ca.crt", keyPEM(t, root.leaf(t, nil, peerID))) },
			[]string{`ca.crt: a PEM block is "PRIVATE KEY"`}},
		"a leaf among the roots": {func(s secret, root authority) { s.write("ca.crt", certificatePEM(root.leaf(t, nil, peerID).Leaf.Raw)) },
			[]string{"ca.crt: certificate 1 is not of a CA"}},
		"other roots": {func(s secret, _ authority) {
			s.write("ca.crt", certificatePEM(newAuthority(t, "other").certificate.Raw))
		},
			[]string{"tls.crt", "ca.crt", "do not vouch for it"}},
		"no identity": {func(s secret, root authority) {
			pair := root.leaf(t, nil)
			s.write("tls.crt", certificatePEM(pair.Certificate...))
			s.write("tls.key", keyPEM(t, pair))
		}, []string{"tls.crt", "0 URI names"}},
		"expired": {func(s secret, root authority) {
			s.issue(root, func(c *x509.Certificate) { c.NotBefore, c.NotAfter = now.Add(-time.Hour), now.Add(-time.Minute) })
		}, []string{"tls.crt", "out of time: expired at"}},
	} {
		t.Run(name, func(t *testing.T) {
			secretBubble(t, func(ctx context.Context, s secret, root authority) {
				now = time.Now()
				before := watch(ctx, s.files())
				pass(time.Second / 2)
				c.spoil(s, root)
				at := watch(ctx, s.files())
				synctest.Wait()
				told(t, at, 0, c.says)
				pass(5 * time.Second)
				told(t, before, 1, c.says)
				os.MkdirAll(s.dir, 0o700)
				os.Remove(s.path("tls.key"))
				pair := s.issue(root, nil)
				pass(time.Second)
				for _, seen := range []*record{before, at} {
					if n := seen.all()[len(seen.all())-1]; n.err != nil || !has(n.credential, pair) {
						t.Errorf("mended, but %v", seen.all())
					}
				}
			})
		})
	}
}

// told holds a record to the number of credentials and then one error.
func told(t *testing.T, seen *record, credentials int, says []string) {
	t.Helper()
	all := seen.all()
	if len(all) != credentials+1 || all[credentials].err == nil {
		t.Fatalf("got %v, want one error", all)
	}
	for _, s := range says {
		if !strings.Contains(all[credentials].err.Error(), s) {
			t.Errorf("got %v, want %s in it", all[credentials].err, s)
		}
	}
}

func TestOtherRootsAreOfOthers(t *testing.T) {
	secretBubble(t, func(ctx context.Context, s secret, root authority) {
		files := s.files()
		files.OtherRoots = map[tlsid.TrustDomain]string{domain(t, "td"): s.path("ca.crt")}
		seen := watch(ctx, files)
		synctest.Wait()
		told(t, seen, 0, []string{"OtherRoots has the own trust domain td"})
	})
}

func TestPathsAreRequired(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		seen := watch(ctx, tlsid.Files{})
		synctest.Wait()
		told(t, seen, 0, []string{"Certificate, Key and Roots are required"})
	})
}

func TestACertificateThatIsNotValidYetIsTakenWhenItIs(t *testing.T) {
	secretBubble(t, func(ctx context.Context, s secret, root authority) {
		pair := s.issue(root, func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) })
		seen := watch(ctx, s.files())
		pass(61 * time.Second)
		if all := seen.all(); len(all) != 2 || !errors.Is(all[0].err, tlsid.ErrOutOfTime) || !has(last(t, seen), pair) {
			t.Errorf("got %v", all)
		}
	})
}

// TestACertificateThatNobodyRenews is told when a fifth of its life is left,
// and when it is over; other trouble does not hide that.
func TestACertificateThatNobodyRenews(t *testing.T) {
	secretBubble(t, func(ctx context.Context, s secret, root authority) {
		start := time.Now()
		s.issue(root, func(c *x509.Certificate) { c.NotBefore, c.NotAfter = start, start.Add(100*time.Minute) })
		seen := watch(ctx, s.files())
		pass(70 * time.Minute)
		s.write("tls.key", []byte("spoilt"))
		pass(40 * time.Minute)
		all := seen.all()
		if len(all) != 4 {
			t.Fatalf("got %v", all)
		}
		for i, c := range []struct {
			after time.Duration
			is    error
		}{{70 * time.Minute, nil}, {80 * time.Minute, tlsid.ErrExpiring}, {100 * time.Minute, tlsid.ErrOutOfTime}} {
			n := all[i+1]
			late := n.at.Sub(start) - c.after
			if late < 0 || late > 2*time.Second || c.is != nil && !errors.Is(n.err, c.is) || !strings.Contains(n.err.Error(), "tls.key") {
				t.Errorf("after %s: %v, want %v after %s", n.at.Sub(start), n.err, c.is, c.after)
			}
		}
	})
}
