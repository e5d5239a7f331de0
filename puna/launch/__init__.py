"""Set up other programs to use Puna and start them: one file per program in integrations/."""
