"""An OpenAI-compatible HTTP server that answers by script, with faults."""

import json
import socket
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Reply:
    """What the server does with a request: answers, or cuts the connection, or says nothing until it is closed."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    silent: bool = False


@dataclass
class Request:
    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def prompt(self):
        """The text of the last turn."""
        content = self.body['messages'][-1]['content']
        return content if isinstance(content, str) else content[-1]['text']


def completion(text, usage=(10, 5), **choice):
    """Return a chat completion that says ``text``."""
    return Reply(
        {
            'id': 'chatcmpl-1',
            'object': 'chat.completion',
            'model': 'scripted-2024',
            'choices': [
                {'index': 0, 'message': {'role': 'assistant', 'content': text}, 'finish_reason': 'stop', **choice}
            ],
            'usage': {'prompt_tokens': usage[0], 'completion_tokens': usage[1], 'total_tokens': sum(usage)},
        }
    )


def first_token(logprobs):
    """Return a completion of one token with the log-probabilities of the likeliest, a dict from token to log p."""
    top = [{'token': token, 'logprob': value, 'bytes': None} for token, value in logprobs.items()]
    return completion(top[0]['token'], usage=(10, 1), logprobs={'content': [{**top[0], 'top_logprobs': top}]})


class ScriptedServer:
    """Replies to the first requests with ``faults``, then to each with ``answer(request)``.

    Attributes:
        url: What a client takes as ``base_url``.
        requests: All requests, in the order in which they came.
    """

    def __init__(self, answer, faults=()):
        self.answer = answer
        self.faults = list(faults)
        self.requests = []
        self.lock = threading.Lock()
        self.closed = threading.Event()
        self.server = ThreadingHTTPServer(('127.0.0.1', 0), self._handler())
        self.url = f'http://127.0.0.1:{self.server.server_port}/v1'
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={'poll_interval': 0.01})

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exception):
        self.closed.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    @property
    def prompts(self):
        return [request.prompt for request in self.requests]

    def reply(self, request):
        with self.lock:
            self.requests.append(request)
            if self.faults:
                return self.faults.pop(0)
        return self.answer(request)

    def _handler(script):  # noqa: N805, `self` is the handler below
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers['Content-Length'])))
                reply = script.reply(
                    Request(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
                )
                if reply.silent:
                    script.closed.wait(10)
                if reply.silent or reply.cut:
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                content = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
                self.send_response(reply.status)
                for name, value in {'Content-Type': 'application/json', **reply.headers}.items():
                    self.send_header(name, value)
                self.send_header('Content-Length', str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *args):
                pass

        return Handler
