"""The words of the native API as types, and the events of a stream."""
