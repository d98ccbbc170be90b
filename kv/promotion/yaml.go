package promotion

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// ReadYAML reads one promotion, or a list of them, from a YAML document. What is wrong is a [Faults], or
// the YAML's own error with its line.
func ReadYAML(b []byte) ([]Promotion, error) {
	v, err := parseYAML(b)
	if err != nil {
		return nil, fmt.Errorf("read promotions: %w", err)
	}
	return readPromotions(v)
}

// ReadSetsYAML reads one product set, or a list of them.
func ReadSetsYAML(b []byte) ([]Set, error) {
	v, err := parseYAML(b)
	if err != nil {
		return nil, fmt.Errorf("read product sets: %w", err)
	}
	return readSets(v)
}

func parseYAML(b []byte) (any, error) {
	if len(b) > MaxSize {
		return nil, fmt.Errorf("over %d bytes", MaxSize)
	}
	if !utf8.Valid(b) {
		return nil, errors.New("not UTF-8")
	}
	if deep(b) {
		return nil, fmt.Errorf("nested deeper than %d", MaxDepth)
	}
	f, err := parser.ParseBytes(b, 0)
	if err != nil {
		return nil, err
	}
	if len(f.Docs) != 1 || f.Docs[0].Body == nil {
		return nil, fmt.Errorf("want one YAML document, not %d", len(f.Docs))
	}
	return yamlValue(f.Docs[0].Body, 0), nil
}

// deep reports whether brackets nest deeper than a document may. The parser has no bound of its own.
func deep(b []byte) bool {
	depth, deepest := 0, 0
	for _, c := range b {
		switch c {
		case '[', '{':
			depth++
			deepest = max(deepest, depth)
		case ']', '}':
			depth--
		}
	}
	return deepest > 2*MaxDepth
}

// yamlValue turns a node into what JSON can say, or into a wrong.
func yamlValue(n ast.Node, depth int) any {
	if depth > MaxDepth {
		return wrong(fmt.Sprintf("something nested deeper than %d", MaxDepth))
	}
	switch n := n.(type) {
	case *ast.StringNode:
		if plain(n.Token) && ambiguous(n.Value) {
			return wrong("a word that other YAML readers take for something else: write it in quotes")
		}
		return n.Value
	case *ast.LiteralNode:
		return n.Value.Value
	case *ast.IntegerNode:
		return number(n.Token.Value)
	case *ast.FloatNode:
		return number(n.Token.Value)
	case *ast.BoolNode:
		return n.Value
	case *ast.NullNode:
		return nothing{}
	case *ast.SequenceNode:
		l := list{}
		for _, v := range n.Values {
			l = append(l, yamlValue(v, depth+1))
		}
		return l
	case *ast.MappingNode:
		return yamlObject(n.Values, depth)
	case *ast.MappingValueNode:
		return yamlObject([]*ast.MappingValueNode{n}, depth)
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode:
		return wrong("an anchor, alias or tag: write the value itself")
	}
	return wrong("something that JSON cannot say")
}

func yamlObject(values []*ast.MappingValueNode, depth int) any {
	o := &object{}
	seen := map[string]bool{}
	for _, m := range values {
		key, ok := m.Key.(*ast.StringNode)
		switch {
		case !ok:
			return wrong("an object with a key that is no text: write the key in quotes")
		case plain(key.Token) && key.Value != "n" && ambiguous(key.Value): // n is a key of nth_item
			return wrong("an object with a key that other YAML readers take for something else: write the key in quotes")
		case seen[key.Value]:
			return wrong("an object with a key that stands there twice")
		}
		seen[key.Value] = true
		o.members = append(o.members, member{key.Value, yamlValue(m.Value, depth+1)})
	}
	return o
}

func plain(t *token.Token) bool {
	return t == nil || t.Type != token.SingleQuoteType && t.Type != token.DoubleQuoteType
}

// Of plain text, what YAML 1.1 takes for a truth value, a number to base 60 or 8, a number with
// underscores or without digits before its point, or a time.
var ambiguousText = regexp.MustCompile(`(?i)^(y|n|yes|no|on|off|true|false|null|~|=|<<|[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?` +
	`|[-+]?(0b[01_]+|0x[0-9a-f_]+|0o?[0-7_]+|[0-9][0-9_]*|[0-9._]*[0-9][0-9._]*(e[-+]?[0-9]+)?)|[-+]?\.(inf|nan)` +
	`|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt \t].*)?)$`)

func ambiguous(s string) bool { return ambiguousText.MatchString(strings.TrimSpace(s)) }
