package scenarios

import "strconv"

// A floats is a list of numbers.
type floats struct {
	to       *[]float64
	most     int
	min, max float64
}

func (v floats) want() string {
	return "a list of at most " + strconv.Itoa(v.most) + " numbers from " + formatFloat(v.min) + " to " +
		formatFloat(v.max)
}

func (v floats) read(r *reader, path string, n *node) bool {
	n = n.split()
	if n.kind != list || len(n.items) == 0 || len(n.items) > v.most {
		return false
	}
	*v.to = nil
	ok := true
	for i, at := range n.items {
		var one float64
		path, each := item(path, i), float{&one, v.min, v.max}
		r.places[path] = at.at
		if !each.read(r, path, at) {
			r.add(at.at, "%s is %s; want %s", path, at.describe(), each.want())
			ok = false
		}
		*v.to = append(*v.to, one)
	}
	r.bad[path] = !ok
	return true
}

func (v floats) schema(cat Catalog) object {
	one := float{new(float64), v.min, v.max}.schema(cat)
	delete(one, "default")
	out := object{"type": "array", "minItems": 1, "maxItems": v.most, "items": one}
	if len(*v.to) > 0 {
		out["default"] = *v.to
	}
	return out
}
