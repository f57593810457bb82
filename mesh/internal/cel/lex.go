package cel

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A token is a word of an expression.
type token struct {
	kind tokenKind
	text string // of a string, what it means; of all else, as it is written
	at   int    // offset
}

type tokenKind uint8

const (
	tokenEnd tokenKind = iota
	tokenName
	tokenNumber
	tokenString
	tokenMark // an operator or a bracket
)

// A lexer cuts an expression into tokens.
type lexer struct {
	in string
	at int
}

// marks are tried in this order: the longer ones first.
var marks = [...]string{"&&", "||", "==", "!=", "<=", ">=", "<", ">", "!", "+", "-", "*", "/", "%", "(", ")", "[", "]", ".", ",", "?", ":"}

func (l *lexer) next() (token, error) {
	l.skip()
	switch c := l.peek(); {
	case l.at == len(l.in):
		return token{at: l.at}, nil
	case c == '"' || c == '\'' || (c == 'r' || c == 'R') && l.quoteAt(l.at+1):
		return l.text()
	case digit(c):
		return l.number(), nil
	case letter(c):
		return l.span(tokenName, func(c byte) bool { return letter(c) || digit(c) }), nil
	}
	for _, m := range marks {
		if strings.HasPrefix(l.in[l.at:], m) {
			l.at += len(m)
			return token{tokenMark, m, l.at - len(m)}, nil
		}
	}
	return token{}, l.fault("unexpected %q", l.in[l.at:l.at+1])
}

// skip passes over white space, and comments, which end with their line.
func (l *lexer) skip() {
	for {
		rest := strings.TrimLeft(l.in[l.at:], " \t\r\n\f")
		if strings.HasPrefix(rest, "//") {
			_, rest, _ = strings.Cut(rest, "\n")
			l.at = len(l.in) - len(rest)
			continue
		}
		l.at = len(l.in) - len(rest)
		return
	}
}

func (l *lexer) peek() byte {
	if l.at < len(l.in) {
		return l.in[l.at]
	}
	return 0
}

func (l *lexer) quoteAt(i int) bool { return i < len(l.in) && (l.in[i] == '"' || l.in[i] == '\'') }

func (l *lexer) span(k tokenKind, in func(byte) bool) token {
	start := l.at
	for l.at < len(l.in) && in(l.in[l.at]) {
		l.at++
	}
	return token{k, l.in[start:l.at], start}
}

// number reads what begins with a digit.
func (l *lexer) number() token {
	t := l.span(tokenNumber, func(c byte) bool { return digit(c) || letter(c) || c == '.' })
	if last := t.text[len(t.text)-1]; (last == 'e' || last == 'E') && !strings.HasPrefix(t.text, "0x") && l.at < len(l.in) && (l.in[l.at] == '-' || l.in[l.at] == '+') {
		l.at++
		l.span(tokenNumber, digit)
		t.text = l.in[t.at:l.at]
	}
	return t
}

// text reads a string: quoted once or three times, raw or with escapes.
func (l *lexer) text() (token, error) {
	start := l.at
	raw := l.in[l.at] == 'r' || l.in[l.at] == 'R'
	if raw {
		l.at++
	}
	quote := l.in[l.at : l.at+1]
	if triple := strings.Repeat(quote, 3); strings.HasPrefix(l.in[l.at:], triple) {
		quote = triple
	}
	l.at += len(quote)
	var b strings.Builder
	for !strings.HasPrefix(l.in[l.at:], quote) {
		if l.at == len(l.in) || len(quote) == 1 && l.in[l.at] == '\n' {
			return token{}, l.fault("a string is not closed")
		}
		if err := l.char(&b, raw); err != nil {
			return token{}, err
		}
	}
	l.at += len(quote)
	return token{tokenString, b.String(), start}, nil
}

// char reads one character of a string.
func (l *lexer) char(b *strings.Builder, raw bool) error {
	if l.in[l.at] == '\\' && !raw {
		return l.escape(b)
	}
	_, size := utf8.DecodeRuneInString(l.in[l.at:])
	b.WriteString(l.in[l.at : l.at+size])
	l.at += size
	return nil
}

// plainEscapes are those of one letter.
const plainEscapes = "a\ab\bf\fn\nr\rt\tv\v\\\\''\"\"``??"

func (l *lexer) escape(b *strings.Builder) error {
	if l.at+1 >= len(l.in) {
		return l.fault("a string is not closed")
	}
	c := l.in[l.at+1]
	for i := 0; i < len(plainEscapes); i += 2 {
		if plainEscapes[i] == c {
			b.WriteByte(plainEscapes[i+1])
			l.at += 2
			return nil
		}
	}
	digits, base, skip := map[byte]int{'x': 2, 'X': 2, 'u': 4, 'U': 8}[c], 16, 2
	if c >= '0' && c <= '3' {
		digits, base, skip = 3, 8, 1
	}
	end := l.at + skip + digits
	if digits == 0 || end > len(l.in) {
		return l.fault(`no such escape: \%c`, c)
	}
	r, err := strconv.ParseUint(l.in[l.at+skip:end], base, 32)
	if err != nil || !utf8.ValidRune(rune(r)) {
		return l.fault("no such character: %s", l.in[l.at:end])
	}
	b.WriteRune(rune(r))
	l.at = end
	return nil
}

func (l *lexer) fault(format string, args ...any) error {
	return fmt.Errorf("column %d: "+format, append([]any{l.at + 1}, args...)...)
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

func letter(c byte) bool { return c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z' }
