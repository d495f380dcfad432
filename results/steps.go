package results

// A Step is one thing that parts of a flow tell each other while the flow performs
// an operation without trouble, or one that a part does alone. Steps are no
// measurement: they are written into a run when it begins, so that its report can
// say how its flows work, wherever and whenever it is drawn.
type Step struct {
	From  string `json:"from"`
	To    string `json:"to,omitempty"` // empty for what From does alone, or learns
	Text  string `json:"text"`
	Reply bool   `json:"reply,omitempty"` // it answers or confirms something
}
