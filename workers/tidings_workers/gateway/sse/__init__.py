"""Server-sent events: the frames of a connection as a stream of events over HTTP."""
