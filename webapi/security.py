"""Add the headers by which a browser loads nothing foreign."""

from __future__ import annotations

from flask import Response

#: For pages: own scripts and styles, nothing inline, nothing from elsewhere, in nobody's frame.
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

#: For everything else, which is never shown as a page.
DATA_POLICY = "default-src 'none'; frame-ancestors 'none'"

_EVERYWHERE = (("X-Content-Type-Options", "nosniff"), ("Cross-Origin-Resource-Policy", "same-origin"))

#: All that `guard` adds to data; an answer that is sent often brings it along, which costs less.
DATA_HEADERS = (("Content-Security-Policy", DATA_POLICY), *_EVERYWHERE)
_PAGE_HEADERS = (("Content-Security-Policy", PAGE_POLICY), ("Referrer-Policy", "no-referrer"), *_EVERYWHERE)


def guard(response: Response) -> Response:
    """Add the security headers; an answer that has them stays as it is."""
    headers = response.headers
    if "X-Content-Type-Options" not in headers:
        for name, value in _PAGE_HEADERS if response.mimetype == "text/html" else DATA_HEADERS:
            headers[name] = value
    return response
