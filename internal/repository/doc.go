// Package repository holds what is true of the repository as a whole, as tests:
// who may import whom and why, what a package may link, how its code is written
// and documented. It has no other code.
package repository
