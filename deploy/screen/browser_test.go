package screen_test

import (
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/page"
	pagejs "github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"tillstream/deploy/fleet"
)

var pictures = flag.String("pictures", "", "directory for pictures of every state; empty: none are taken")

//go:embed testdata/look.js
var look string

// patience bounds every wait of a test.
const patience = time.Minute

// browsers are the names under which systems have Chromium.
func browsers() []string {
	return []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"}
}

// browser gives the path of Chromium, or skips the test.
func browser(t *testing.T) string {
	t.Helper()
	for _, name := range browsers() {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("no Chromium here, so the till page is not tried: make browser installs it on Debian as root " +
		"(elsewhere: apt install chromium-browser, dnf install chromium, apk add chromium, brew install --cask chromium)")
	return ""
}

// slowly has the page's budgets a hundred times longer: a machine that does other things is no fault of the page.
const slowly = `AbortSignal.timeout = ((f) => (ms) => f.call(AbortSignal, 100 * ms))(AbortSignal.timeout)`

// tab is a browser with one page, a cashier in front of it.
type tab struct {
	t   *testing.T
	ctx context.Context
	url string
}

// visit opens a page in a browser of its own. A word on the page's console that is an error fails the test.
func visit(t *testing.T, url string) *tab {
	t.Helper()
	path := browser(t)
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.WindowSize(1280, 800),
		chromedp.UserDataDir(filepath.Join(t.TempDir(), "profile")))
	if runtime.GOOS == "linux" && os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium does not run as root with it
	}
	ctx, end := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(end)
	ctx, end = chromedp.NewContext(ctx, chromedp.WithErrorf(t.Logf))
	t.Cleanup(end)
	b := &tab{t: t, ctx: ctx, url: url}
	if err := chromedp.Do(ctx); err != nil { // without a deadline: it is the browser's own
		t.Fatalf("browser: %v", err)
	}
	err := chromedp.Listen(ctx, func(event any) {
		if e, ok := event.(*pagejs.EventExceptionThrown); ok {
			t.Errorf("the page throws: %+v", e.ExceptionDetails)
		}
	})
	if err != nil {
		t.Fatalf("browser: %v", err)
	}
	b.emulate(usual())
	b.run(func(ctx context.Context, t *chromedp.Target) (none chromedp.Void, err error) {
		_, err = cdp.Call(ctx, t, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: slowly})
		return none, err
	}, chromedp.Navigate(url))
	return b
}

func (b *tab) run(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.t.Fatalf("browser: %v", err)
	}
}

// ask evaluates a piece of JavaScript in the page; a promise is waited for.
func ask[T any](b *tab, js string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](js, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("browser: %.200s: %v", js, err)
	}
	return v
}

// emulate gives the page a screen.
func (b *tab) emulate(s sight) {
	b.t.Helper()
	scheme := "light"
	if s.dark {
		scheme = "dark"
	}
	b.run(func(ctx context.Context, t *chromedp.Target) (none chromedp.Void, err error) {
		// Without it a page has no focus until its first key, and shows none.
		if _, err = cdp.Call(ctx, t, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true}); err != nil {
			return none, err
		}
		if _, err = cdp.Call(ctx, t, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
			Width: s.width, Height: s.height, DeviceScaleFactor: s.zoom}); err != nil {
			return none, err
		}
		_, err = cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}})
		return none, err
	})
}

// named are the keys that are not characters.
func named() map[string]string {
	return map[string]string{
		"Enter": kb.Enter, "Escape": kb.Escape, "Tab": kb.Tab, "Up": kb.ArrowUp, "Down": kb.ArrowDown,
		"F1": kb.F1, "F2": kb.F2, "F3": kb.F3, "F4": kb.F4, "F6": kb.F6, "F7": kb.F7, "F8": kb.F8, "F9": kb.F9, "F10": kb.F10,
	}
}

// press presses keys one after the other: names, or a text in quotes to type.
func (b *tab) press(keys ...string) {
	b.t.Helper()
	for _, k := range keys {
		if text, ok := strings.CutPrefix(k, "'"); ok {
			b.insert(text) // as a person's, at no speed: keys this fast would be a scanner's
			continue
		}
		name, shift := strings.CutPrefix(k, "Shift+")
		code, ok := named()[name]
		if !ok {
			b.t.Fatalf("no key %s", k)
		}
		if shift {
			b.run(chromedp.KeyEvent(code, chromedp.KeyModifiers(chromedp.ModifierShift)))
			continue
		}
		b.run(chromedp.KeyEvent(code))
	}
}

func (b *tab) insert(text string) {
	b.t.Helper()
	b.run(func(ctx context.Context, t *chromedp.Target) (none chromedp.Void, err error) {
		_, err = cdp.Call(ctx, t, input.InsertText, input.InsertTextParams{Text: text})
		return none, err
	})
}

// scan types a code as fast as a scanner, wherever the focus is, and ends with Enter.
func (b *tab) scan(code string) {
	b.t.Helper()
	ask[bool](b, fmt.Sprintf(`(() => {
		for (const key of [...%q, 'Enter']) {
			const e = document.activeElement;
			const goesOn = e.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }));
			const now = document.activeElement;
			if (!goesOn) continue;
			if (key.length === 1 && now.localName === 'input') now.value += key;
			if (key === 'Enter') now.form?.requestSubmit();
		}
		return true;
	})()`, code))
}

// text is what a person reads in an element; "" if it is not on the screen.
func (b *tab) text(selector string) string {
	b.t.Helper()
	text := ask[string](b, fmt.Sprintf(`(() => {
		const e = document.querySelector(%q);
		return e?.checkVisibility() ? e.innerText : ''; // nothing while the page loads
	})()`, selector))
	return strings.Join(strings.Fields(text), " ")
}

// reads waits until an element says each of the words.
func (b *tab) reads(selector string, words ...string) {
	b.t.Helper()
	var has string
	b.until(fmt.Sprintf("%s says %q", selector, words), func() error {
		has = b.text(selector)
		for _, w := range words {
			if !strings.Contains(has, w) {
				return fmt.Errorf("it says %q", has)
			}
		}
		return nil
	})
}

// gone waits until an element is not on the screen.
func (b *tab) gone(selector string) {
	b.t.Helper()
	b.until(selector+" is gone", func() error {
		if has := b.text(selector); has != "" {
			return errors.New(has)
		}
		return nil
	})
}

// focused wants the scan field to have the focus.
func (b *tab) focused() {
	b.t.Helper()
	b.until("the scan field has the focus", func() error {
		if id := ask[string](b, `document.activeElement?.id + (document.body?.ariaBusy || '')`); id != "scan" {
			return fmt.Errorf("%s has it", id)
		}
		return nil
	})
}

// has is an error if a text has a word.
func has(text, word string) error {
	if strings.Contains(text, word) {
		return errors.New(text)
	}
	return nil
}

func (b *tab) until(what string, done func() error) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	if err := fleet.Await(ctx, what, done); err != nil {
		b.picture("failed")
		b.t.Fatalf("%v; the page says: %s", err, b.text("body"))
	}
}

// sight is a size of screen and how it is looked at.
type sight struct {
	name          string
	width, height int64
	zoom          float64
	dark          bool
}

func sights() []sight {
	return []sight{
		{"narrow", 800, 600, 1, false}, {"wide", 1280, 800, 1, false}, {"portrait", 768, 1024, 1, false},
		{"dark", 1280, 800, 1, true}, {"zoomed", 640, 400, 2, false},
		{"reflow", 320, 512, 2, false}, // zoomed to 400 %
	}
}

// usual is the sight that tests work in.
func usual() sight { return sight{width: 1280, height: 800, zoom: 1} }

// looks examines the state that the page is in, in every sight.
func (b *tab) looks(state string) {
	b.t.Helper()
	for _, s := range sights() {
		b.emulate(s)
		for _, f := range ask[[]string](b, look) {
			b.t.Errorf("%s, %s: %s", state, s.name, f)
		}
		b.picture(state + "-" + s.name)
	}
	b.emulate(usual())
}

// picture takes one, if pictures are wanted.
func (b *tab) picture(name string) {
	b.t.Helper()
	if *pictures == "" {
		return
	}
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err := errors.Join(err, os.MkdirAll(*pictures, 0o755), os.WriteFile(filepath.Join(*pictures, name+".png"), png, 0o600)); err != nil {
		b.t.Error(err)
	}
}
