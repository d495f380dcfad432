package host

import (
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"flowbench/results"
)

func describe(h *results.Host) {
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		h.Kernel = unix.ByteSliceToString(u.Release[:])
	}
	h.CPU = field("/proc/cpuinfo", "model name")
	if kb, err := strconv.ParseInt(strings.TrimSuffix(field("/proc/meminfo", "MemTotal"), " kB"), 10, 64); err == nil {
		h.MemoryMB = kb >> 10
	}
}

// field returns the value of the first line "name: value" of a file.
func field(file, name string) string {
	b, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(b)) {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == name {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

func ownCPU() time.Duration {
	var ru unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &ru) != nil {
		return 0
	}
	return time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
}

// A machine is the counters of the whole machine.
type machine struct {
	cpuSome, ioSome time.Duration // PSI totals; negative where the kernel has none
	ticks           []int64       // of /proc/stat: user nice system idle iowait irq softirq steal
}

func readMachine() machine {
	m := machine{cpuSome: psi("/proc/pressure/cpu"), ioSome: psi("/proc/pressure/io")}
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return m
	}
	line, _, _ := strings.Cut(string(b), "\n")
	for _, f := range strings.Fields(line)[1:] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return m
		}
		m.ticks = append(m.ticks, n)
	}
	return m
}

// psi returns the total of the line "some" of a pressure file.
func psi(file string) time.Duration {
	b, err := os.ReadFile(file)
	if err != nil {
		return -1
	}
	line, _, _ := strings.Cut(string(b), "\n")
	_, total, ok := strings.Cut(line, "total=")
	us, err := strconv.ParseInt(total, 10, 64)
	if !ok || err != nil {
		return -1
	}
	return time.Duration(us) * time.Microsecond
}

// Columns of /proc/stat.
const (
	idleColumn   = 3
	iowaitColumn = 4
	stealColumn  = 7
	columns      = 8
)

func (m machine) since(earlier machine, span time.Duration) results.Pressure {
	p := results.Pressure{CPUSome: -1, IOSome: -1, Steal: -1, Busy: -1}
	if earlier.cpuSome >= 0 && m.cpuSome >= 0 {
		p.CPUSome = (m.cpuSome - earlier.cpuSome).Seconds() / span.Seconds()
	}
	if earlier.ioSome >= 0 && m.ioSome >= 0 {
		p.IOSome = (m.ioSome - earlier.ioSome).Seconds() / span.Seconds()
	}
	if len(earlier.ticks) < columns || len(m.ticks) < columns {
		return p
	}
	var all int64
	for i := range columns {
		all += m.ticks[i] - earlier.ticks[i]
	}
	if all > 0 {
		idle := m.ticks[idleColumn] - earlier.ticks[idleColumn] + m.ticks[iowaitColumn] - earlier.ticks[iowaitColumn]
		p.Steal = float64(m.ticks[stealColumn]-earlier.ticks[stealColumn]) / float64(all)
		p.Busy = 1 - float64(idle)/float64(all)
	}
	return p
}

// clockTick is the unit of CPU times in /proc/PID/stat. The kernel's USER_HZ is 100
// on every architecture that Go runs on.
const clockTick = 10 * time.Millisecond

// CPUOf returns the CPU time of a process, of its threads and of the children that
// it has, or a negative number if that cannot be told.
func CPUOf(pid int) time.Duration { return cpuOf(pid, 4) }

// cpuOf goes down at most so many generations of children.
func cpuOf(pid, depth int) time.Duration {
	dir := "/proc/" + strconv.Itoa(pid)
	b, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return -1
	}
	// The name of the program, in parentheses, may have spaces and parentheses itself.
	fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	const userField, systemField = 11, 12 // counted from the state behind the name
	if len(fields) <= systemField {
		return -1
	}
	var sum time.Duration
	for _, field := range []string{fields[userField], fields[systemField]} {
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return -1
		}
		sum += time.Duration(ticks) * clockTick
	}
	if depth == 0 {
		return sum
	}
	children, err := os.ReadFile(dir + "/task/" + strconv.Itoa(pid) + "/children")
	if err != nil {
		return sum // a kernel that does not list them
	}
	for _, child := range strings.Fields(string(children)) {
		if id, err := strconv.Atoi(child); err == nil {
			sum += max(0, cpuOf(id, depth-1))
		}
	}
	return sum
}
