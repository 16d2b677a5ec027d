"""The one definition of everything that crosses the wire: types, limits, error codes, close codes.

The server and the SDK both import it; the schemas in `openapi/` are generated from it.

- `limits`: every size, length and time limit
- `names`: the alphabets of ids, as patterns and annotated types
- `notifications`: a notification as its sender and as its receivers see it
- `frames`: the realtime protocol
- `rest`: bodies and answers of the REST API
- `marks`: the rules of a mark that its type cannot express
- `times`: times as text
- `plain`: structs as plain JSON values
- `errors`: error codes with their HTTP status
- `pointers`: messages of the JSON decoder, translated into the words of the API
- `faults`: every fault of a body, not only the first
- `closing`: close codes with their verdict
"""
