package authz

import (
	"fmt"
	"strings"

	security "istio.io/api/security/v1beta1"
)

// An attribute is something that policies look at.
type attribute struct {
	// compile makes a condition of a list of values. What is wrong with them it
	// tells the list; the condition does not matter then.
	compile func(l list) condition
	// requestOnly says that a bare connection does not show it.
	requestOnly bool
}

// A list is one list of values, any of which will do.
type list struct {
	c        *compiler
	field    string // spec.rules[0].from[0].source.principals
	argument string // of a key such as request.headers[argument]
	values   []string
	// wide says that a match leads to a refusal. Where a request can be read in
	// several ways, a wide list matches if any reading does, another only if all
	// do, or the one that was sent: no reading is let through that should not be.
	wide bool
}

func (l list) refuse(i int, format string, args ...any) {
	l.c.refuse(fmt.Sprintf("%s[%d]", l.field, i), "%q: "+format, append([]any{l.values[i]}, args...)...)
}

// key is the field that names the attribute of a condition.
func (l list) key() string { return l.field[:strings.LastIndexByte(l.field, '.')] + ".key" }

// A term is one attribute as a rule has it: values, negated values, or both.
type term struct {
	field, notField   string
	attribute         attribute
	argument          string
	values, notValues []string
}

var (
	principals        = attribute{compile: compilePrincipals}
	namespaces        = attribute{compile: compileNamespaces}
	serviceAccounts   = attribute{compile: compileServiceAccounts}
	trustDomains      = attribute{compile: compileTrustDomains}
	sourceIPs         = attribute{compile: func(l list) condition { return compileAddresses(l, source) }}
	remoteIPs         = attribute{compile: compileRemote}
	destinationIPs    = attribute{compile: func(l list) condition { return compileAddresses(l, destination) }}
	ports             = attribute{compile: compilePorts}
	serverNames       = attribute{compile: func(l list) condition { return text{sni, newLowerPatterns(l.values)} }}
	requestPrincipals = attribute{compileRequestPrincipals, true}
	audiences         = attribute{func(l list) condition { return claim{[]string{"aud"}, newPatterns(l.values)} }, true}
	presenters        = attribute{func(l list) condition { return claim{[]string{"azp"}, newPatterns(l.values)} }, true}
	claims            = attribute{compileClaims, true}
	headers           = attribute{compileHeader, true}
	hosts             = attribute{compileHosts, true}
	methods           = attribute{func(l list) condition { return text{method, newPatterns(l.values)} }, true}
	paths             = attribute{compilePaths, true}
)

// keys are those of conditions.
var keys = map[string]attribute{
	"source.ip":              sourceIPs,
	"remote.ip":              remoteIPs,
	"source.namespace":       namespaces,
	"source.serviceAccount":  serviceAccounts,
	"source.principal":       principals,
	"source.trustDomain":     trustDomains,
	"request.auth.principal": requestPrincipals,
	"request.auth.audiences": audiences,
	"request.auth.presenter": presenters,
	"destination.ip":         destinationIPs,
	"destination.port":       ports,
	"connection.sni":         serverNames,
}

// keysOf are those of conditions that have an argument in brackets.
var keysOf = map[string]attribute{
	"request.headers":     headers,
	"request.auth.claims": claims,
}

func sourceTerms(s *security.Source, field string) []term {
	return []term{
		{field + "principals", field + "notPrincipals", principals, "", s.GetPrincipals(), s.GetNotPrincipals()},
		{field + "requestPrincipals", field + "notRequestPrincipals", requestPrincipals, "", s.GetRequestPrincipals(), s.GetNotRequestPrincipals()},
		{field + "namespaces", field + "notNamespaces", namespaces, "", s.GetNamespaces(), s.GetNotNamespaces()},
		{field + "serviceAccounts", field + "notServiceAccounts", serviceAccounts, "", s.GetServiceAccounts(), s.GetNotServiceAccounts()},
		{field + "trustDomains", field + "notTrustDomains", trustDomains, "", s.GetTrustDomains(), s.GetNotTrustDomains()},
		{field + "ipBlocks", field + "notIpBlocks", sourceIPs, "", s.GetIpBlocks(), s.GetNotIpBlocks()},
		{field + "remoteIpBlocks", field + "notRemoteIpBlocks", remoteIPs, "", s.GetRemoteIpBlocks(), s.GetNotRemoteIpBlocks()},
	}
}

func operationTerms(o *security.Operation, field string) []term {
	return []term{
		{field + "ports", field + "notPorts", ports, "", o.GetPorts(), o.GetNotPorts()},
		{field + "methods", field + "notMethods", methods, "", o.GetMethods(), o.GetNotMethods()},
		{field + "hosts", field + "notHosts", hosts, "", o.GetHosts(), o.GetNotHosts()},
		{field + "paths", field + "notPaths", paths, "", o.GetPaths(), o.GetNotPaths()},
	}
}

func (c *compiler) whenTerms(when *security.Condition, field string) []term {
	a, argument, ok := attributeOf(when.GetKey())
	if !ok {
		c.refuse(field+"key", "%q: no such attribute", when.GetKey())
		return nil
	}
	return []term{{field + "values", field + "notValues", a, argument, when.GetValues(), when.GetNotValues()}}
}

// attributeOf finds the attribute of a key: source.ip, request.headers[x-user].
func attributeOf(key string) (a attribute, argument string, ok bool) {
	if a, ok = keys[key]; ok {
		return a, "", true
	}
	name, rest, ok := strings.Cut(key, "[")
	if !ok {
		return attribute{}, "", false
	}
	a, ok = keysOf[name]
	return a, "[" + rest, ok
}
