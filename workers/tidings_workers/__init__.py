"""The engine of Tidings: store, dispatcher, gateway."""
