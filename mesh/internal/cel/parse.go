package cel

import (
	"fmt"
	"strconv"
	"strings"
)

// An expr is a compiled expression.
type expr func(Attributes) Value

// Attributes are what names in an expression stand for.
type Attributes interface {
	// Attribute is that of a name with one dot, such as request.path; Absent if
	// there is none.
	Attribute(name string) Value
}

// A Program is an expression that is ready to be evaluated.
type Program struct {
	eval  expr
	names []string
}

// Limits of an expression: rules are read by people.
const (
	maxLength = 4096
	maxDepth  = 50
)

// Parse compiles an expression, or says in which column it cannot.
func Parse(text string) (*Program, error) {
	if len(text) > maxLength {
		return nil, fmt.Errorf("%d bytes long: want at most %d", len(text), maxLength)
	}
	p := &parser{lexer: lexer{in: text}}
	if err := p.advance(); err != nil {
		return nil, err
	}
	e, err := p.ternary()
	if err != nil {
		return nil, err
	}
	if p.token.kind != tokenEnd {
		return nil, p.unexpected("the end")
	}
	return &Program{e, p.names}, nil
}

// Eval is what the expression comes to.
func (p *Program) Eval(a Attributes) Value { return p.eval(a) }

// Names are the attributes that the expression asks for.
func (p *Program) Names() []string { return p.names }

// A parser goes through the tokens once; each method reads what binds at least as
// tightly as its name says.
type parser struct {
	lexer
	token token    // the next
	taken [2]token // the last two before it
	names []string
	depth int
}

func (p *parser) advance() (err error) {
	p.taken = [2]token{p.taken[1], p.token}
	p.token, err = p.next()
	return err
}

func (p *parser) is(mark string) bool { return p.token.kind == tokenMark && p.token.text == mark }

// accept takes a mark if it is next.
func (p *parser) accept(mark string) (bool, error) {
	if !p.is(mark) {
		return false, nil
	}
	return true, p.advance()
}

func (p *parser) expect(mark string) error {
	if !p.is(mark) {
		return p.unexpected(strconv.Quote(mark))
	}
	return p.advance()
}

func (p *parser) unexpected(want string) error {
	got := strconv.Quote(p.token.text)
	if p.token.kind == tokenEnd {
		got = "the end"
	}
	return fmt.Errorf("column %d: %s: want %s", p.token.at+1, got, want)
}

func (p *parser) ternary() (expr, error) {
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > maxDepth {
		return nil, fmt.Errorf("column %d: more than %d levels deep", p.token.at+1, maxDepth)
	}
	cond, err := p.binary(0)
	if err != nil {
		return nil, err
	}
	if ok, err := p.accept("?"); !ok || err != nil {
		return cond, err
	}
	yes, err := p.ternary()
	if err != nil {
		return nil, err
	}
	if err := p.expect(":"); err != nil {
		return nil, err
	}
	no, err := p.ternary()
	return choose(cond, yes, no), err
}

// levels are the binary operators, those that bind loosest first.
var levels = [...][]string{{"||"}, {"&&"}, {"==", "!=", "<=", ">=", "<", ">", "in"}, {"+", "-"}, {"*", "/", "%"}}

func (p *parser) binary(level int) (expr, error) {
	if level == len(levels) {
		return p.unary()
	}
	left, err := p.binary(level + 1)
	for err == nil {
		op := p.operator(level)
		if op == "" {
			return left, nil
		}
		var right expr
		if err = p.advance(); err == nil {
			right, err = p.binary(level + 1)
			left = operators[op](left, right)
		}
	}
	return nil, err
}

// operator is the next token if it is an operator of the level.
func (p *parser) operator(level int) string {
	if p.token.kind != tokenMark && p.token.kind != tokenName {
		return ""
	}
	for _, op := range levels[level] {
		if op == p.token.text {
			return op
		}
	}
	return ""
}

func (p *parser) unary() (expr, error) {
	for _, mark := range [...]string{"!", "-"} {
		if !p.is(mark) {
			continue
		}
		if p.depth++; p.depth > maxDepth {
			return nil, fmt.Errorf("column %d: more than %d levels deep", p.token.at+1, maxDepth)
		}
		defer func() { p.depth-- }()
		if err := p.advance(); err != nil {
			return nil, err
		}
		if mark == "-" && p.token.kind == tokenNumber { // the least of all ints has no positive one
			return p.numeral(mark)
		}
		e, err := p.unary()
		if mark == "!" {
			return not(e), err
		}
		return negate(e), err
	}
	return p.member()
}

// member reads a primary and what follows it: .name, .function(), [index].
func (p *parser) member() (expr, error) {
	e, err := p.primary()
	for err == nil {
		switch {
		case p.is("."):
			e, err = p.selection(e)
		case p.is("["):
			e, err = p.index(e)
		default:
			return e, nil
		}
	}
	return nil, err
}

func (p *parser) index(of expr) (expr, error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	key, err := p.ternary()
	if err != nil {
		return nil, err
	}
	return index(of, key), p.expect("]")
}

func (p *parser) selection(of expr) (expr, error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	name, err := p.name()
	if err != nil {
		return nil, err
	}
	if p.is("(") {
		return p.call(name, of)
	}
	return index(of, constant(String(name))), nil
}

func (p *parser) name() (string, error) {
	if p.token.kind != tokenName {
		return "", p.unexpected("a name")
	}
	name := p.token.text
	return name, p.advance()
}

func (p *parser) primary() (expr, error) {
	t := p.token
	switch {
	case t.kind == tokenString:
		return constant(String(t.text)), p.advance()
	case t.kind == tokenNumber:
		return p.numeral("")
	case t.kind == tokenName:
		return p.named()
	case p.is("["):
		elements, err := p.elements("[", "]")
		return list(elements), err
	case p.is("("):
		if err := p.advance(); err != nil {
			return nil, err
		}
		e, err := p.ternary()
		if err != nil {
			return nil, err
		}
		return e, p.expect(")")
	}
	return nil, p.unexpected("a value")
}

// numeral reads a number whose sign, if it has one, has been read.
func (p *parser) numeral(sign string) (expr, error) {
	v, ok := number(sign, p.token.text)
	if !ok {
		return nil, p.unexpected("a number")
	}
	return constant(v), p.advance()
}

// number is an int, in decimal or hexadecimal, or a double. The u of unsigned ones is
// left out: there is one kind of ints.
func number(sign, text string) (Value, bool) {
	digits, base := text, 10
	if last := text[len(text)-1] | 0x20; last == 'u' {
		digits = text[:len(text)-1]
	}
	if hex, ok := strings.CutPrefix(digits, "0x"); ok {
		digits, base = hex, 16
	}
	if n, err := strconv.ParseInt(sign+digits, base, 64); err == nil {
		return Int(n), true
	}
	f, err := strconv.ParseFloat(sign+text, 64)
	isDouble := strings.ContainsAny(text, ".eE") && !strings.ContainsAny(text, "xX_") && !strings.HasSuffix(text, ".")
	return Double(f), err == nil && isDouble
}

// named reads what begins with a name: a literal, a function, an attribute.
func (p *parser) named() (expr, error) {
	name, err := p.name()
	if err != nil {
		return nil, err
	}
	switch name {
	case "true", "false":
		return constant(Bool(name == "true")), nil
	case "null":
		return constant(Value{kind: kindNull}), nil
	case "in":
		return nil, fmt.Errorf("column %d: %q: want a value", p.token.at+1, name)
	}
	if p.is("(") {
		if name == "has" {
			return p.has()
		}
		return p.call(name, nil)
	}
	if p.is(".") {
		return p.dotted(name)
	}
	return p.attribute(name), nil
}

// dotted reads what follows the first part of an attribute's name: the second, or
// a method of an attribute that has one part.
func (p *parser) dotted(first string) (expr, error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	second, err := p.name()
	if err != nil {
		return nil, err
	}
	if p.is("(") {
		return p.call(second, p.attribute(first))
	}
	return p.attribute(first + "." + second), nil
}

func (p *parser) attribute(name string) expr {
	p.names = append(p.names, name)
	return func(a Attributes) Value { return a.Attribute(name) }
}

// has reads has(e.name): whether an attribute, or a key of one, is there. Of anything
// else, an index too, nobody can ask that: "invalid argument to has() macro" (CEL).
func (p *parser) has() (expr, error) {
	if err := p.expect("("); err != nil {
		return nil, err
	}
	e, err := p.member()
	if err != nil {
		return nil, err
	}
	if p.taken[0].text != "." || p.taken[1].kind != tokenName {
		return nil, fmt.Errorf("column %d: has: want a name with a dot, or write 'key' in map", p.token.at+1)
	}
	return func(a Attributes) Value {
		if v := e(a); v.kind == kindError {
			return v
		} else {
			return Bool(v.kind != kindAbsent)
		}
	}, p.expect(")")
}

// elements reads a list in brackets.
func (p *parser) elements(open, end string) (out []expr, err error) {
	if err := p.expect(open); err != nil {
		return nil, err
	}
	for !p.is(end) {
		e, err := p.ternary()
		if err != nil {
			return nil, err
		}
		out = append(out, e)
		if more, err := p.accept(","); err != nil || !more {
			if err != nil {
				return nil, err
			}
			break
		}
	}
	return out, p.expect(end)
}

// call reads the arguments of a function; of a method, the receiver is the first.
func (p *parser) call(name string, receiver expr) (expr, error) {
	arguments, err := p.elements("(", ")")
	if err != nil {
		return nil, err
	}
	if receiver != nil {
		arguments = append([]expr{receiver}, arguments...)
	}
	f, ok := functions[name]
	if !ok || f.method != (receiver != nil) && !f.both {
		return nil, fmt.Errorf("%s: no such function", name)
	}
	if len(arguments) != f.arity {
		return nil, fmt.Errorf("%s: %d arguments: want %d", name, len(arguments), f.arity)
	}
	return apply(f.make(), arguments), nil
}
