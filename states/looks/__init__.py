"""What an upgrade needs, one look each, by what it is at; `states.preconditions` chooses among them."""
