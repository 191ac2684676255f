"""What the door says of CORS, by settings and by what a browser asks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grandstand.functions.fleet.cors import added, preflight
from grandstand.kinds.functions import Cors

PAGE, OTHER = "https://page.example", "http://localhost:3000"
VARY = {"Vary": "Origin"}
ORIGIN, CREDENTIALS = "Access-Control-Allow-Origin", {"Access-Control-Allow-Credentials": "true"}
METHODS, HEADERS = "Access-Control-Allow-Methods", "Access-Control-Allow-Headers"
AGE, EXPOSED = "Access-Control-Max-Age", "Access-Control-Expose-Headers"
FULL = Cors(
    allow_credentials=True,
    allow_headers=["authorization", "content-type"],
    allow_methods=["GET", "POST"],
    allow_origins=[PAGE, OTHER],
    expose_headers=["x-one", "x-two"],
    max_age_seconds=60,
)
ALL = Cors(allow_headers=["*"], allow_methods=["*"], allow_origins=["*"], expose_headers=["*"])
ALL_WITH_COOKIES = Cors(allow_credentials=True, allow_headers=["*"], allow_methods=["*"], allow_origins=["*"])


@pytest.mark.parametrize(
    ("cors", "origin", "said"),
    [
        (FULL, PAGE, {ORIGIN: PAGE, **CREDENTIALS, HEADERS: "authorization,content-type", METHODS: "GET,POST",
                      AGE: "60"}),
        (FULL, OTHER, {ORIGIN: OTHER, **CREDENTIALS, HEADERS: "authorization,content-type", METHODS: "GET,POST",
                       AGE: "60"}),
        (FULL, "https://evil.example", {}),
        (FULL, f"{PAGE}.evil.example", {}),
        (FULL, "null", {}),
        (FULL, "", {}),
        (ALL, PAGE, {ORIGIN: "*", HEADERS: "*", METHODS: "*"}),
        (ALL, "", {}),
        (ALL_WITH_COOKIES, PAGE, {ORIGIN: PAGE, **CREDENTIALS, HEADERS: "x-asked", METHODS: "PUT"}),
        (Cors(allow_origins=[PAGE]), PAGE, {ORIGIN: PAGE}),
        (Cors(allow_origins=[PAGE.upper()]), PAGE, {ORIGIN: PAGE}),
        (Cors(allow_origins=[PAGE], max_age_seconds=0), PAGE, {ORIGIN: PAGE, AGE: "0"}),
        (Cors(allow_methods=["*"]), PAGE, {}),
    ],
)  # fmt: skip
def test_a_preflight(cors: Cors, origin: str, said: dict[str, str]) -> None:
    assert preflight(cors, origin, "PUT", "x-asked") == list({**VARY, **said}.items())


@pytest.mark.parametrize(
    ("cors", "origin", "said"),
    [
        (FULL, PAGE, {ORIGIN: PAGE, **CREDENTIALS, EXPOSED: "x-one,x-two"}),
        (FULL, "https://evil.example", {}),
        (FULL, "", {}),
        (ALL, PAGE, {ORIGIN: "*", EXPOSED: "*"}),
        (ALL_WITH_COOKIES, PAGE, {ORIGIN: PAGE, **CREDENTIALS}),
    ],
)
def test_what_is_added_to_an_answer(cors: Cors, origin: str, said: dict[str, str]) -> None:
    assert added(cors, origin) == list({**VARY, **said}.items())


@given(
    st.lists(st.sampled_from([PAGE, OTHER, "*"])),
    st.booleans(),
    st.sampled_from([PAGE, OTHER, "https://evil.example", ""]),
)
def test_credentials_never_go_with_everybody(allowed: list[str], credentials: bool, origin: str) -> None:
    said = dict(added(Cors(allow_origins=allowed, allow_credentials=credentials), origin))
    assert (ORIGIN in said) == (bool(origin) and ("*" in allowed or origin in allowed))
    if "Access-Control-Allow-Credentials" in said:
        assert said[ORIGIN] == origin
