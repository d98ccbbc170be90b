// Package screen tries the till page in a real browser: headless Chromium, driven over its own protocol, on
// tills that are real too. It holds tests only.
//
// Every state that a test reaches is looked at in three sizes of screen, in light and in dark colours, and
// zoomed to 200 % and 400 %: each control has a name, a size to be touched and a visible focus, each text its contrast
// (testdata/look.js, by WCAG 2.2 AA), and nothing lies over a control or runs out of the page. With
// -pictures DIR, pictures of all of it are written there.
//
// A machine without Chromium skips these tests and says how to install it; make test installs Debian's as root.
package screen
