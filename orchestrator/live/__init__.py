"""What is told while a run goes on: a view that is drawn on a terminal, lines in a pipe, or events for a program."""
