// What it takes to look at the admin pages in a real browser. A module of its own,
// so that the library's tests need no Chromium.
module github.com/inmesh-go/inmesh/internal/browser

go 1.26.0

replace github.com/inmesh-go/inmesh => ../..
