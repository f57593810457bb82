package rules

import "strings"

// didYouMean is "; did you mean x?" for the known word nearest to the written
// one, or nothing where none is near.
func didYouMean(written string, known []string) string {
	best, distance := "", max(1, min(len(written), 64)/3)+1
	for _, k := range known {
		if d := edits(strings.ToLower(clip(written, 64)), strings.ToLower(k)); d < distance {
			best, distance = k, d
		}
	}
	if best == "" {
		return ""
	}
	return `; did you mean "` + best + `"?`
}

// edits is the Levenshtein distance: how many bytes must be put in, taken out
// or changed to make b of a.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		corner := row[0] // the distance without a[i] and b[j]
		row[0] = i + 1
		for j := range len(b) {
			change := corner
			if a[i] != b[j] {
				change++
			}
			corner = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
