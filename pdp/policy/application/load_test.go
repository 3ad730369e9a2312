package application

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

const (
	smallSchema = "entity user;\nentity thing;\naction use appliesTo { principal: user, resource: thing };"
	smallRules  = "@id(\"p\") permit (principal, action, resource);"
)

func small(more ...string) map[string][]byte {
	files := map[string][]byte{"s.cedarschema": []byte(smallSchema), "p.cedar": []byte(smallRules)}
	for i := 0; i < len(more); i += 2 {
		if more[i+1] == "-" {
			delete(files, more[i])
		} else {
			files[more[i]] = []byte(more[i+1])
		}
	}
	return files
}

// Each of these differs from what loads in one thing, and is refused for it
// with the place.
func TestWhatIsNotLoaded(t *testing.T) {
	load(t, small())
	load(t, small("e.json", `[{"uid":{"type":"user","id":"u"},"attrs":{},"parents":[]}]`))
	user := func(id, parents string) string {
		return `{"uid":{"type":"user","id":"` + id + `"},"attrs":{},"parents":[` + parents + `]}`
	}
	family := "entity user in [user];\nentity thing;\naction use appliesTo { principal: user, resource: thing };"
	line := make([]string, 40)
	for i := range line {
		line[i] = user(fmt.Sprint(i), fmt.Sprintf(`{"type":"user","id":"%d"}`, i+1))
	}
	for name, c := range map[string]struct {
		files map[string][]byte
		want  string
	}{
		"no schema":               {small("s.cedarschema", "-"), "no .cedarschema"},
		"two schemas":             {small("t.cedarschema", smallSchema), "t.cedarschema: there is a schema already"},
		"no policies":             {small("p.cedar", "-"), "no .cedar file"},
		"a file of another kind":  {small("readme.txt", "x"), "readme.txt: a file's name ends in"},
		"a long name":             {small(strings.Repeat("n", 120)+".json", "[]"), "name is longer"},
		"schema syntax":           {small("s.cedarschema", "entity user;\nentty thing;"), "s.cedarschema:2: syntax"},
		"schema type":             {small("s.cedarschema", "entity user = { a: Nothing };\nentity thing;\naction use appliesTo { principal: user, resource: thing };"), "s.cedarschema: "},
		"namespace of ours":       {small("s.cedarschema", smallSchema+"\nnamespace Menshen { entity LiveSession; }"), "the namespace Menshen is Menshen's"},
		"namespace below ours":    {small("s.cedarschema", smallSchema+"\nnamespace Menshen::Inner { entity x; }"), "Menshen's"},
		"portal's name":           {small("s.cedarschema", smallSchema+"\nentity portal;"), "the portal itself"},
		"context of ours":         {small("s.cedarschema", "entity user;\nentity thing;\naction use appliesTo { principal: user, resource: thing, context: { menshen: { live: Bool } } };"), "context.menshen: nothing fills it"},
		"context of nobody":       {small("s.cedarschema", "entity user;\nentity thing;\naction use appliesTo { principal: user, resource: thing, context: { hour: Long } };"), "context.hour: nothing fills it"},
		"claims that are none":    {small("s.cedarschema", "entity user;\nentity thing;\naction use appliesTo { principal: user, resource: thing, context: { claims: String } };"), "context.claims is not a record"},
		"claims about the sky":    {small("s.cedarschema", "entity user;\nentity thing;\naction use appliesTo { principal: user, resource: thing, context: { claims: { weather: { rain?: Bool } } } };"), "context.claims.weather"},
		"a claim about nothing":   {small("s.cedarschema", "entity user;\nentity thing;\naction use appliesTo { principal: user, resource: thing, context: { claims: { subject: String } } };"), "context.claims.subject is not a record"},
		"a claim that is someone": {small("s.cedarschema", "entity user;\nentity thing;\naction use appliesTo { principal: user, resource: thing, context: { claims: { subject: { boss?: user } } } };"), "cannot be an entity"},
		"grade":                   {small("s.cedarschema", "entity user;\nentity thing;\n@grade(\"all\") action use appliesTo { principal: user, resource: thing };"), `@grade("all")`},
		"class":                   {small("s.cedarschema", "entity user;\nentity thing;\n@class(\"Pay roll\") action use appliesTo { principal: user, resource: thing };"), `@class("Pay roll")`},
		"no action":               {small("s.cedarschema", "entity user;\nentity thing;\naction use;"), "no action applies"},
		"one name twice":          {small("s.cedarschema", smallSchema+"\nnamespace A { entity x; action go appliesTo { principal: x, resource: x }; }\nnamespace B { entity y; action go appliesTo { principal: y, resource: y }; }"), "have one name"},
		"combinations":            {small("s.cedarschema", manyActions(600)), "combinations"},
		"types that grow":         {small("s.cedarschema", growing(40)), "its types grow"},
		"a schema too deep":       {small("s.cedarschema", "entity user = { a: "+strings.Repeat("Set<", 70)+"Long"+strings.Repeat(">", 70)+" };"), "nested deeper"},

		"policy syntax":          {small("p.cedar", "@id(\"a\")\npermit (principal, action resource);"), "p.cedar:2: syntax"},
		"policy without id":      {small("p.cedar", "permit (principal, action, resource);"), "p.cedar:1: every policy needs an @id"},
		"an id twice":            {small("q.cedar", smallRules), "q.cedar:1: p: this @id stands in p.cedar already"},
		"annotation":             {small("p.cedar", "@id(\"a\") @reason(\"x\") permit (principal, action, resource);"), "unknown annotation @reason"},
		"half a reason":          {small("p.cedar", "@id(\"a\") @reason_en(\"x\") forbid (principal, action, resource);"), "come together"},
		"a reason of a permit":   {small("p.cedar", "@id(\"a\") @reason_en(\"x\") @reason_zh(\"y\") permit (principal, action, resource);"), "belong to a forbid"},
		"a long reason":          {small("p.cedar", "@id(\"a\") @reason_en(\"x\") @reason_zh(\""+strings.Repeat("長", 301)+"\") forbid (principal, action, resource);"), "more than 300"},
		"an attribute":           {small("p.cedar", "@id(\"a\")\npermit (principal, action, resource) when { principal.nothing };"), "p.cedar:1: a: "},
		"an action not declared": {small("p.cedar", "@id(\"a\") permit (principal, action == Action::\"burn\", resource);"), "unrecognized action"},
		"a fact not published":   {small("p.cedar", "@id(\"a\") permit (principal, action, resource) when { context.menshen.shoeSize > 3 };"), "shoeSize"},
		"claims not declared":    {small("p.cedar", "@id(\"a\") permit (principal, action, resource) when { context.claims.subject.admin };"), "claims"},
		"a policy too deep":      {small("p.cedar", "@id(\"a\") permit (principal, action, resource) when {\n"+strings.Repeat("(", 70)+"true"+strings.Repeat(")", 70)+" };"), "p.cedar:2: nested deeper"},
		"policies":               {small("p.cedar", manyPolicies(MaxPolicies+1)), "more than 1000 policies"},
		"a large policy file":    {small("p.cedar", smallRules+strings.Repeat(" ", maxRuleFile)), "p.cedar: larger than"},

		"entities' syntax":       {small("e.json", `[{]`), "e.json: "},
		"entities twice":         {small("e.json", "["+user("u", "")+","+user("u", "")+"]"), `e.json: user::"u": it is there already`},
		"an entity of no type":   {small("e.json", `[{"uid":{"type":"ghost","id":"g"},"attrs":{},"parents":[]}]`), "declares no such entity type"},
		"a session as an entity": {small("e.json", `[{"uid":{"type":"Menshen::LiveSession","id":"ses-1"},"attrs":{},"parents":[]}]`), "declares no such entity type"},
		"an action as an entity": {small("e.json", `[{"uid":{"type":"Action","id":"use"},"attrs":{},"parents":[]}]`), "declares no such entity type"},
		"an attribute too many":  {small("e.json", `[{"uid":{"type":"user","id":"u"},"attrs":{"a":1},"parents":[]}]`), `e.json: user::"u": unexpected attribute`},
		"half an entity":         {small("e.json", `[{"uid":{"type":"user","id":"u"},"parents":[]}]`), "e.json: entity 1: "},
		"a parent of no type":    {small("e.json", "["+user("u", `{"type":"thing","id":"t"}`)+"]"), "invalid parent type"},
		"an attribute twice":     {small("e.json", `[{"uid":{"type":"user","id":"u"},"uid":{"type":"user","id":"v"},"attrs":{},"parents":[]}]`), "e.json: "},
		"its own ancestor":       {small("s.cedarschema", family, "e.json", "["+user("a", `{"type":"user","id":"b"}`)+","+user("b", `{"type":"user","id":"a"}`)+"]"), "its own ancestor"},
		"a long line":            {small("s.cedarschema", family, "e.json", "["+strings.Join(line, ",")+"]"), "generations"},
		"an id without a letter": {small("e.json", "["+user("", "")+"]"), "its id has no letter"},
		"a long id":              {small("e.json", "["+user(strings.Repeat("x", MaxID+1), "")+"]"), "more than 256 bytes"},
		"entities too deep":      {small("e.json", strings.Repeat("[", 100)+strings.Repeat("]", 100)), "nested deeper"},
		"entities":               {small("e.json", manyEntities(MaxEntities+1)), "more than 10000 entities"},
		"files": {func() map[string][]byte {
			files := small()
			for i := range MaxFiles {
				files[fmt.Sprintf("%d.json", i)] = []byte("[]")
			}
			return files
		}(), "more than 64 files"},
		"bytes": {small("a.json", "["+strings.Repeat(" ", 3<<20)+"]", "b.json", "["+strings.Repeat(" ", 3<<20)+"]"), "all files together"},
	} {
		if _, err := Load(c.files); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func manyActions(n int) string {
	var b strings.Builder
	b.WriteString("entity user;\nentity thing;\n")
	for i := range n {
		fmt.Fprintf(&b, "action a%d appliesTo { principal: user, resource: thing };\n", i)
	}
	return b.String()
}

func manyPolicies(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "@id(\"p%d\") permit (principal, action, resource);\n", i)
	}
	return b.String()
}

func manyEntities(n int) string {
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, `,{"uid":{"type":"user","id":"%d"},"attrs":{},"parents":[]}`, i)
	}
	return "[" + b.String()[1:] + "]"
}

// growing is a schema of a few lines whose types double n times.
func growing(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "type T%d = { a: T%d, b: T%d };\n", i, i+1, i+1)
	}
	fmt.Fprintf(&b, "type T%d = { a: Long };\n", n)
	return b.String() + "entity user = { x: T0 };\nentity thing;\naction use appliesTo { principal: user, resource: thing };"
}

func TestATypeThatNamesItselfIsRefused(t *testing.T) {
	for _, schema := range []string{
		"type A = { b: B };\ntype B = { a: A };\nentity user = { x: A };\nentity thing;\naction use appliesTo { principal: user, resource: thing };",
		"namespace N { type A = { a: A }; entity user = { x: A }; action use appliesTo { principal: user, resource: user }; }",
	} {
		var at *LoadError
		if _, err := Load(small("s.cedarschema", schema)); !errors.As(err, &at) || at.File != "s.cedarschema" {
			t.Errorf("%v", err)
		}
	}
}

// Brackets in texts and comments are none.
func TestNestingCountsBracketsOnly(t *testing.T) {
	deep := strings.Repeat("(", 200)
	load(t, small("p.cedar", "// "+deep+"\n@id(\"p\") permit (principal, action, resource) when { \"\\\""+deep+"\" == \"\" || true };"))
	load(t, small("e.json", `[{"uid":{"type":"user","id":"`+deep+`"},"attrs":{},"parents":[]}]`))
	if line := tooDeep("p.cedar", []byte("\"a\n\"\n"+deep)); line != 3 {
		t.Errorf("line %d", line)
	}
}
