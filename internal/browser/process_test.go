package browser_test

import "testing"

// TestAnEjectedEndpointIsShownWithItsReason: one of the two servers of reviews v2
// is ill.
func TestAnEjectedEndpointIsShownWithItsReason(t *testing.T) {
	p, d := open(t), startTour(t, "-break", "v2")
	p.visit(d.url + "#/destinations?filter=reviews")
	p.until(`/ejected.*consecutive5xxErrors, back in/s.test(document.querySelector("tr.bad")?.textContent)`)
	p.until(`document.querySelectorAll("tr.ok").length > 0`)
	if others := p.text(`[...document.querySelectorAll("h2")].map((h) => h.textContent).filter((h) => h.includes("details"))`); others != "" {
		t.Errorf("the filter lets through: %s", others)
	}
	p.sound("an ejection")
	p.silent()
}

func TestCertificatesSayWhoTheProcessIs(t *testing.T) {
	p, d := open(t), startTour(t)
	p.visit(d.url + "#/certificates")
	p.until(`document.querySelector("h2").textContent === "spiffe://cluster.local/ns/default/sa/productpage"`)
	p.until(`document.querySelector(".tile dd").textContent.match(/\d+ (h|min)/)`)
	p.until(`[...document.querySelectorAll("h2")].some((h) => h.textContent === "Roots of cluster.local")`)
	p.silent()
}

// TestWhatTheReaderHasOpenedAndClosedStaysSo: while answers keep coming.
func TestWhatTheReaderHasOpenedAndClosedStaysSo(t *testing.T) {
	p, d := open(t), startTour(t)
	p.visit(d.url + "#/certificates")
	p.until(`document.querySelectorAll("details").length > 1`)
	p.run(`document.querySelectorAll("summary").forEach((s) => s.click())`)
	asked := len(p.Asked())
	p.await(func() bool { return len(p.Asked()) > asked+4 })
	if open := p.text(`[...document.querySelectorAll("details")].map((d) => d.open)`); open != "false,true" {
		t.Errorf("what was open and is closed, what was closed and is open: got open %s, want false,true", open)
	}
	p.silent()
}

// TestRequestsUnderWayAreShown: those that wait for stars, which are held up.
func TestRequestsUnderWayAreShown(t *testing.T) {
	p, d := open(t), startTour(t)
	d.edit("ratings.yaml", "    - timeout: 300ms\n", "    - fault:\n        delay:\n          fixedDelay: 2s\n          percentage:\n            value: 100\n")
	p.visit(d.url + "#/requests")
	p.until(`/GET .reviews.0.*sent.*reviews.default/s.test(document.querySelector("tbody")?.textContent)`)
	p.run(`document.querySelector("[name=direction][value=inbound]").click()`)
	p.until(`/GET .productpage.*served/s.test(document.querySelector("tbody")?.textContent) && !document.querySelector("tbody").textContent.includes("/reviews/0")`)
	p.sound("requests under way")
	p.silent()
}

// TestTheConfigurationIsShownAsFilesWouldHoldIt: and can be kept.
func TestTheConfigurationIsShownAsFilesWouldHoldIt(t *testing.T) {
	p, d := open(t), startTour(t)
	p.visit(d.url + "#/config")
	p.until(`/kind: VirtualService\n.*metadata:\n.*name: reviews/s.test(document.querySelector("[data-key=rules] pre").textContent)`)
	p.until(`document.querySelector("a[download]").getAttribute("href") === "api/config"`)
	p.silent()
}

// TestTheAddressRemembersWhatIsShown: and a page can be told to others.
func TestTheAddressRemembersWhatIsShown(t *testing.T) {
	p, url := open(t), serve(t)
	p.visit(url)
	p.run(`document.querySelector("[name=view][value=table]").click()`)
	p.run(`document.querySelector("[name=span][value='60']").click()`)
	p.until(`location.hash.includes("view=table") && location.hash.includes("span=60")`)
	p.visit(p.text("location.href"))
	p.until(`document.querySelector("[name=view][value=table]").checked && document.querySelector("[name=span][value='60']").checked`)
	p.silent()
}
