package schedules

import (
	"fmt"
	"reflect"
	"strings"
)

// waiting returns the places in a server and its clients where answers are still
// waited for, and how many. A flow keeps them in maps named waiting, which are
// nobody's business but this test's: a promise that stays there after its
// operation has ended is memory that grows with every timeout.
func waiting(values ...any) map[string]int {
	w := walk{found: make(map[string]int), seen: make(map[uintptr]bool)}
	for _, v := range values {
		w.visit(reflect.ValueOf(v), fmt.Sprintf("%T", v))
	}
	return w.found
}

// held returns how much a field of a struct holds that should be empty in the end:
// answers that are waited for, streams that are under way, room that they have
// taken, and objects in a store. More room than there is counts as well.
func held(v reflect.Value, name string, field reflect.Value) int {
	switch {
	case field.Kind() == reflect.Map && (name == "waiting" || name == "outgoing" || name == "objects"):
		return field.Len()
	case field.Kind() == reflect.Map && name == "incoming":
		return field.Len() - v.FieldByName("finished").Len()
	case v.Type().Name() == "room" && name == "used":
		return int(field.Int())
	case v.Type().Name() == "room" && name == "most":
		return int(max(0, field.Int()-v.FieldByName("total").Int()))
	}
	return 0
}

type walk struct {
	found map[string]int
	seen  map[uintptr]bool
}

// visit looks into v as far as it belongs to package flows.
func (w walk) visit(v reflect.Value, path string) {
	switch v.Kind() {
	case reflect.Interface:
		w.visit(v.Elem(), path)
	case reflect.Pointer:
		if !v.IsNil() && !w.seen[v.Pointer()] {
			w.seen[v.Pointer()] = true
			w.visit(v.Elem(), path)
		}
	case reflect.Slice, reflect.Array:
		switch v.Type().Elem().Kind() {
		case reflect.Interface, reflect.Pointer, reflect.Struct:
		default:
			return // numbers hold nothing, and there may be many
		}
		for i := range v.Len() {
			w.visit(v.Index(i), fmt.Sprintf("%s[%d]", path, i))
		}
	case reflect.Struct:
		if !strings.HasSuffix(v.Type().PkgPath(), "flowbench/flows") {
			return
		}
		for i := range v.NumField() {
			name, field := v.Type().Field(i).Name, v.Field(i)
			if n := held(v, name, field); n != 0 {
				w.found[path+"."+name] = n
			}
			w.visit(field, path+"."+name)
		}
	}
}
