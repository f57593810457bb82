// Package browser drives a headless Chromium, and opens the admin pages of the
// running tour in it.
//
//	b, err := browser.Start(ctx, profile)      // a directory of its own
//	page, err := b.Open(ctx)
//	err = page.Go(ctx, "http://127.0.0.1:15000/")
//	err = page.Await(ctx, `document.querySelectorAll(".node").length > 5`)
//	page.Complaints()                          // console errors, exceptions, breaches of the content security policy
//
// It speaks the DevTools protocol through a pair of pipes: there is no port that
// others could connect to, and no dependency.
//
// # Defaults
//
//  1. The browser is the program chromium or chromium-browser on the PATH: Debian's
//     package chromium.
//  2. A page is 1280 by 800 pixels, light, and moves nothing.
//
// # Concurrency
//
// A Browser may be used by many goroutines, a Page by one at a time.
package browser
