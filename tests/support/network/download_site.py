"""A web site with clips to download, and with every trouble on the way."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[["Handler", bytes], None]


class Handler(BaseHTTPRequestHandler):
    """Answers each path as the test wants it; `video` is what there is to give."""

    video = b""
    part = b""
    requests: list[tuple[str, str | None]]

    def do_GET(self) -> None:
        self.elsewhere = self.server.elsewhere  # type: ignore[attr-defined]
        self.requests.append((self.path, self.headers.get("Range")))
        path = self.path.split("?")[0]
        answers = {
            "/page": self.page,
            "/pages-video.html": self.video_page,
            "/broken.mp4": self.broken,
            "/resumed.mp4": self.resumed,
            "/slow.mp4": self.slow,
            "/text.mp4": lambda: self.give(b"no video at all " * 100),
            "/empty.mp4": lambda: self.give(b""),
            "/unsized.mp4": self.unsized,
            "/live.m3u8": lambda: self.give(PLAYLIST, kind="application/vnd.apple.mpegurl"),
            "/part.ts": lambda: self.give(self.part, kind="video/mp2t"),
            "/moved": lambda: self.redirect("/video.mp4"),
            "/elsewhere": lambda: self.redirect("file:///etc/passwd"),
            "/inside": lambda: self.redirect(f"{self.elsewhere}/video.mp4"),
            "/inside.html": lambda: self.give(
                f'<html><video src="{self.elsewhere}/video.mp4"></video></html>'.encode(), kind="text/html"
            ),
            "/inside.m3u8": lambda: self.give(
                PLAYLIST.replace(b"part.ts", f"{self.elsewhere}/part.ts".encode()), kind="application/x-mpegurl"
            ),
            "/inside-page": lambda: self.redirect(f"{self.elsewhere}/page"),
            "/endless.html": self.endless,
            "/named": lambda: self.give(self.video, {"Content-Disposition": 'attachment; filename="../..\\x y.mp4"'}),
        }
        if path in answers:
            answers[path]()
        elif path.endswith(".mp4") and "missing" not in path:
            self.give(self.video)
        else:
            self.send_error(404)

    do_HEAD = do_GET  # noqa: N815  # yt-dlp asks for the head first

    def give(self, content: bytes, headers: dict[str, str] | None = None, kind: str = "video/mp4") -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def page(self) -> None:
        self.give(b"<html><body>No video here.</body></html>", kind="text/html; charset=utf-8")

    def video_page(self) -> None:
        self.give(b'<html><title>A video</title><video src="/video.mp4"></video></html>', kind="text/html")

    def broken(self) -> None:
        """Promise all, give half, and hang up."""
        self.send_response(200)
        self.send_header("Content-Type", "video/mp4")
        self.send_header("Content-Length", str(len(self.video)))
        self.end_headers()
        self.wfile.write(self.video[: len(self.video) // 2])

    def resumed(self) -> None:
        """Hang up at half on the first time, go on from there on the second."""
        begin = int((self.headers.get("Range") or "bytes=0-")[len("bytes=") : -1])
        if begin and self.headers.get("If-Range") != '"v1"':
            begin = 0
        self.send_response(206 if begin else 200)
        self.send_header("Content-Type", "video/mp4")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", '"v1"')
        self.send_header("Content-Length", str(len(self.video) - begin))
        self.end_headers()
        self.wfile.write(self.video[begin:] if begin else self.video[: len(self.video) // 2])

    def slow(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "video/mp4")
        self.send_header("Content-Length", str(len(self.video)))
        self.end_headers()
        self.wfile.write(self.video[:1000])
        self.wfile.flush()
        self.server.release.wait(30)  # type: ignore[attr-defined]

    def unsized(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "video/mp4")
        self.end_headers()
        self.wfile.write(self.video)

    def endless(self) -> None:
        """A page that does not end."""
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<html>")
        while True:
            self.wfile.write(b"<p>more</p>" * 10_000)

    def redirect(self, target: str) -> None:
        self.send_response(302)
        self.send_header("Location", target)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


PLAYLIST = b"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:3\n#EXTINF:3.0,\npart.ts\n#EXT-X-ENDLIST\n"


class Site:
    def __init__(self, video: bytes, part: bytes = b"", ip: str = "127.0.0.1", elsewhere: str = "") -> None:
        self.requests: list[tuple[str, str | None]] = []
        handler = type("Bound", (Handler,), {"video": video, "part": part, "requests": self.requests})
        self.server = ThreadingHTTPServer((ip, 0), handler)
        self.server.elsewhere = elsewhere  # type: ignore[attr-defined]
        self.server.release = threading.Event()  # type: ignore[attr-defined]
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()

    def url(self, path: str) -> str:
        return f"http://{self.server.server_address[0]!s}:{self.server.server_port}{path}"

    def close(self) -> None:
        self.server.release.set()  # type: ignore[attr-defined]
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
