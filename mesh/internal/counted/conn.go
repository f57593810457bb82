package counted

import (
	"errors"
	"io"
	"math"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// A Config says what becomes of a connection.
type Config struct {
	Idle time.Duration // ends it after so long without a byte in either direction. Zero: never
	Age  time.Duration // ends it after so long. Zero: never
	// Unwatched says that nobody asks for Traffic before the end. Without Idle, the
	// kernel may then copy from socket to socket.
	Unwatched bool
	// Closed is called once, when the connection has been closed, by whomever; nil:
	// nobody is told. A Read that was under way may come back with bytes even then:
	// Late is called after it.
	Closed, Late func()
	Owner        any // for who finds the connection again, see Owner
}

// A Conn is a connection.
type Conn struct {
	net.Conn
	config Config
	start  time.Time

	read, written atomic.Int64
	active        atomic.Int64 // when a byte has passed last, after start
	writing       sync.Mutex   // keeps the steps of a Write, or of a file, together
	timers        [2]*time.Timer

	once   sync.Once
	err    error // of the first Close
	closed atomic.Bool
	ended  atomic.Pointer[endError] // by which rule
}

// New begins to count; inner is the Conn's own from now on. Its time begins with
// Start.
func New(inner net.Conn, c Config) *Conn { return &Conn{Conn: inner, config: c, start: time.Now()} }

// Start begins the time of the connection, once, and returns it for use.
func (c *Conn) Start() net.Conn {
	limits := [...]time.Duration{c.config.Idle, c.config.Age}
	for i, ring := range [...]func(){c.idle, c.aged} {
		if limits[i] > 0 { // all timers are known before the first can fire
			c.timers[i] = time.AfterFunc(math.MaxInt64, ring)
		}
	}
	for i, t := range c.timers {
		if t != nil {
			t.Reset(limits[i])
		}
	}
	return c.face()
}

// Traffic is how many bytes have been read and written.
func (c *Conn) Traffic() (read, written int64) { return c.read.Load(), c.written.Load() }

// Ended is the rule that has ended the connection; nil: none has.
func (c *Conn) Ended() error {
	if e := c.ended.Load(); e != nil {
		return e
	}
	return nil
}

// Aged reports that it was for its age.
func (c *Conn) Aged() bool { e := c.ended.Load(); return e != nil && e.aged }

// Owner is Config.Owner.
func (c *Conn) Owner() any { return c.config.Owner }

// Read implements net.Conn.
func (c *Conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.passed(&c.read, int64(n))
	return n, c.explain("read", err)
}

// step is how much is written between two looks at the count.
const step = 128 << 10

// Write implements net.Conn. What is longer than a step is counted step by step, so
// that a slow peer does not look like an idle one.
func (c *Conn) Write(p []byte) (n int, err error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	for {
		part, err := c.Conn.Write(p[n:min(len(p), n+step)])
		n += part
		c.passed(&c.written, int64(part))
		if err != nil || n == len(p) {
			return n, c.explain("write", err)
		}
	}
}

func (c *Conn) passed(count *atomic.Int64, n int64) {
	if n <= 0 {
		return
	}
	count.Add(n)
	if c.config.Idle > 0 {
		c.active.Store(int64(time.Since(c.start)))
	}
	if c.closed.Load() && c.config.Late != nil {
		c.config.Late()
	}
}

// Close implements net.Conn. Further calls return what the first did.
func (c *Conn) Close() error {
	first := false
	c.once.Do(func() { c.shut(); first = true })
	if first && c.config.Closed != nil { // who is told may close it again
		c.config.Closed()
	}
	return c.err
}

func (c *Conn) shut() {
	for _, t := range c.timers {
		if t != nil {
			t.Stop()
		}
	}
	c.err = c.Conn.Close()
	c.closed.Store(true)
}

// idle ends the connection, unless a byte has passed meanwhile.
func (c *Conn) idle() {
	since := time.Since(c.start) - time.Duration(c.active.Load())
	if left := c.config.Idle - since; left > 0 {
		c.timers[0].Reset(left)
		return
	}
	c.end(&endError{text: "idle for " + c.config.Idle.String() + " (connectionPool.tcp.idleTimeout)"})
}

func (c *Conn) aged() {
	c.end(&endError{aged: true, text: "has lasted for " + c.config.Age.String() + " (connectionPool.tcp.maxConnectionDuration)"})
}

func (c *Conn) end(why *endError) {
	if !c.closed.Load() {
		c.ended.CompareAndSwap(nil, why)
	}
	_ = c.Close()
}

// An endError is the rule that has ended a connection. It is a net.ErrClosed.
type endError struct {
	text string
	aged bool
}

func (e *endError) Error() string { return "closed by a rule: " + e.text }

// Is makes it a net.ErrClosed: nothing more will come of the connection.
func (e *endError) Is(target error) bool { return target == net.ErrClosed }

// explain says of an error that came of a rule which one it was.
func (c *Conn) explain(op string, err error) error {
	why := c.ended.Load()
	if err == nil || why == nil || errors.Is(err, io.EOF) {
		return err
	}
	return &net.OpError{Op: op, Net: c.LocalAddr().Network(), Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: why}
}
