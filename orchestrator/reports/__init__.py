"""What is told of a run: report, runbook, notification, metrics and support file."""
