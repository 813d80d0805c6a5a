"""Made-up requests, good and bad, for every operation of the specification; answers must be as it says, and none a 5xx.

Three runs, each bounded in time and examples: a management key on the API, an inference key on models, a signed-in browser on
the web app's API. Start at `main`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from http.cookies import SimpleCookie
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from stack import EMBEDDING, Api, Channel, Model, Stack, UNEVEN  # noqa: E402

SECONDS = int(os.environ.get("API_SECONDS") or 20)
SEED = os.environ.get("API_SEED") or "1"
EXAMPLES = "20"
# What Schemathesis takes beside the time it may generate in.
GRACE_SECONDS = 60
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance"
# They would end the session that asks, or send requests to addresses that were made up.
LEFT_OUT = ["sign_out", "sign_out_everywhere", "end_session", "change_password", "create_channel", "update_channel", "test_channel"]
INFERENCE = "^/api/v1/(chat/completions|completions|messages|messages/count_tokens|responses|embeddings)$"


def sign_in(tollgate) -> list[str]:
    """The headers of a signed-in browser."""
    body = {"email": "admin@example.com", "password": "correct horse battery staple"}
    answer = Api(tollgate.url).request("POST", "/auth/sign-in", body, {"origin": tollgate.url})
    assert answer.status == 200, answer
    cookies = SimpleCookie(answer.headers["set-cookie"])
    cookie = "; ".join(f"{name}={morsel.value}" for name, morsel in cookies.items())
    session = Api(tollgate.url).request("GET", "/api/app/session", None, {"cookie": cookie})
    assert session.status == 200, session
    return [f"Cookie: {cookie}", f"X-CSRF-Token: {session.data['csrf_token']}", f"Origin: {tollgate.url}"]


def run(name: str, tollgate, headers: list[str], chosen: list[str]) -> bool:
    command = [
        str(Path(sys.executable).parent / "schemathesis"), "run", f"{tollgate.url}/openapi.json", "--url", tollgate.url, "--checks", CHECKS,
        "--phases", "examples,fuzzing", "--max-examples", EXAMPLES, "--max-time", str(SECONDS), "--seed", SEED, "--no-color",
        "--generation-database", "none", "--request-timeout", "20", "--workers", "2", "--suppress-health-check", "all", "--warnings", "off",
        *(part for header in headers for part in ("-H", header)), *chosen,
        *(part for operation in LEFT_OUT for part in ("--exclude-operation-id", operation)),
    ]  # fmt: skip
    begin = time.monotonic()
    done = subprocess.run(command, cwd=tollgate.folder, timeout=SECONDS + GRACE_SECONDS, capture_output=True, text=True)
    counted = re.search(r"^\s*([\d,]+) generated", done.stdout, re.MULTILINE)
    cases = int(counted[1].replace(",", "")) if counted else 0
    # Nothing asked is nothing shown.
    passed = done.returncode == 0 and cases > 0
    print(f"{name}: {'passed' if passed else 'FAILED'}, {cases} requests in {time.monotonic() - begin:.0f} s")
    if not passed:
        print(done.stdout + done.stderr)
    return passed


def main() -> int:
    models = {"demo/quick": Model("quick", UNEVEN), "demo/embed": Model("embed", EMBEDDING, embeds=True)}
    channels = [Channel("demo", models, provider="demo")]
    with Stack(channels) as stack:
        tollgate = stack.tollgate
        key = tollgate.create_key(tollgate.create_account("api", "100"))
        session = sign_in(tollgate)
        runs = [
            ("management", [f"Authorization: Bearer {tollgate.management_key}"], ["--include-path-regex", "^/api/v1/", "--exclude-path-regex", INFERENCE]),
            ("inference", [f"Authorization: Bearer {key}"], ["--include-path-regex", INFERENCE]),
            ("browser", session, ["--include-path-regex", "^/(api/app|auth)/"]),
        ]  # fmt: skip
        passed = [run(name, tollgate, headers, chosen) for name, headers, chosen in runs]
        assert tollgate.process.poll() is None, "it did not survive"
        stack.verify_stopped()
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
