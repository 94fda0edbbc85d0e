"""A small web server for tests: connections that break off, and responses that a test chooses."""

import hashlib
import io
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from dataset_converters.download import Download


class Mirror:
    """Serves files, whose names and contents ``files`` has.

    Attributes:
        asked: (name, Range) of every request.
        cut: After how many bytes the first answer about a file ends.
        ranges: Whether it goes on in the middle of a file.
        refusals: (status, headers) of the first answers; None for one that is as usual.
        length: Content-Length of all answers; None for the true one.
    """

    def __init__(self, files):
        self.asked, self.cut, self.content = [], {}, dict(files)
        self.ranges = True
        self.refusals, self.length = [], None
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                name = self.path.rsplit('/', 1)[-1]
                start = self.headers.get('Range')
                mirror.asked.append((name, start))
                if mirror.refusals and (refusal := mirror.refusals.pop(0)):
                    self.send_response(refusal[0])
                    for header, value in refusal[1].items():
                        self.send_header(header, value)
                    self.end_headers()
                    return
                whole = mirror.content.get(name)
                first = int(start.removeprefix('bytes=').rstrip('-')) if start and mirror.ranges else 0
                if whole is None or first >= len(whole):
                    self.send_error(404 if whole is None else 416)
                    return
                self.send_response(206 if first else 200)
                length = str(len(whole) - first) if mirror.length is None else mirror.length
                self.send_header('Content-Length', length)
                self.end_headers()
                self.wfile.write(whole[first : mirror.cut.pop(name, len(whole))])

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.url = f'http://127.0.0.1:{self.server.server_port}/files'
        polling = {'poll_interval': 0.01}
        threading.Thread(target=self.server.serve_forever, kwargs=polling, daemon=True).start()

    def downloads(self, folders=None):
        """Return the downloads that this mirror offers."""
        return tuple(
            Download(f'{self.url}/{name}', hashlib.md5(content).hexdigest(), (folders or {}).get(name, '.'))
            for name, content in self.content.items()
        )


def archive(name, files):
    """Return the bytes of an archive of text files; its suffix says which kind."""
    content = io.BytesIO()
    if name.endswith('.zip'):
        with zipfile.ZipFile(content, 'w') as file:
            for path, text in files.items():
                file.writestr(path, text)
    else:
        with tarfile.open(fileobj=content, mode='w:gz' if name.endswith('gz') else 'w') as file:
            for path, text in files.items():
                data = text if isinstance(text, bytes) else text.encode()
                entry = tarfile.TarInfo(path)
                entry.size = len(data)
                file.addfile(entry, io.BytesIO(data))
    return content.getvalue()
