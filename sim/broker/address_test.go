package broker

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"flowbench/flows"
)

func TestRedactionLeavesOnlySchemeHostAndPort(t *testing.T) {
	for address, want := range map[string]string{
		"amqp://user:hunter2@broker.example:5672/vhost?key=hunter2": "amqp://broker.example:5672",
		"nats://hunter2@127.0.0.1:4222":                             "nats://127.0.0.1:4222",
		"nats://[::1]:4222":                                         "nats://[::1]:4222",
		"amqp://user:hunter2%zz@broker:5672":                        "(address not shown: it is not a URL with a host)",
		"hunter2":                                                   "(address not shown: it is not a URL with a host)",
	} {
		if got := Redacted(address); got != want {
			t.Errorf("Redacted(%q) = %q; want %q", address, got, want)
		}
	}
}

func TestAddressErrorsShowNoCredentials(t *testing.T) {
	for _, list := range [][]string{
		nil, {"amqp://u:hunter2%zz@h:1"}, {"http://u:hunter2@h:1"}, {"amqp://ok:1", "u:hunter2"},
	} {
		err := CheckAddresses(list, "amqp", "amqps")
		if err == nil {
			t.Errorf("CheckAddresses(%q) = nil; want an error", list)
			continue
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("CheckAddresses(%q) = %q; want no credentials in it", list, err)
		}
	}
	if err := CheckAddresses([]string{"amqp://u:p@h:1/v", "amqps://h"}, "amqp", "amqps"); err != nil {
		t.Errorf("CheckAddresses of two good addresses = %v; want nil", err)
	}
}

func TestNotDialedTellsRefusedFromUnreachable(t *testing.T) {
	refused := NotDialed(fmt.Errorf("dial: %w", syscall.ECONNREFUSED))
	if o, c := flows.OutcomeOf(refused); o != flows.Failed || c != flows.Refused {
		t.Errorf("outcome of a refused dial is %v, %v; want failed, refused", o, c)
	}
	other := NotDialed(errors.New("no route"))
	if o, c := flows.OutcomeOf(other); o != flows.Failed || c != flows.Unreachable {
		t.Errorf("outcome of another dial error is %v, %v; want failed, unreachable", o, c)
	}
}

func TestReconnectParametersDefaultToTheBackoffOfAllDrivers(t *testing.T) {
	p := Driver{Params: ReconnectParams()}.Defaults()
	if got, want := p.Reconnect(), ReconnectBackoff(); got != want {
		t.Errorf("the defaults mean %v; want %v", got, want)
	}
	p["reconnect_min_ms"], p["reconnect_max_ms"] = "7", "20"
	got := p.Reconnect()
	for n, want := range []time.Duration{7, 14, 20, 20} {
		if pause := got.Pause(n); pause != want*time.Millisecond {
			t.Errorf("attempt %d comes after %v; want %d ms", n, pause, want)
		}
	}
}
