// Package expect reads expectations and judges runs by them.
//
// An expectation is a statement about what a run measured, such as
//
//	answered.command.p99 <= 50ms
//	lost == 0
//	proxy-sync.answered.p99 <= 2 * direct.answered.p99
//	answered.p99[fault] <= 200ms
//	answered.p99 vs baseline < +10% and +1ms
//
// It says something of every cell that has the metric, or of those that it names:
// by flow in front of the metric, and by @broker, @edge, @payload or @store behind
// the flow or instead of it. The grammar:
//
//	statement = term compare term
//	          | measure "vs" "baseline" compare change [ "and" change ]
//	term      = [ number "*" ] measure | quantity
//	measure   = [ cells "." ] metric [ "[" window "]" ]
//	cells     = flow { "@" name } | "@" name { "@" name }
//	metric    = word { "." word }
//	window    = "warm-up" | "steady" | "fault" | "recovery"
//	compare   = "<=" | "<" | ">=" | ">" | "==" | "!="
//	quantity  = number [ unit ]
//	change    = ( "+" | "-" ) number unit
//	unit      = "ns" | "us" | "µs" | "ms" | "s" | "m" | "%" | "/s" | "B" | "kB" | "KiB" | "MB" | "MiB"
//
// A statement ends in one of three ways: held, failed, or cannot tell. It cannot be
// told where the numbers do not carry it: too few samples lie beyond a quantile, the
// cell is not valid, a fault met nothing, the machine was busy with something else,
// or nothing was measured that the statement is about. What is counted exactly, which
// is the account of commands, does not get wrong by a late generator: a loss is a
// loss. But that nothing was lost can only be said once the drain is proven.
//
// Against a baseline, a change fails only if it is beyond every allowance that is
// given: "< +10% and +1ms" fails where the rise is more than 10 % and also more than
// 1 ms, so that neither the noise of small numbers nor a small share of large ones is
// called a change.
package expect
