"""Things break while real processes work; a reader of its own then looks for jobs lost, doubled or wrong."""
