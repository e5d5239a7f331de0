"""POST /v1/responses as a translation: items to messages, tools to functions, events to items."""
