package api

import (
	"bytes"
	_ "embed" // the page's frame
	"encoding/json"
	"fmt"
	"html/template"
	"strings"

	"github.com/goccy/go-yaml"
)

//go:embed docs.html
var docsFrame string

// docs is the page that a person reads, made from the document. It refers to nothing outside itself: it
// is read in back rooms without internet. What a viewer of OpenAPI would add, trying calls out, the till page has.
func (a *API) docs() []byte {
	a.page.once.Do(func() {
		page, err := renderDocs(Document)
		if err != nil {
			a.cfg.Log.Error("the page of documents is not rendered", "err", err)
			page = Document
		}
		a.page.text = page
	})
	return a.page.text
}

// docsPage is what docs.html shows.
type docsPage struct {
	Title, Version string
	Intro          []block
	Operations     []docsOperation
	Problems       []docsProblem
	Timeouts       []docsTimeout
	Texts          []docsText
	Schemas        []docsSchema
}

// block is a paragraph.
type block struct{ Text string }

type docsOperation struct {
	ID, Method, Path, Subject, Summary string
	Text                               []block
	Open                               bool
	Request, Answer                    string // names of schemas
	Parameters                         []docsField
	Example                            string // JSON
	Statuses                           []docsStatus
	Problems                           []string
}

type docsStatus struct{ Status, Text string }

type docsProblem struct {
	Slug   string
	Status int    `yaml:"status"`
	Action string `yaml:"action"`
	POS    string `yaml:"pos"`
}

type docsTimeout struct {
	Call   string `yaml:"call"`
	Usual  string `yaml:"usual"`
	GiveUp string `yaml:"give_up"`
	Then   string `yaml:"then"`
}

type docsText struct {
	Text  string `yaml:"text"`
	Where string `yaml:"where"`
}

type docsSchema struct {
	Name, Text string
	Fields     []docsField
}

type docsField struct {
	Name, Kind, Ref, Text string
	Required              bool
}

// tree is a mapping of the document in its own order.
type tree yaml.MapSlice

func (n tree) get(key string) any {
	for _, item := range n {
		if fmt.Sprint(item.Key) == key {
			return item.Value
		}
	}
	return nil
}

func (n tree) at(key string) tree {
	m, _ := n.get(key).(yaml.MapSlice)
	return tree(m)
}

func (n tree) text(key string) string {
	if v := n.get(key); v != nil {
		return strings.TrimSpace(fmt.Sprint(v))
	}
	return ""
}

func renderDocs(document []byte) ([]byte, error) {
	var root yaml.MapSlice
	if err := yaml.UnmarshalWithOptions(document, &root, yaml.UseOrderedMap()); err != nil {
		return nil, fmt.Errorf("read the document: %w", err)
	}
	var tables struct {
		Problems map[string]docsProblem `yaml:"x-problem-types"`
		Timeouts []docsTimeout          `yaml:"x-timeouts"`
		Texts    []docsText             `yaml:"x-texts"`
	}
	if err := yaml.Unmarshal(document, &tables); err != nil {
		return nil, fmt.Errorf("read the document's tables: %w", err)
	}
	doc := tree(root)
	p := docsPage{
		Title: doc.at("info").text("title"), Version: doc.at("info").text("version"),
		Intro: blocks(doc.at("info").text("description")), Timeouts: tables.Timeouts, Texts: tables.Texts,
	}
	for _, path := range doc.at("paths") {
		methods, _ := path.Value.(yaml.MapSlice)
		for _, m := range methods {
			op, _ := m.Value.(yaml.MapSlice)
			p.Operations = append(p.Operations, operationOf(fmt.Sprint(path.Key), fmt.Sprint(m.Key), tree(op), doc))
		}
	}
	for _, item := range doc.at("x-problem-types") {
		row := tables.Problems[fmt.Sprint(item.Key)]
		row.Slug = fmt.Sprint(item.Key)
		p.Problems = append(p.Problems, row)
	}
	for _, item := range doc.at("components").at("schemas") {
		m, _ := item.Value.(yaml.MapSlice)
		p.Schemas = append(p.Schemas, schemaOf(fmt.Sprint(item.Key), tree(m)))
	}
	frame, err := template.New("docs").Funcs(template.FuncMap{"rich": rich}).Parse(docsFrame)
	if err != nil {
		return nil, fmt.Errorf("read the page's frame: %w", err)
	}
	var out bytes.Buffer
	if err := frame.Execute(&out, p); err != nil {
		return nil, fmt.Errorf("write the page: %w", err)
	}
	return out.Bytes(), nil
}

func operationOf(path, method string, op, doc tree) docsOperation {
	d := docsOperation{
		ID: op.text("operationId"), Method: strings.ToUpper(method), Path: path, Subject: op.text("x-subject"),
		Summary: op.text("summary"), Text: blocks(op.text("description")), Open: op.get("security") != nil,
	}
	body := op.at("requestBody").at("content").at("application/json")
	d.Request = refName(body.at("schema").text("$ref"))
	if example := body.get("example"); example != nil {
		d.Example = asJSON(example)
	}
	d.Parameters = parametersOf(op, doc)
	for _, item := range op.at("responses") {
		r, _ := item.Value.(yaml.MapSlice)
		of := tree(r)
		if ref := of.text("$ref"); ref != "" {
			of = doc.at("components").at("responses").at(refName(ref))
		}
		if name := refName(of.at("content").at("application/json").at("schema").text("$ref")); name != "" {
			d.Answer = name
		}
		if of.at("content").get("application/problem+json") == nil {
			d.Statuses = append(d.Statuses, docsStatus{fmt.Sprint(item.Key), of.text("description")})
		}
	}
	if list, ok := op.get("x-problems").([]any); ok {
		for _, slug := range list {
			d.Problems = append(d.Problems, fmt.Sprint(slug))
		}
	}
	return d
}

// asJSON writes an example as it is sent.
func asJSON(example any) string {
	text, err := yaml.MarshalWithOptions(example, yaml.JSON())
	var out bytes.Buffer
	if err == nil {
		err = json.Indent(&out, bytes.TrimSpace(text), "", "  ")
	}
	if err != nil {
		return err.Error() // a test reads every example
	}
	return out.String()
}

// parametersOf are what an operation takes beside its body.
func parametersOf(op, doc tree) (out []docsField) {
	list, _ := op.get("parameters").([]any)
	for _, item := range list {
		m, _ := item.(yaml.MapSlice)
		p := tree(m)
		if ref := p.text("$ref"); ref != "" {
			p = doc.at("components").at("parameters").at(refName(ref))
		}
		f := fieldOf(p.at("schema"))
		f.Name, f.Required, f.Text = p.text("name"), p.get("required") == true, p.text("description")
		f.Kind = strings.TrimSuffix("in the "+p.text("in")+", "+f.Kind, ", ")
		out = append(out, f)
	}
	return out
}

func schemaOf(name string, s tree) docsSchema {
	d := docsSchema{Name: name, Text: s.text("description")}
	required := map[string]bool{}
	if list, ok := s.get("required").([]any); ok {
		for _, f := range list {
			required[fmt.Sprint(f)] = true
		}
	}
	for _, item := range s.at("properties") {
		m, _ := item.Value.(yaml.MapSlice)
		f := fieldOf(tree(m))
		f.Name, f.Required = fmt.Sprint(item.Key), required[fmt.Sprint(item.Key)]
		d.Fields = append(d.Fields, f)
	}
	if len(d.Fields) == 0 {
		f := fieldOf(s)
		d.Fields = []docsField{{Kind: f.Kind, Ref: f.Ref}}
	}
	return d
}

// fieldOf says in a few words what a value may be.
func fieldOf(s tree) (f docsField) {
	f.Text = s.text("description")
	if all, ok := s.get("allOf").([]any); ok && len(all) > 0 {
		if m, ok := all[0].(yaml.MapSlice); ok {
			f.Ref = refName(tree(m).text("$ref"))
		}
		return f
	}
	if ref := s.text("$ref"); ref != "" {
		f.Ref = refName(ref)
		return f
	}
	f.Kind = s.text("type")
	if f.Kind == "array" {
		of := fieldOf(s.at("items"))
		f.Kind, f.Ref = "list of "+of.Kind, of.Ref
	}
	for _, limit := range [...]struct{ key, word string }{
		{"format", ""}, {"minLength", "at least %s characters"}, {"maxLength", "at most %s characters"}, {"minItems", "at least %s"}, {"maxItems", "at most %s"}, {"pattern", "matches %s"},
		{"minimum", "from %s"}, {"maximum", "to %s"}, {"default", "without it %s"},
	} {
		if v := s.text(limit.key); v != "" && v != "int64" {
			if limit.word != "" {
				v = fmt.Sprintf(limit.word, v)
			}
			f.Kind += ", " + v
		}
	}
	if words, ok := s.get("enum").([]any); ok {
		f.Kind += ": " + strings.Trim(strings.Join(strings.Fields(fmt.Sprint(words)), ", "), "[]")
	}
	return f
}

func refName(ref string) string { return ref[strings.LastIndexByte(ref, '/')+1:] }

func blocks(text string) (out []block) {
	for part := range strings.SplitSeq(text, "\n\n") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, block{part})
		}
	}
	return out
}

// rich writes a text with its `code` marked.
func rich(text string) template.HTML {
	parts := strings.Split(text, "`")
	for i := range parts {
		parts[i] = template.HTMLEscapeString(parts[i])
		if i%2 == 1 {
			parts[i] = "<code>" + parts[i] + "</code>"
		}
	}
	return template.HTML(strings.Join(parts, "")) //nolint:gosec // every part is escaped above
}
