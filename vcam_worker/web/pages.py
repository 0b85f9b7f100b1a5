"""Renders the cameras for HTTP: the page for people, and the JSON of ``/healthz`` and ``/info``. Pure.

Statuses come without secrets. Times are seconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from html import escape
from string import Template
from typing import Any

from vcam_worker.recording.storage.volume_figures import VolumeState
from vcam_worker.runtime.health import Trouble, trouble
from vcam_worker.runtime.queue_watch import QueueState
from vcam_worker.runtime.status import CameraStatus
from vcam_worker.web.queue_page import backlog, queue_info, queue_lines
from vcam_worker.web.snapshot_cache import CacheState

PICTURE_WIDTH_PX = 960
"""Width of a picture on the page: sharp on a phone, and a third of the bytes of 1080p."""
MIN_HEIGHT_PX = 36


def health(statuses: Sequence[CameraStatus], now: float) -> tuple[bool, dict[str, Any]]:
    """Return whether all cameras are well, and the body of ``/healthz``."""
    cameras = {one.name: _camera_health(one, now) for one in statuses}
    well = all(one["ok"] for one in cameras.values())
    return well, {"ok": well, "cameras": cameras}


def _camera_health(status: CameraStatus, now: float) -> dict[str, Any]:
    wrong = trouble(status, now)
    return {
        "ok": wrong is None,
        "state": status.state,
        "reason": wrong.reason if wrong else status.reason,
        "since": _iso(status.since),
        "last_packet_s": None if status.last_packet is None else round(max(0.0, now - status.last_packet), 1),
        "fps": round(status.fps, 1),
        "recording": status.recording,
        "clips": status.clips,
        "reconnects": status.reconnects,
        "packets": status.packets,
        "bytes": status.bytes,
        "skipped_frames": status.late,
    }


def info(
    statuses: Sequence[CameraStatus],
    about: Mapping[str, object],
    cache: CacheState,
    volume: VolumeState | None = None,
    queue: QueueState | None = None,
    live_clients: Mapping[str, Mapping[str, int]] | None = None,
) -> dict[str, Any]:
    """Return the body of ``/info``.

    Args:
        statuses: of the cameras.
        about: facts of the program, such as its versions.
        cache: of the snapshots.
        volume: the state of the shared volume, where known.
        queue: the state of the queue, where known.
        live_clients: of live frames and video, by camera and kind.
    """
    clients = live_clients or {}
    cameras = {
        one.name: {
            "address": one.display_url,
            "codec": one.codec,
            "width": one.width,
            "height": one.height,
            "fps": round(one.fps, 1),
            "transport": one.transport,
            # for the live worker, which has no access to the settings of cameras
            "live_objects": one.live_objects,
            "classes": None if one.classes is None else list(one.classes),
            "live": {
                "clients": dict(clients.get(one.name, {})),
                "subscriptions": one.live_subscriptions,
                "decoding": one.live_decoding,
                "frames": one.live_frames,
            },
        }
        for one in statuses
    }
    snapshots = {
        "entries": cache.entries,
        "bytes": cache.size,
        "hits": cache.hits,
        "encodes": cache.made,
        "oldest_s": None if cache.age is None else round(cache.age, 1),
    }
    disk = {"volume": asdict(volume) | {"looked_at": _iso(volume.looked_at)}} if volume else {}
    jobs = {"queue": queue_info(queue)} if queue else {}
    return {**about, "cameras": cameras, **disk, **jobs, "snapshot_cache": snapshots}


def page(
    statuses: Sequence[CameraStatus],
    now: float,
    volume: VolumeState | None = None,
    queue: QueueState | None = None,
) -> str:
    """Return the page as HTML: one card with the latest picture per camera. It refreshes itself."""
    wrong = [one.name for one in statuses if trouble(one, now)]
    summary = f"{len(statuses) - len(wrong)} of {len(statuses)} well" if wrong else "all well"
    return _PAGE.substitute(
        title=escape(", ".join(one.name for one in statuses)),
        mood="bad" if wrong else "good",
        summary=escape(summary),
        cards="\n".join(_card(one, now) for one in statuses),
        volume=escape(" · ".join(_volume(volume))),
        backlog=escape(backlog(queue)),
        queue="<br>".join(escape(line) for line in queue_lines(queue, now)),
    )


def _volume(state: VolumeState | None) -> list[str]:
    """Describe the shared volume."""
    if state is None:
        return ["the volume is not known yet, or is gone"]
    parts = [
        f"{_gigabytes(state.free)} of {_gigabytes(state.total)} free",
        f"{state.clips:,} clips, {_gigabytes(state.clip_bytes)}",
        f"kept for {state.retention_days:g} days" if state.retention_days else "kept until room is needed",
    ]
    if state.kept:
        parts.append(f"{state.kept:,} kept longer, as the clock leapt")
    parts.append(f"{state.waiting:,} waiting for the queue" if state.waiting else "none waiting for the queue")
    return parts


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:,.1f} GB"


def picture_size(width: int | None, status: CameraStatus) -> tuple[int, int]:
    """Return width and height of a picture, in the camera's aspect ratio where it is known.

    Args:
        width: the requested one; None for the camera's own.
        status: of the camera.
    """
    wanted = width or status.width or PICTURE_WIDTH_PX
    ratio = status.height / status.width if status.width and status.height else 9 / 16
    return wanted, max(MIN_HEIGHT_PX, min(round(wanted * ratio), 2 * wanted))


def _card(status: CameraStatus, now: float) -> str:
    wrong = trouble(status, now)
    name = escape(status.name)
    width, height = picture_size(min(PICTURE_WIDTH_PX, status.width or PICTURE_WIDTH_PX), status)
    facts = "".join(f"<div><dt>{escape(key)}</dt><dd>{escape(value)}</dd></div>" for key, value in _facts(status, now))
    return _CARD.substitute(
        name=name,
        picture=f"/snapshot/{name}.jpg?width={width}",
        full=f"/snapshot/{name}.jpg?timestamp=1",
        width=width,
        height=height,
        mood="bad" if wrong else "good" if status.state == "running" else "wait",
        state=escape(wrong.what if wrong else status.state),
        recording='<span class="badge rec">recording</span>' if status.recording else "",
        reason=f'<p class="reason">{escape(_reason(wrong, now))}</p>' if wrong else "",
        facts=facts,
        source=escape(" · ".join(_source(status))),
    )


def _reason(wrong: Trouble, now: float) -> str:
    if not wrong.since:
        return wrong.reason
    began = datetime.fromtimestamp(wrong.since).astimezone()
    today = datetime.fromtimestamp(now).astimezone().date() == began.date()
    return f"{wrong.reason} · since {began.strftime('%H:%M:%S' if today else '%Y-%m-%d %H:%M')}"


def _facts(status: CameraStatus, now: float) -> list[tuple[str, str]]:
    last = status.last_packet
    return [
        ("fps", f"{status.fps:.1f}"),
        ("clips", str(status.clips)),
        ("last packet", "never" if last is None else _ago(max(0.0, now - last))),
        ("reconnects", str(status.reconnects)),
    ]


def _source(status: CameraStatus) -> list[str]:
    """Describe the stream and its URL."""
    size = f"{status.width}×{status.height}" if status.width else None
    return [part for part in (status.codec, size, status.transport, status.display_url) if part]


def _ago(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.1f} s ago"
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{seconds:.0f} s ago"


def _iso(when: float) -> str | None:
    return datetime.fromtimestamp(when).astimezone().isoformat(timespec="seconds") if when else None


_PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title · vcam</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/static/page.css">
<script type="module" src="/static/page.js"></script>
<noscript><meta http-equiv="refresh" content="5"></noscript>
</head>
<body>
<header><h1>vcam</h1><span class="badge $mood news" id="summary">$summary</span>
<span class="badge bad news" id="backlog">$backlog</span>
<span class="badge bad" id="lost">capture does not answer</span></header>
<main>
$cards
</main>
<footer><p class="news" id="queue">$queue</p>
<p class="news" id="volume">$volume</p>
<a href="/healthz">health</a><a href="/info">info</a><a href="/metrics">metrics</a></footer>
</body>
</html>
""")

# buttons are shown by the script, and stay when the script replaces the texts
_CARD = Template("""<article>
<div class="screen">
<a href="$full"><img src="$picture" data-src="$picture" width="$width" height="$height" alt="$name, latest picture"></a>
</div>
<div class="bar" hidden>
<button type="button" class="live" data-name="$name" data-src="/live/$name.mp4" aria-pressed="false"
aria-label="Live video of $name">Live</button>
<button type="button" class="fullscreen" hidden aria-label="Live video of $name in full screen">Full screen</button>
<span class="mode" role="status"></span>
</div>
<div class="text news" id="camera-$name">
<div class="line"><h2>$name</h2><span class="badge $mood">$state</span>$recording</div>
$reason<dl>$facts</dl>
<p class="source">$source</p>
</div>
</article>""")


CONTENT_POLICY = "; ".join(
    (
        "default-src 'none'",
        "connect-src 'self'",
        "img-src 'self' blob: data:",
        "media-src 'self' blob:",
        "style-src 'self'",
        "script-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""What the page may load and run: only what this server serves, and nothing that is written into the page itself."""
