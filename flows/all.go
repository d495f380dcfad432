package flows

// All returns every flow, in the order in which lists and reports show them.
// Adding a flow means adding its file and its line here.
func All() []Flow {
	return []Flow{
		Async{NoReply},
		Async{PollReply},
		Async{EventsReply},
		Async{ReplyTo},
		Priority{},
		Proxy{ProxySync},
		Proxy{ProxyAsync},
		Direct{},
		Hybrid{ProxySync},
		Hybrid{ProxyAsync},
		FanOut{},
		WebSocket{},
	}
}
