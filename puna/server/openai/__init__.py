"""The OpenAI API as a translation: its requests to the native ones, events to its replies."""
