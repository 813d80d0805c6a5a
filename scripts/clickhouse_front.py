#!/usr/bin/env python3
"""The ClickHouse engine as a library (PyPI `chdb-core`), spoken to over ClickHouse's HTTP interface: for tests.

It answers what the official Rust client sends without compression: queries and inserts with settings, `param_*` and
`database` in the address, `/ping`, errors with their code. The engine is ClickHouse's own; users, replication and
the native protocol are not here. Data stay in the folder, also after `kill -9`.

    python clickhouse_front.py --port 0 --data DIR [--user NAME --password WORD] [--with-parent]

prints `listening on http://127.0.0.1:PORT` once it can be asked, and ends on SIGTERM; with its parent, too, when told so.
"""

import argparse
import email
import os
import re
import signal
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from chdb.state.sqlitelike import Connection

# Parameters of the HTTP interface; every other one is a setting of the query.
NOT_SETTINGS = {"query", "database", "default_format", "wait_end_of_query", "query_id", "session_id", "user", "password"}
STATUS_BY_CODE = {60: 404, 62: 400, 81: 404, 516: 403}
BODY_BYTES_MAX = 1 << 30
QUERIES_AT_ONCE = 4
PARENT_POLL_SECONDS = 0.5


class Refused(Exception):
    """An answer with ClickHouse's error code."""

    def __init__(self, code, text):
        super().__init__(f"Code: {code}. DB::Exception: {text}")


class Engine:
    """One folder. A connection has its own settings and database, so every request gets a new one."""

    def __init__(self, folder):
        self.path = str(folder)
        self.turn = threading.Semaphore(QUERIES_AT_ONCE)
        # The engine stops with its last connection, so this one stays.
        self.anchor = Connection(self.path)

    def run(self, sql, parameters, output_format):
        with self.turn:
            connection = Connection(self.path)
            try:
                if database := parameters.get("database"):
                    connection.query(f"USE {quote(database, '`')}")
                names = [name for name in parameters if name not in NOT_SETTINGS and re.fullmatch(r"\w+", name)]
                if names:
                    connection.query("SET " + ", ".join(f"{name} = {quote(parameters[name])}" for name in names))
                return connection.query(sql, output_format).bytes()
            finally:
                connection.close()

    def close(self):
        for _ in range(QUERIES_AT_ONCE):
            self.turn.acquire()
        self.anchor.close()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    engine = credentials = scratch = None

    def do_GET(self):
        self.answer_request(b"")

    def do_POST(self):
        self.answer_request(self.read_body())

    def answer_request(self, body):
        address = urlsplit(self.path)
        if address.path == "/ping":
            return self.answer(200, b"Ok.\n")
        parameters = dict(parse_qsl(address.query, keep_blank_values=True))
        try:
            self.check_credentials(parameters)
            self.answer(200, self.execute(parameters, body))
        except Exception as error:  # the engine raises its own classes; all of them go to the client as text
            text = str(error)
            found = re.search(r"Code: (\d+)", text)
            code = int(found.group(1)) if found else 1002
            self.answer(STATUS_BY_CODE.get(code, 500), text.encode(), {"X-ClickHouse-Exception-Code": str(code)})

    def check_credentials(self, parameters):
        given = (
            self.headers.get("X-ClickHouse-User", parameters.get("user", "default")),
            self.headers.get("X-ClickHouse-Key", parameters.get("password", "")),
        )
        if given != self.credentials:
            raise Refused(516, f"{given[0]}: Authentication failed: password is incorrect, or there is no user with such name.")

    def execute(self, parameters, body):
        output_format = parameters.get("default_format", "TabSeparated")
        content_type = self.headers.get("Content-Type", "")
        if content_type.startswith("multipart/form-data"):
            parts = email.message_from_bytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
            fields = {part.get_param("name", header="Content-Disposition"): part for part in parts.get_payload()}
            values = {name: part.get_payload(decode=True).decode() for name, part in fields.items()}
            parameters |= values
            return self.engine.run(values["query"], parameters, output_format)
        sql = parameters.get("query", "")
        # Data of an insert follow its text in the body; without a text in the address the body is the text.
        insert = re.fullmatch(r"(\s*INSERT\s.*)\sFORMAT\s+(\w+)\s*", sql, re.IGNORECASE | re.DOTALL)
        if not insert:
            return self.engine.run(sql + body.decode(), parameters, output_format)
        with tempfile.NamedTemporaryFile(dir=self.scratch) as file:
            file.write(body)
            file.flush()
            sql = f"{insert[1]} FROM INFILE {quote(file.name)} FORMAT {insert[2]}"
            return self.engine.run(sql, parameters, output_format)

    def read_body(self):
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.read_exactly(int(self.headers.get("Content-Length", 0)))
        chunks, total = [], 0
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.read_exactly(size))
            self.rfile.readline()
            total += size
            if total > BODY_BYTES_MAX:
                raise ConnectionError("the body is too long")
        self.rfile.readline()
        return b"".join(chunks)

    def read_exactly(self, size):
        data = self.rfile.read(size)
        if len(data) != size:
            # The client gave the request up: an insert without its end must not be run.
            raise ConnectionError("the body ended early")
        return data

    def answer(self, status, body, headers=None):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], (ConnectionError, ValueError)):
            super().handle_error(request, client_address)


def quote(text, mark="'"):
    return mark + text.replace("\\", "\\\\").replace(mark, "\\" + mark) + mark


def end_with_parent(server, parent):
    while os.getppid() == parent:
        time.sleep(PARENT_POLL_SECONDS)
    server.shutdown()


def main():
    arguments = argparse.ArgumentParser(description="ClickHouse's engine behind its HTTP interface, for tests")
    arguments.add_argument("--port", type=int, default=0, help="0: a free one")
    arguments.add_argument("--data", type=Path, required=True)
    arguments.add_argument("--user", default="default")
    arguments.add_argument("--password", default="")
    arguments.add_argument("--with-parent", action="store_true", help="end when the process that started this one ends")
    options = arguments.parse_args()
    parent = os.getppid()
    scratch = options.data / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    for left_over in scratch.iterdir():
        left_over.unlink()
    Handler.engine = Engine(options.data / "engine")
    Handler.credentials = (options.user, options.password)
    Handler.scratch = scratch
    server = Server(("127.0.0.1", options.port), Handler)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    if options.with_parent:
        threading.Thread(target=end_with_parent, args=(server, parent), daemon=True).start()
    print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever(poll_interval=0.1)
    Handler.engine.close()


if __name__ == "__main__":
    main()
