// Package page is the till page: a touch till in a browser, for demo, training and integrators. A node
// serves it at "/" on its HTTP door, open like the papers: there is nothing of a shopper in it. The page asks
// for the POS's token, keeps it in the tab's sessionStorage, and is a client of the node's API like any other.
//
// It is HTML, CSS and plain ES modules, embedded and served as they lie in files: no build step, and nothing
// from the internet. The Content-Security-Policy allows this node alone, no inline script or style, and no
// text that becomes markup.
//
// # Failure
//
// No question waits longer than its budget (the document's x-timeouts). A sale that is paid is one rid and
// one body: after a time-out the page asks what became of it, and sends the same bytes again; at last the
// receipt waits in the tab and follows. The basket that is not paid survives a reload.
package page
