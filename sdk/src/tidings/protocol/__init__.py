"""The one definition of what crosses the wire: types, limits, error codes, close codes.

The server and the SDK both import it; the schemas in `openapi/` are generated from it.

- `limits`: every size, length and time limit
- `names`: the alphabets of ids, as patterns and annotated types
- `notifications`: what is sent and what is received
- `frames`: the realtime protocol
- `rest`: bodies and answers of the REST API
- `marks`: what the type of a mark can't say
- `times`: moments as text
- `errors`: error codes with their HTTP status
- `pointers`: messages of the decoder in the words of the contract
- `faults`: everything that is wrong with a body
- `closing`: close codes with their verdict
"""
