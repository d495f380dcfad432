package compare

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"flowbench/results"
)

// NoiseSchema names the layout of files of noise floors.
const NoiseSchema = "flowbench.noise/1"

// Stale is the age from which on a noise floor is marked as old.
const Stale = 7 * 24 * time.Hour

// leastNoise is how many repeats a noise floor is made from at least: two sides of
// two.
const leastNoise = 4

// A Noise is how far apart runs of the same program are on a machine: the noise
// floor that differences must be beyond.
type Noise struct {
	Schema    string       `json:"schema"`
	Taken     time.Time    `json:"taken"`
	Host      results.Host `json:"host"`
	Run       string       `json:"run"`
	Scenario  string       `json:"scenario"`
	PerSide   int          `json:"per_side"`   // observations of each side that the floors are of
	MeasuredS float64      `json:"measured_s"` // of each observation
	// Disturbed says why the machine was not quiet, if it was not: a floor from such
	// a time is higher than it need be, and no verdict can rest on it.
	Disturbed []string           `json:"disturbed"`
	Floors    map[string]float64 `json:"floors"` // by metric, as a share: 0.1 is ten percent
}

// MeasureNoise returns the noise floor that the repeats of a run show. They are
// split into two halves in many ways, and by time into the first and the last; the
// floor of a metric is what the ratio of two halves stays within in 95 % of the
// splits and in the one by time, in the cell in which that is most.
func MeasureNoise(run *results.Run, now time.Time) (*Noise, error) {
	if run.Simulated {
		return nil, errors.New("measure noise: the run is simulated, and virtual time has no noise of a machine")
	}
	n := &Noise{
		Schema: NoiseSchema, Taken: now, Host: run.Host, Run: run.ID, Scenario: run.Scenario, PerSide: math.MaxInt,
		Floors: make(map[string]float64), Disturbed: []string{},
	}
	side := newSide(Side{Runs: []*results.Run{run}})
	for _, id := range side.ids {
		s := side.cells[id]
		if len(s.all) < leastNoise {
			return nil, fmt.Errorf("measure noise: cell %s has %d valid repeats; want at least %d", id, len(s.all),
				leastNoise)
		}
		n.PerSide = min(n.PerSide, len(s.all)/2)
		n.MeasuredS = s.all[0].Load.Measured.Seconds()
		if why := s.disturbed(); why != "" {
			n.Disturbed = append(n.Disturbed, id+": "+why)
		}
		for _, m := range s.metrics() {
			if v, ok := s.values(m); ok && m.Family != Count {
				n.Floors[m.Name] = max(n.Floors[m.Name], floorOf(v))
			}
		}
	}
	if len(n.Floors) == 0 {
		return nil, errors.New("measure noise: the run has no cell with metrics")
	}
	return n, nil
}

// splits is in how many ways repeats are split into halves.
const splits = 200

// floorOf returns how far apart halves of values are, which are in the order of time.
func floorOf(values []float64) float64 {
	half := len(values) / 2
	between := func(a, b []float64) float64 {
		e, ok := ratio(a, b)
		if !ok {
			return 0
		}
		return size(e.Ratio)
	}
	drift := between(values[:half], values[len(values)-half:])
	rng, shuffled := rand.New(rand.NewPCG(1, uint64(len(values)))), slices.Clone(values)
	var sizes []float64
	for range splits {
		rng.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		sizes = append(sizes, between(shuffled[:half], shuffled[half:2*half]))
	}
	slices.Sort(sizes)
	return max(drift, sizes[splits*95/100])
}

// leastFloor is below which no difference is a change: what histograms resolve, and
// what nobody would notice.
const leastFloor = 0.01

// assumedFloor is the floor of a metric on a machine of which nobody has measured
// it. Runs on small virtual machines have been that far apart.
func assumedFloor(m Metric) float64 {
	switch {
	case m.Family == Latency && m.Quantile > 0.95:
		return 0.5
	case m.Family == Latency && m.Quantile > 0.75:
		return 0.2
	case m.Family == Latency, m.Name == "CPU per operation":
		return 0.1
	}
	return 0.02
}

// Of returns the floor of a metric for sides of so many observations, and whether it
// was measured. Fewer observations than it was measured with are further apart;
// more are not taken to be closer, since what drifts does not average out.
func (n *Noise) Of(m Metric, perSide int) (floor float64, measured bool) {
	if m.Family == Count {
		return 0, true
	}
	if n == nil {
		return assumedFloor(m), false
	}
	floor, measured = n.Floors[m.Name]
	if !measured {
		return assumedFloor(m), false
	}
	if perSide > 0 && perSide < n.PerSide {
		floor *= math.Sqrt(float64(n.PerSide) / float64(perSide))
	}
	return max(floor, leastFloor), true
}

// SameMachine reports whether two hosts are the same machine, as far as can be told.
// Its kernel may have changed, and its memory by a little.
func SameMachine(a, b results.Host) bool {
	near := math.Abs(float64(a.MemoryMB-b.MemoryMB)) <= 0.05*float64(max(a.MemoryMB, b.MemoryMB))
	return a.OS == b.OS && a.Arch == b.Arch && a.CPU == b.CPU && a.CPUs == b.CPUs && near
}

// NoiseFile returns where the noise floor of this machine is kept for a user whose
// cache is in a directory.
func NoiseFile(cache string) string { return filepath.Join(cache, "flowbench", "noise.json") }

// maxNoise bounds a file of noise floors.
const maxNoise = 1 << 20

// ReadNoise reads a noise floor. The error is [os.ErrNotExist] if there is none.
func ReadNoise(name string) (*Noise, error) {
	info, err := os.Stat(name)
	if err == nil && info.Size() > maxNoise {
		err = fmt.Errorf("%s is larger than any noise floor", name)
	}
	var text []byte
	if err == nil {
		text, err = os.ReadFile(name)
	}
	if err != nil {
		return nil, fmt.Errorf("read noise floor: %w", err)
	}
	return parseNoise(name, text)
}

func parseNoise(name string, text []byte) (*Noise, error) {
	var n Noise
	if err := json.Unmarshal(text, &n); err != nil {
		return nil, fmt.Errorf("read noise floor %s: %w", name, err)
	}
	if n.Schema != NoiseSchema {
		return nil, fmt.Errorf("read noise floor %s: schema is %q; this flowbench reads %q", name, n.Schema,
			NoiseSchema)
	}
	for metric, floor := range n.Floors {
		if floor < 0 || n.PerSide < 1 {
			return nil, fmt.Errorf("read noise floor %s: %s of %d observations is %v; want 0 or more, of 1 or more",
				name, metric, n.PerSide, floor)
		}
	}
	return &n, nil
}

// Write writes the noise floor to a file, whole or not at all, and makes the
// directory that it is in.
func (n *Noise) Write(name string) error {
	dir := filepath.Dir(name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("write noise floor: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("write noise floor: %w", err)
	}
	text, err := json.MarshalIndent(n, "", "  ")
	if err == nil {
		err = results.WriteFile(root, filepath.Base(name), append(text, '\n'))
	}
	if err := errors.Join(err, root.Close()); err != nil {
		return fmt.Errorf("write noise floor: %w", err)
	}
	return nil
}
