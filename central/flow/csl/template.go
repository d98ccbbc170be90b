package csl

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml"

	"tillstream/subjects/event"
)

// ErrTemplate means that a template, or what is to be filled in, is not what it should be.
var ErrTemplate = errors.New("the template cannot be shown")

// Bounds of a template, in characters.
const (
	MaxTitle = 120
	MaxText  = 1000
	maxValue = 200
)

// What a screen takes, in bytes; more is refused there.
const (
	mostTitle = 256
	mostText  = 4096
)

// Template is a message's words with variables.
type Template struct {
	Title string `json:"title,omitempty"`
	Text  string `json:"text"`
}

// Read reads and checks a template, JSON or YAML.
func Read(document []byte) (Template, error) {
	var t Template
	if b := bytes.TrimSpace(document); len(b) > 0 && b[0] != '{' {
		j, err := yaml.YAMLToJSON(document)
		if err != nil {
			return t, fmt.Errorf("%w: %s", ErrTemplate, yaml.FormatError(err, false, true))
		}
		document = j
	}
	d := json.NewDecoder(bytes.NewReader(document))
	d.DisallowUnknownFields()
	if err := d.Decode(&t); err != nil {
		return t, fmt.Errorf("%w: %w", ErrTemplate, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return t, fmt.Errorf("%w: there is more after the document", ErrTemplate)
	}
	return t, t.check()
}

// Check reports what is wrong with a template's document.
func Check(document []byte) error {
	_, err := Read(document)
	return err
}

func (t *Template) check() error {
	var errs []error
	for _, f := range []struct {
		name, text string
		most       int
	}{{"title", t.Title, MaxTitle}, {"text", t.Text, MaxText}} {
		if n := utf8.RuneCountInString(f.text); n > f.most {
			errs = append(errs, fmt.Errorf("%s: want at most %d characters, got %d", f.name, f.most, n))
		}
		if i := strings.IndexFunc(f.text, func(r rune) bool { return r != '\n' && neutral(r) != r }); i >= 0 {
			r, _ := utf8.DecodeRuneInString(f.text[i:])
			errs = append(errs, fmt.Errorf("%s: want plain text, without %q", f.name, r))
		}
		if _, err := expand(f.text, func(event.Variable) (string, bool) { return "", true }); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", f.name, err))
		}
	}
	if strings.TrimSpace(t.Text) == "" {
		errs = append(errs, errors.New("text: is missing"))
	}
	if len(errs) > 0 {
		return fmt.Errorf("%w: %w", ErrTemplate, errors.Join(errs...))
	}
	return nil
}

// Fill gives the words with the values filled in, cut to what a screen takes.
func (t *Template) Fill(values map[event.Variable]string) (title, text string, err error) {
	value := func(v event.Variable) (string, bool) {
		s := strings.TrimSpace(tame(values[v]))
		return s, s != ""
	}
	if title, err = expand(t.Title, value); err == nil {
		text, err = expand(t.Text, value)
	}
	if err != nil {
		return "", "", fmt.Errorf("%w: %w", ErrTemplate, err)
	}
	return cut(title, mostTitle), cut(text, mostText), nil
}

// cut shortens a text to so many bytes, between two characters.
func cut(s string, most int) string {
	const more = "…"
	if len(s) <= most {
		return s
	}
	end := most - len(more)
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + more
}

// expand puts values in the place of variables.
func expand(s string, value func(event.Variable) (string, bool)) (string, error) {
	var b strings.Builder
	for s != "" {
		i := strings.IndexAny(s, "{}")
		if i < 0 {
			i = len(s)
		}
		b.WriteString(s[:i])
		if s = s[i:]; s == "" {
			break
		}
		if len(s) > 1 && s[1] == s[0] {
			b.WriteByte(s[0])
			s = s[2:]
			continue
		}
		name, rest, ok := strings.Cut(s[1:], "}")
		v := event.Variable(name)
		if s[0] == '}' || !ok {
			return "", fmt.Errorf("a single %c: a brace itself is written twice", s[0])
		}
		if !v.Known() {
			return "", fmt.Errorf("unknown variable {%s}, want one of %v", short(name), event.Variables())
		}
		text, ok := value(v)
		if !ok {
			return "", fmt.Errorf("it wants {%s}, which this message does not have", name)
		}
		b.WriteString(text)
		s = rest
	}
	return b.String(), nil
}

// tame gives a value as it may stand in a text.
func tame(s string) string {
	b := make([]rune, 0, len(s))
	for _, r := range s {
		if r = neutral(r); r < 0 {
			continue
		}
		if b = append(b, r); len(b) == maxValue {
			break
		}
	}
	return string(b)
}

// neutral gives what stands for a character; -1: nothing does.
func neutral(r rune) rune {
	switch {
	case r == '<':
		return '‹'
	case r == '>':
		return '›'
	case unicode.IsControl(r) || r == '\u2028' || r == '\u2029':
		return ' '
	case unicode.Is(unicode.Bidi_Control, r):
		return -1
	}
	return r
}

// short keeps an error short.
func short(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return s
}
