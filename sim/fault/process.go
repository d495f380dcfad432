package fault

// kill describes the fault of that name.
func kill() Fault {
	return Fault{
		Name: "kill", Summary: "The processes of the broker are killed (SIGKILL), and started again at the end.",
		On: []Place{Broker}, impair: just(Act{Name: Kill}),
	}
}

// restart describes the fault of that name.
func restart() Fault {
	return Fault{
		Name: "restart", Summary: "The processes of the broker are stopped in order, and started again at the end.",
		On: []Place{Broker}, impair: just(Act{Name: Restart}),
	}
}

// freeze describes the fault pause of a broker.
func freeze() Fault {
	return Fault{
		Name:    "freeze",
		Summary: "The processes of the broker are frozen (SIGSTOP): connections stay, and nothing moves until the end.",
		On:      []Place{Broker}, impair: just(Act{Name: Freeze}),
	}
}

// killLeader describes the fault of that name.
func killLeader() Fault {
	return Fault{
		Name:    "kill-leader",
		Summary: "The node that leads the queue of requests is killed (SIGKILL), and started again at the end.",
		On:      []Place{Broker}, impair: just(Act{Name: Kill, Leader: true}),
	}
}

// freezeLeader describes the fault of that name.
func freezeLeader() Fault {
	return Fault{
		Name:    "freeze-leader",
		Summary: "The node that leads the queue of requests is frozen (SIGSTOP) until the end.",
		On:      []Place{Broker}, impair: just(Act{Name: Freeze, Leader: true}),
	}
}
