"""Say to browsers which pages may ask a function URL, as its CORS settings have it. Pure.

After the Fetch standard, "CORS protocol": a preflight asks ahead of a request, and its answer says it once more.
What the function itself says of CORS stays beside it, as on AWS: said twice, browsers refuse it.
"""

from __future__ import annotations

from grandstand.kinds.functions import Cors

Headers = list[tuple[str, str]]
ANY = "*"
NOTHING = Cors()
"""Settings that have nothing in them: the function answers for itself, as it does without."""


def preflight(cors: Cors, origin: str, method: str, headers: str) -> Headers:
    """Of the answer to OPTIONS. `method` and `headers` are those that the browser asks for; `origin` "" for no page."""
    said = _allowed(cors, origin)
    if said:
        said += _listed("Access-Control-Allow-Headers", cors.allow_headers, cors, headers)
        said += _listed("Access-Control-Allow-Methods", cors.allow_methods, cors, method)
        if cors.max_age_seconds is not None:
            said.append(("Access-Control-Max-Age", str(cors.max_age_seconds)))
    return [("Vary", "Origin"), *said]


def added(cors: Cors, origin: str) -> Headers:
    """To the answers of all other methods."""
    said = _allowed(cors, origin)
    if said and cors.expose_headers:
        said.append(("Access-Control-Expose-Headers", ",".join(cors.expose_headers)))
    return [("Vary", "Origin"), *said]


def _allowed(cors: Cors, origin: str) -> Headers:
    """Empty where the origin may not ask."""
    anybody = ANY in cors.allow_origins
    if not origin or not (anybody or origin.lower() in map(str.lower, cors.allow_origins)):
        return []
    # Browsers take no "*" for requests with credentials.
    said = [("Access-Control-Allow-Origin", ANY if anybody and not cors.allow_credentials else origin)]
    if cors.allow_credentials:
        said.append(("Access-Control-Allow-Credentials", "true"))
    return said


def _listed(name: str, allowed: list[str], cors: Cors, asked: str) -> Headers:
    if ANY in allowed and cors.allow_credentials:
        return [(name, asked)] if asked else []
    return [(name, ",".join(allowed))] if allowed else []
