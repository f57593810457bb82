package rules

// rejectedAnnotations are those with which Istio's webhook refuses any object.
var rejectedAnnotations = []string{
	"internal.istio.io/webhook-always-reject",
	"internal.istio.io/parents",
	"internal.istio.io/parent-namespace",
}

// validateMeta reports what is wrong with the metadata of an object of any kind.
func validateMeta(c *checker) {
	validateExtensions(c)
	for _, name := range rejectedAnnotations {
		if value, ok := c.meta.Annotations[name]; ok {
			c.invalid(entry("metadata.annotations", name), "%q: Istio rejects every object with this annotation", value)
		}
	}
	if value, ok := c.meta.Annotations[AnnotationDryRun]; ok && c.meta.Kind != "AuthorizationPolicy" {
		c.invalid(entry("metadata.annotations", AnnotationDryRun), "%q: only an AuthorizationPolicy can run dry", value)
	}
}

// validateExportTo checks the namespaces that an object is visible in. Only a
// ServiceEntry may name nobody (~).
func validateExportTo(c *checker, exportTo []string, nobody bool) {
	seen := map[string]bool{}
	for i, to := range exportTo {
		path := nth("spec.exportTo", i)
		own := c.exportNamespace(to)
		switch {
		case seen[own]:
			c.invalid(path, "%q: namespace %q is named twice", to, own)
		case to == "~" && nobody, to == "*":
			if len(exportTo) > 1 {
				c.invalid(path, "%q: want it alone, there are %d entries", to, len(exportTo))
			}
		case !isLabel(own):
			c.invalid(path, "%q: want ., * or the name of a namespace", to)
		}
		seen[own] = true
	}
}

// exportNamespace resolves the entry . of exportTo.
func (c *checker) exportNamespace(to string) string {
	if to == "." {
		return c.meta.Namespace
	}
	return to
}
