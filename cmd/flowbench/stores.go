package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"flowbench/scenarios"
	"flowbench/sim"
	"flowbench/sim/drivers"
	"flowbench/sim/process"
	"flowbench/sim/store"
)

// addStores adds the flags about stores.
func (r *runFlags) addStores(f *pflag.FlagSet) {
	f.StringArrayVar(&r.storeURLs, "store-url", nil,
		"use a store of yours, `NAME=URL`, such as s3=http://127.0.0.1:9000/bucket; NAME is one of "+
			strings.Join(externalStores(), ", "))
	f.StringArrayVar(&r.storeCredentials, "store-credentials", nil,
		"read the credentials of a store from a file, `NAME=FILE`, whose first line is name:secret")
}

// externalStores lists the stores that may be somebody else's.
func externalStores() (names []string) {
	for _, d := range drivers.Stores() {
		if d.External {
			names = append(names, d.Name)
		}
	}
	return names
}

// storeVariable is an environment variable about a store.
func storeVariable(name, what string) string {
	return "FLOWBENCH_STORE_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_")) + "_" + what
}

// storeSources says where stores are that are not started here: from flags, else
// from the environment.
func (r *runFlags) storeSources(sh shell) (map[string]sim.StoreSource, error) {
	all := make(map[string]sim.StoreSource)
	for _, name := range externalStores() {
		s := sim.StoreSource{URL: sh.getenv(storeVariable(name, "URL"))}
		s.Credentials.Name = sh.getenv(storeVariable(name, "USER"))
		s.Credentials.Secret = sh.getenv(storeVariable(name, "SECRET"))
		if s != (sim.StoreSource{}) {
			all[name] = s
		}
	}
	for _, arg := range r.storeURLs {
		name, u, _ := strings.Cut(arg, "=")
		if !slices.Contains(externalStores(), name) || u == "" {
			return nil, fmt.Errorf("--store-url names %s; want NAME=URL with one of %s", shownName(arg),
				strings.Join(externalStores(), ", "))
		}
		s := all[name]
		s.URL = u
		all[name] = s
	}
	for _, arg := range r.storeCredentials {
		name, file, _ := strings.Cut(arg, "=")
		if !slices.Contains(externalStores(), name) || file == "" {
			return nil, fmt.Errorf("--store-credentials names %s; want NAME=FILE with one of %s", shownName(arg),
				strings.Join(externalStores(), ", "))
		}
		c, err := readCredentials(file)
		if err != nil {
			return nil, err
		}
		s := all[name]
		s.Credentials = c
		all[name] = s
	}
	for name, s := range all {
		if err := r.checkStoreURL(name, s.URL); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// shownName returns what stands before the = of a flag, unless it may have a secret
// in it: somebody may have forgotten the name before a URL.
func shownName(arg string) string {
	name, _, ok := strings.Cut(arg, "=")
	if !ok || strings.ContainsAny(name, ":/@") {
		return "nothing"
	}
	return strconv.Quote(name)
}

// maxCredentials bounds a file of credentials.
const maxCredentials = 4 << 10

// readCredentials reads name:secret from the first line of a file. What is in the
// file never gets into an error.
func readCredentials(file string) (store.Credentials, error) {
	f, err := os.Open(file)
	if err != nil {
		return store.Credentials{}, fmt.Errorf("read credentials: %w", err)
	}
	defer f.Close() // nothing was written, so closing has nothing to say
	text, err := io.ReadAll(io.LimitReader(f, maxCredentials))
	if err != nil {
		return store.Credentials{}, fmt.Errorf("read credentials: %w", err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	name, secret, ok := strings.Cut(strings.TrimSpace(line), ":")
	if !ok || name == "" || secret == "" {
		return store.Credentials{}, fmt.Errorf("read credentials: the first line of %s is not name:secret", file)
	}
	return store.Credentials{Name: name, Secret: secret}, nil
}

// checkStoreURL refuses what is not a URL, and what is beyond this machine unless
// that was allowed.
func (r *runFlags) checkStoreURL(name, address string) error {
	if address == "" {
		return nil // credentials alone say nothing yet
	}
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" {
		return fmt.Errorf("the address of store %s is not a URL; want such as http://127.0.0.1:9000/name", name)
	}
	if r.allowRemote || onThisMachine(u.Hostname()) {
		return nil
	}
	return fmt.Errorf("store %s at %s is not on this machine; "+
		"if it is yours to put load on, say so with --allow-remote", name, u.Host)
}

// keepStores gives the engine a directory for the objects of stores that it
// starts, if the plan has any. It goes away with this process, whatever ends it.
func (r *runFlags) keepStores(ctx context.Context, e *sim.Engine, plan *scenarios.Plan) (done func(), err error) {
	if !slices.ContainsFunc(plan.Cells, func(c scenarios.Cell) bool { return c.Store != "" }) {
		return func() {}, nil
	}
	keeper, err := process.Open(ctx, process.Options{Prefix: "flowbench-stores-"})
	if err != nil {
		return nil, fmt.Errorf("make a directory for stores: %w", err)
	}
	e.TempDir = keeper.Dir()
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
		defer cancel()
		if err := keeper.Close(ctx); err != nil {
			e.Log.Warn("directory of stores not removed", "error", err)
		}
	}, nil
}

func listStores(w io.Writer) error {
	for i, d := range drivers.Stores() {
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "%s\n    %s\n    runs: %s", d.Name, d.Summary, d.Embedded)
		if d.External {
			fmt.Fprintf(w, ", or yours by --store-url %s=URL", d.Name)
		}
		if _, err := fmt.Fprintln(w); err != nil {
			return err
		}
	}
	return nil
}
