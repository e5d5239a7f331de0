"""Set up other tools to use Puna: one file per tool."""
