"""Static files of the browser interface."""
