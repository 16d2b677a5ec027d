"""The live inbox.

Its modules, from the outside in:

- `live`: `LiveInbox`, the public class; `blocking` is the same for blocking code
- `event_queue`, `buffer`, `changes`: events that wait for the application
- `session_runner`: one connection after another, with the waits of `backoff`
- `link`: one connection; `socket` opens it, `access` has its URL and token, `pace` limits its frames
- `marker`: marks, until their answers arrive
- `session`, with `status` and `marks`: the protocol as a pure state machine
"""
