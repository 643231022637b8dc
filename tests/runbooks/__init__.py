"""Which runbooks there are, and which of them have been pasted into a shell on a real engine."""
