package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/inmesh-go/inmesh/discovery/consul"
)

const (
	// around is how many lines are shown before and after those that change.
	around = 2
	// maxPairs bounds the pairs of lines that are compared: some 32 MiB.
	maxPairs = 4 << 20
)

// A lineChange is a line of an object, with what becomes of it: '-', '+', or ' '
// if it stays.
type lineChange struct {
	sign byte
	text string
}

// writeLines shows the lines of an object that change, those around them, and
// … for what is left out.
func writeLines(w io.Writer, c consul.Change) {
	lines := compare(split(c.Old), split(c.New))
	left := false
	for i, l := range lines {
		if !nearChange(lines, i) {
			left = true
			continue
		}
		if left {
			fmt.Fprintln(w, "    …")
			left = false
		}
		fmt.Fprintf(w, "  %c %s\n", l.sign, l.text)
	}
}

func nearChange(lines []lineChange, i int) bool {
	for _, l := range lines[max(0, i-around):min(len(lines), i+around+1)] {
		if l.sign != ' ' {
			return true
		}
	}
	return false
}

func split(document string) []string {
	if document == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(document, "\n"), "\n")
}

// compare finds the fewest lines to take away and to add: what stays is a longest
// common subsequence. https://en.wikipedia.org/wiki/Longest_common_subsequence
// Of objects that are too long for that, all lines go and come.
func compare(old, new []string) (out []lineChange) {
	if len(old)*len(new) > maxPairs {
		return append(signed('-', old), signed('+', new)...)
	}
	kept := common(old, new)
	for i, j := 0, 0; i < len(old) || j < len(new); {
		switch {
		case i < len(old) && j < len(new) && old[i] == new[j]:
			out = append(out, lineChange{' ', old[i]})
			i, j = i+1, j+1
		case j == len(new) || i < len(old) && kept[i+1][j] >= kept[i][j+1]:
			out = append(out, lineChange{'-', old[i]})
			i++
		default:
			out = append(out, lineChange{'+', new[j]})
			j++
		}
	}
	return out
}

func signed(sign byte, lines []string) (out []lineChange) {
	for _, l := range lines {
		out = append(out, lineChange{sign, l})
	}
	return out
}

// common is, for each two rests of old and new, how many lines of them can stay.
func common(old, new []string) [][]int {
	n := make([][]int, len(old)+1)
	for i := range n {
		n[i] = make([]int, len(new)+1)
	}
	for i := len(old) - 1; i >= 0; i-- {
		for j := len(new) - 1; j >= 0; j-- {
			if old[i] == new[j] {
				n[i][j] = n[i+1][j+1] + 1
			} else {
				n[i][j] = max(n[i+1][j], n[i][j+1])
			}
		}
	}
	return n
}
