"""What the OpenAPI document says holds for the app as it is started: requests made up by schemathesis, some
of them against its rules on purpose. Many more of them in the slow form. Always the same ones: whoever
changes something is told of what that broke, and of nothing else.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.test_app import address, started

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
)
"""Not: that whatever fits the document is accepted. A model that is not there fits it too."""

RULES = Path(__file__).with_name("schemathesis.toml")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder, nowhere = tmp_path_factory.mktemp("app"), subprocess.DEVNULL
    with started(folder, log=nowhere, CHAT_DEMO_PACE="0", CHAT_RUNS_EACH="1000") as process:
        yield address(process)


def held(url: str, folder: Path, phases: str, examples: int, *more: str) -> None:
    """Raises with all that does not hold, each with the line of curl that shows it."""
    found = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(RULES), "run"),
            f"{url}/openapi.json",
            *("--phases", phases, "--max-examples", str(examples), "--checks", ",".join(CHECKS)),
            *("--request-timeout", "10", "--continue-on-failure", "--no-color"),
            *("--warnings", "off", *more),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert found.returncode == 0, found.stdout[-20_000:] + found.stderr[-2_000:]


def test_the_document_holds(url: str, tmp_path: Path) -> None:
    held(url, tmp_path, "examples,fuzzing", 3, "--seed", "1")


@pytest.mark.slow
def test_the_document_holds_whatever_is_sent(url: str, tmp_path: Path) -> None:
    held(url, tmp_path, "examples,coverage,fuzzing", 30, "--seed", "2")
