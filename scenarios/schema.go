package scenarios

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// An object is a piece of JSON Schema.
type object map[string]any

// Schema returns the JSON Schema (draft 2020-12) of scenario files, for editors
// and other tools. It is written from the same table that [Parse] checks with.
// A few rules are beyond it: what several numbers amount to, and what a flow
// needs of its broker.
func Schema(cat Catalog) []byte {
	root := section{defaults().settings}.schema(cat)
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "flowbench scenario"
	text, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		panic("a schema of maps, strings and numbers is always JSON: " + err.Error())
	}
	return append(text, '\n')
}

func (v section) schema(cat Catalog) object {
	properties, required, rules := object{}, []string{}, []object{}
	settings := v.open()
	for _, s := range settings {
		one := s.value.schema(cat)
		one["description"] = s.about
		if s.required {
			delete(one, "default")
		}
		properties[s.key] = one
		switch {
		case s.when != nil:
			rules = append(rules, s.rule())
		case s.required:
			required = append(required, s.key)
		}
	}
	out := object{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		out["required"] = required
	}
	if len(rules) > 0 {
		out["allOf"] = rules
	}
	return out
}

// rule says in JSON Schema that a setting applies only when a sibling has
// certain values. A sibling that is left out has its default.
func (s setting) rule() object {
	condition := object{"properties": object{s.when.key: object{"enum": s.when.is}}}
	if !slices.Contains(s.when.is, s.when.now()) {
		condition["required"] = []string{s.when.key}
	}
	out := object{"if": condition, "else": object{"properties": object{s.key: false}}}
	if s.required {
		out["then"] = object{"required": []string{s.key}}
	}
	return out
}

func (v text) schema(Catalog) object {
	if v.name {
		return object{"type": "string", "pattern": namePattern}
	}
	return object{"type": "string", "maxLength": v.max, "pattern": linePattern}
}

func (v choice[T]) schema(Catalog) object { return object{"enum": v.of, "default": *v.to} }

func (v whole) schema(Catalog) object {
	return object{"type": "integer", "minimum": v.min, "maximum": v.max, "default": *v.to}
}

func (v big) schema(Catalog) object {
	return object{"type": "integer", "minimum": 0, "maximum": maxBig, "default": *v.to}
}

func (v float) schema(Catalog) object {
	return object{"type": "number", "minimum": v.min, "maximum": v.max, "default": *v.to}
}

func (v yesNo) schema(Catalog) object { return object{"type": "boolean", "default": *v.to} }

func (v span) schema(Catalog) object {
	return object{"type": "string", "pattern": durationPattern, "default": *v.to}
}

func (v names) schema(cat Catalog) object {
	out := object{
		"type": "array", "minItems": 1, "maxItems": v.max, "uniqueItems": true,
		"items": object{"enum": v.all(cat)},
	}
	if len(*v.to) > 0 {
		out["default"] = *v.to
	}
	return out
}

func (v choices) schema(cat Catalog) object {
	anyOf := []object{{"enum": cat.brokerNames()}}
	for _, b := range cat.Brokers {
		properties := object{"name": object{"const": b.Name, "description": b.Summary}}
		for _, p := range b.Params {
			properties[p.Name] = p.schema()
		}
		anyOf = append(anyOf, object{
			"type": "object", "properties": properties, "required": []string{"name"}, "additionalProperties": false,
		})
	}
	return object{"type": "array", "maxItems": maxBrokers, "items": object{"anyOf": anyOf}}
}

func (v faultList) schema(cat Catalog) object {
	anyOf := []object{}
	for _, f := range cat.Faults {
		on := []string{}
		for _, name := range f.On {
			pattern := name
			for _, t := range cat.Targets {
				if t.Name == name && t.Indexed {
					pattern += `(\[[0-9]{1,3}\])?`
				}
			}
			on = append(on, pattern)
		}
		properties := object{
			"what": object{"const": f.Name, "description": f.Summary},
			"on":   object{"type": "string", "pattern": "^(" + strings.Join(on, "|") + ")$"},
			"at":   object{"type": "string", "pattern": durationPattern},
			"for":  object{"type": "string", "pattern": durationPattern},
		}
		required := []string{"what", "on", "at", "for"}
		for _, p := range f.Params {
			properties[p.Name] = p.schema()
			if p.Default == "" {
				required = append(required, p.Name)
			}
		}
		anyOf = append(anyOf, object{
			"type": "object", "properties": properties, "required": required, "additionalProperties": false,
		})
	}
	out := object{"type": "array", "maxItems": maxFaults}
	if len(anyOf) > 0 {
		out["items"] = object{"anyOf": anyOf}
	}
	return out
}

func (commandWords) schema(Catalog) object {
	word := object{"type": "string", "maxLength": maxWordBytes, "pattern": linePattern}
	first := object{"type": "string", "minLength": 1, "maxLength": maxWordBytes, "pattern": linePattern}
	return object{
		"type": "array", "minItems": 1, "maxItems": maxWords, "prefixItems": []object{first},
		"items": object{"anyOf": []object{word, {"type": []string{"number", "boolean"}}}},
	}
}

// schema describes a broker's parameter. In YAML a value such as true or 3 may
// stand without quotes, so every value that reads as something else than text
// is listed in both forms.
func (p Param) schema() object {
	out := object{"description": p.Summary}
	if p.Default != "" {
		out["default"] = p.Default
	}
	if p.Words {
		maps.Copy(out, commandWords{}.schema(Catalog{}))
		return out
	}
	if p.Span {
		out["type"], out["pattern"] = "string", durationPattern
		return out
	}
	if len(p.Values) == 0 {
		out["type"], out["minimum"], out["maximum"] = "integer", p.Min, p.Max
		if p.whole(p.Default) {
			out["default"] = json.Number(p.Default)
		}
		return out
	}
	values := []any{}
	for _, v := range p.Values {
		values = append(values, v)
		var plain any
		if json.Unmarshal([]byte(v), &plain) == nil {
			values = append(values, plain)
		}
	}
	out["enum"] = values
	return out
}
