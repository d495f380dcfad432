package des

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"

	"flowbench/flows"
)

type noAcker struct{}

func (noAcker) Ack(context.Context, flows.Message) error { return nil }

func TestAPromiseKeepsEveryFieldOfAMessage(t *testing.T) {
	if m := (flows.Message{}); !empty(&m) {
		t.Error("an empty message is not empty")
	}
	for i := range reflect.TypeFor[flows.Message]().NumField() {
		var m flows.Message
		name := reflect.TypeFor[flows.Message]().Field(i).Name
		switch f := reflect.ValueOf(&m).Elem().Field(i); f.Kind() {
		case reflect.String:
			f.SetString("x")
		case reflect.Bool:
			f.SetBool(true)
		case reflect.Slice:
			f.SetBytes([]byte{})
		case reflect.Interface:
			switch name {
			case "Err":
				f.Set(reflect.ValueOf(errors.New("x")))
			case "Stream":
				f.Set(reflect.ValueOf(strings.NewReader("x")))
			default:
				f.Set(reflect.ValueOf(noAcker{}))
			}
		default:
			f.SetUint(1)
		}
		if empty(&m) {
			t.Errorf("a message with %s set is taken for empty", name)
		}
	}
}
