"""What an upgrade needs, one look each, by what it is at; `states.shared.preflight_checks` chooses among them."""
