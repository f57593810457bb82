// Package replay makes a request body that can be sent again.
//
//	body := replay.New(req.Body, req.GetBody, req.ContentLength, 64<<10)
//	out.Body, err = body.Next()            // first attempt: streams, and keeps what it reads
//	if failed && body.Replayable() {
//		again.Body, err = body.Next()      // cuts the first off, and starts from the beginning
//	}
//	body.Finish()                          // a response is there: the attempt owns the body now
//	body.Close()                           // or: given up
//
// A request with GetBody gets its later bodies from there. Any other body is
// kept in memory as the first attempt reads it, never before, up to a limit;
// past it the bytes are let go and the body cannot be sent again. A body that
// declares to be longer than the limit is not kept at all, and can be sent
// again only while nothing of it was read. All attempts read the same bytes
// with the same end, be it io.EOF or an error.
//
// Every path must end in Finish or Close. Then the original is closed exactly
// once, even if nobody read it.
//
// Concurrency: a RoundTripper may read and close an attempt's body after it has
// returned, in a goroutine of its own. So all methods of Body and of the
// readers are safe for concurrent use; the original is never read by two
// goroutines at once; and when the next attempt starts, the reader of the one
// before returns ErrCut from then on. What it was just reading from the
// original goes to its successor.
//
// Limits: an attempt's reader has no WriteTo, so a file body that is sent through
// it takes no sendfile.
package replay
