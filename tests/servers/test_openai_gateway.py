"""The gateway, when upstream is not what it should be, or is itself."""

import json
import sys

import pytest
from v1_clients import Endpoint, clients, collected, run, said

from examples import raw
from examples.raw import gateway as gateway_module
from rawasgi.dev.client import fetch


@pytest.mark.parametrize(
    ("upstream", "told"), [("early", ("a", "incomplete")), ("cut", ("a", "upstream_incomplete")), ("odd", ("", "500"))]
)
def test_an_upstream_that_breaks_off_is_told(gateway: Endpoint, upstream: str, told: tuple[str, str]) -> None:
    import openai

    async def main() -> tuple[str, str]:
        heard: list[object] = []
        async with clients(gateway) as client:
            asked = client.with_options(organization=upstream).chat.completions
            with pytest.raises(openai.APIError) as failed:
                await collected(await asked.create(**said(stream=True)), heard)
        status = getattr(failed.value, "status_code", failed.value.code)
        return "".join(map(str, heard)), str(status)

    assert run(main()) == told


# In process


def test_a_gateway_does_not_ask_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    body = json.dumps(said()).encode()

    async def main(**headers: str) -> tuple[int, str]:
        async with gateway_module.living():
            answer = await fetch(raw.app, "/v1/chat/completions", method="POST", body=body, headers=headers)
            return answer.status, json.loads(answer.text)["error"]["code"]

    assert run(main(via=f"1.1 {gateway_module.ME}")) == (508, "loop_detected")
    assert run(main()) == (502, "upstream_unreachable")


def test_a_gateway_without_httpx_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    monkeypatch.setitem(sys.modules, "httpx", None)
    answer = run(fetch(raw.app, "/v1/models"))
    assert (answer.status, "pip install httpx" in answer.text) == (501, True)
