"""The service against its own OpenAPI, as a machine tries it."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from conftest import Service
from minetrace.faces.api.rates import Rate
from minetrace.faces.api.safety import Limits, Safety, guard
from minetrace.faces.api.service import schema
from minetrace.faces.api.tokens import Tokens

SECRET = "a-secret-of-more-than-24-letters"
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance,
          response_schema_conformance]  # fmt: skip
NO_END = Limits(reads=Rate(1e6, 10**6), asks=Rate(1e6, 10**6))


def test_whatever_is_asked_gets_an_answer_that_is_described(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINETRACE_TOKENS", f"machine:compute:{SECRET}")
    safety = Safety(names=("testserver",), tokens=Tokens.from_environment(), limits=NO_END)
    described = schemathesis.openapi.from_asgi("/api/openapi.json", guard(service.app, safety))
    described = described.exclude(path_regex="/picture$")  # bytes of pictures have their own test
    tried = 0
    for found in described.get_all_operations():

        @settings(
            max_examples=3, derandomize=True, deadline=None, database=None,
            phases=(Phase.explicit, Phase.generate), suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(case=found.ok().as_strategy())
        def attempt(case: Any) -> None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                case.call_and_validate(
                    headers={"authorization": f"Bearer {SECRET}"},
                    checks=CHECKS,
                )

        attempt()
        tried += 1
    assert tried >= 20


def test_every_operation_says_what_it_is_for(service: Service) -> None:
    for path, operations in schema(service.app)["paths"].items():
        for operation in operations.values():
            assert operation["summary"], path
            assert operation["description"], path
