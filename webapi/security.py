"""What every answer carries so that a browser lets nothing in that is not ours."""

from __future__ import annotations

from flask import Response

#: For pages: own scripts and styles, nothing inline, nothing from elsewhere, in nobody's frame.
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

#: For everything else, which is never shown as a page.
DATA_POLICY = "default-src 'none'; frame-ancestors 'none'"

_HEADERS = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)


def guard(response: Response) -> Response:
    """Add what is missing; what a view has set itself stays."""
    headers = response.headers
    if "Content-Security-Policy" not in headers:
        html = response.mimetype == "text/html"
        headers["Content-Security-Policy"] = PAGE_POLICY if html else DATA_POLICY
    for name, value in _HEADERS:
        headers[name] = value
    return response
