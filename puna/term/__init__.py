"""What people see of a server's answers: tables, progress, wrapped text. For cli, repl, launch."""
