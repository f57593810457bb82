// Package h1 writes and reads HTTP/1.1 on the caller's own goroutine, over pooled
// connections: for plain requests it does what http.Transport does, in less time.
//
//	pool := h1.New(h1.Config{Dial: dial, IdleTimeout: time.Minute})
//	defer pool.CloseIdle()
//	if pool.Takes(request) {
//		response, err := pool.RoundTrip(request)
//	}
package h1
