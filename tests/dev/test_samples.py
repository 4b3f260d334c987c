"""A request that nobody gives is made from the examples and types of the schema, and FastAPI accepts it."""

import datetime
import enum
import json
from typing import Annotated, Any, Literal
from uuid import UUID

import jsonschema
import pytest
from clock import run
from fastapi import Body, Cookie, FastAPI, File, Form, Header, Path, Query, Request, UploadFile
from pydantic import BaseModel, Field
from starlette.applications import Starlette
from starlette.routing import Host, Route

from rawasgi import Router
from rawasgi.dev.client import fetch
from rawasgi.dev.routes import routes
from rawasgi.dev.samples import NO_VALUE, Given, NoValue, Samples, parameter_value, resolved, sample


class Colour(enum.Enum):
    red = "red"


class Part(BaseModel):
    name: str = Field(min_length=3)
    weight: float = Field(gt=0, lt=1)
    notes: list[str] = Field(min_length=2)


class Order(BaseModel):
    id: UUID
    at: datetime.datetime
    day: datetime.date
    colour: Colour
    kind: Literal["a", "b"]
    part: Part
    maybe: int | None
    optional: int = 3
    flag: bool
    nothing: None
    anything: Any


class Login(BaseModel):
    user: str
    ages: list[int]


app = FastAPI()


@app.get("/by-type/{number}/{share}/{key}/{colour}/{word}")
async def by_type(number: int, share: float, key: UUID, colour: Colour, word: str) -> None: ...


@app.get("/bounded/{number}")
async def bounded(
    number: Annotated[int, Path(ge=7)],
    few: Annotated[int, Query(gt=1, lt=3)],
    even: Annotated[int, Query(multiple_of=4, gt=5)],
    low: Annotated[int, Query(le=-3)],
    lower: Annotated[float, Query(lt=-3)],
    word: Annotated[str, Query(min_length=5)],
    words: Annotated[list[str], Query()],
    given: Annotated[str, Query(pattern="^x+$", examples=["xx"])],
    example: Annotated[str, Query(openapi_examples={"one": {"value": "first"}})],
    left_out: int = 1,
) -> dict[str, Any]:
    return {"few": few, "even": even, "words": words, "given": given, "example": example, "left_out": left_out}


@app.get("/headers")
async def headers(
    x_token: Annotated[str, Header()], session: Annotated[str, Cookie()], other: Annotated[int, Cookie()]
) -> list[Any]:
    return [x_token, session, other]


@app.post("/order")
async def order(order: Order) -> None: ...


@app.post("/example")
async def by_example(order: Annotated[dict[str, int], Body(openapi_examples={"one": {"value": {"a": 1}}})]) -> Any:
    return order


@app.post("/form")
async def form(login: Annotated[Login, Form()]) -> Login:
    return login


@app.post("/optional")
async def optional(part: Annotated[Part | None, Body()] = None) -> Part | None:
    return part


@app.post("/upload")
async def upload(file: Annotated[UploadFile, File()]) -> None: ...


@app.post("/pattern")
async def pattern(word: Annotated[str, Body(pattern="^x+$", embed=True)]) -> str:
    return word


@app.get("/required-pattern")
async def required_pattern(word: Annotated[str, Query(pattern="^x+$")]) -> str:
    return word


@app.get("/hidden/{number}/{share}/{key}/{rest:path}", include_in_schema=False)
async def hidden(number: int, share: float, key: "UUID", rest: str) -> list[Any]:
    return [number, share, key, rest]


def target(path: str, given: Given | None = None, app: Any = app) -> Any:
    route = next(each for each in routes(app).found if each.path == path)
    return Samples(given or Given()).target(route)


def answer(path: str, given: Given | None = None) -> Any:
    made = target(path, given)
    result = run(fetch(app, made.path, method=made.method, headers=made.headers, body=made.body, validated=False))
    assert result.status == 200, result.text
    return result.json()


@pytest.mark.parametrize("path", ["/by-type/{number}/{share}/{key}/{colour}/{word}", "/order"])
def test_what_is_made_of_types_is_accepted(path: str) -> None:
    assert answer(path) is None


def test_what_is_made_keeps_the_bounds_and_leaves_out_what_has_a_default() -> None:
    assert answer("/bounded/{number}") == {
        "few": 2, "even": 8, "words": ["a"], "given": "xx", "example": "first", "left_out": 1,
    }  # fmt: skip
    assert answer("/optional") is None


def test_headers_and_cookies_are_made() -> None:
    assert answer("/headers") == ["a", "a", 1]


def test_a_body_is_its_example_or_a_form() -> None:
    assert answer("/example") == {"a": 1}
    assert answer("/form") == {"user": "a", "ages": [1]}


def test_what_is_given_goes_before_what_is_made() -> None:
    params = {"number": "9", "few": "2", "words": "a b&c", "left_out": "5", "x-token": "t"}
    given = Given(params, [("content-type", "application/json")], b'"xyz"')
    assert answer("/bounded/{number}", given)["words"] == ["a b&c"]
    assert answer("/bounded/{number}", given)["left_out"] == 5
    assert answer("/headers", given)[0] == "t"
    assert target("/order", given).body == b'"xyz"'
    assert target("/order", given).headers == [("content-type", "application/json")]
    assert target("/headers", given).body == b""
    assert ("content-type", "multipart/form-data") in target("/upload", Given(data=b"x")).headers


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/upload", "a body of the type multipart/form-data is required: pass --data"),
        ("/pattern", "a body of the type application/json is required: pass --data"),
        ("/required-pattern", "the parameter 'word' needs a value: pass --param word=..."),
    ],
)
def test_what_cannot_be_made_has_to_be_given(path: str, why: str) -> None:
    with pytest.raises(NoValue, match=why.replace("(", r"\(")):
        target(path)


def test_outside_of_the_schema_a_parameter_is_of_its_annotation_or_converter() -> None:
    assert answer("/hidden/{number}/{share}/{key}/{rest:path}") == [
        1, 1.0, "00000000-0000-4000-8000-000000000000", "a",
    ]  # fmt: skip


async def endpoint(request: Request) -> Any: ...


def test_starlette_and_our_own_routes_have_their_converters() -> None:
    starlette = Starlette(
        routes=[
            Route("/{a:int}/{b:float}/{c:uuid}/{d:path}", endpoint),
            Host("{sub}.example.org", app=Starlette(routes=[Route("/host", endpoint)])),
        ]
    )
    uuid = "00000000-0000-4000-8000-000000000000"
    assert target("/{a:int}/{b:float}/{c:uuid}/{d:path}", app=starlette).path == f"/1/1.0/{uuid}/a"
    assert ("host", "a.example.org") in target("/host", app=starlette).headers
    assert ("host", "x.example.org") in target("/host", Given({"sub": "x"}), app=starlette).headers
    ours = Router()
    ours.get("/{name}/{rest:path}")(feed)
    given = Given({"name": "a/b ", "rest": "c/d"})
    assert target("/{name}/{rest:path}", given, app=ours).path == "/a%2Fb%20/c/d"


async def feed(request: Any) -> str:
    return ""


def test_a_schema_that_cannot_be_made_is_an_empty_one() -> None:
    class Broken(Starlette):
        def openapi(self) -> Any:
            raise LookupError

    class Odd(Starlette):
        def openapi(self) -> Any:
            return None

    for kind in (Broken, Odd):
        app = kind(routes=[Route("/{a}", endpoint)])
        assert target("/{a}", app=app).path == "/a"


SCHEMA = {
    "$defs": {"name": {"type": "string", "minLength": 2}, "loop": {"type": "array", "items": {"$ref": "#/$defs/loop"}}}
}


@pytest.mark.parametrize(
    "part",
    [
        {"const": 5},
        {"default": "x"},
        {"enum": ["b"]},
        {"type": ["null", "integer"]},
        {"type": "null"},
        {"type": ["null"]},
        {"type": "number", "minimum": 2.5},
        {"type": "number", "exclusiveMinimum": 3},
        {"type": "integer", "maximum": 0},
        {"type": "integer", "exclusiveMaximum": 0},
        {"type": "integer", "multipleOf": 7},
        {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
        {"type": "number", "exclusiveMinimum": -2.5, "maximum": -1.5},
        {"type": "string", "format": "email"},
        {"type": "array"},
        {"type": "array", "minItems": 3, "items": {"type": "boolean"}},
        {"type": "object"},
        {"properties": {"a": {"type": "integer"}}, "required": ["a"]},
        {"$ref": "#/$defs/name"},
        {"oneOf": [{"type": "null"}, {"type": "integer"}]},
        {
            "allOf": [
                {"description": "none before"},
                {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
                {"type": "object", "properties": {"b": {"$ref": "#/$defs/name"}}, "required": ["b"]},
                {"description": "no more"},
            ]
        },
        {},
    ],
    ids=json.dumps,
)
def test_a_sample_is_what_the_schema_allows(part: dict[str, Any]) -> None:
    value = sample(part, SCHEMA)
    jsonschema.Draft202012Validator({**part, "$defs": SCHEMA["$defs"]}).validate(value)


@pytest.mark.parametrize(
    "part",
    [
        {"type": "string", "pattern": "^a{3}$"},
        {"$ref": "#/$defs/loop"},
        {"type": "integer", "minimum": 3, "maximum": 2},
        {"type": "array", "items": {"type": "string", "pattern": "a"}},
        {"type": "object", "required": ["a"], "properties": {"a": {"type": "string", "pattern": "a"}}},
    ],
)
def test_no_sample_is_better_than_a_wrong_one(part: dict[str, Any]) -> None:
    assert sample(part, SCHEMA) is NO_VALUE


def test_a_reference_to_nothing_is_nothing() -> None:
    assert resolved({"$ref": "#/nowhere/at/all"}, {"nowhere": 1}) == {}
    assert resolved({"$ref": "#/a"}, {"a": {"$ref": "#/a"}}) == {"$ref": "#/a"}
    assert resolved({"$ref": "https://example.org/a"}, {}) == {"$ref": "https://example.org/a"}
    assert parameter_value({"examples": {"one": {"externalValue": "x"}}, "schema": {"type": "integer"}}, {}) == 1
    assert parameter_value({"example": "e"}, {}) == "e"
