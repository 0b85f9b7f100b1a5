"""Live frames and live video, from a camera's process to the clients of the HTTP server.

Two sides, joined by two files that each camera's process has:

* the *pipe* (`vcam_worker.runtime.link`) carries the commands `Subscribe` and `Unsubscribe` to the camera;
* the *data channel* (`channel.py`), a socket, carries what was subscribed to from the camera to the HTTP server.

A camera's side: `camera_side.py` gets the commands and the main stream's packets, and hands both to the *kinds* of
subscription (`kinds.py`): frames (`frames/`), video. Nothing of it runs while there is no subscription.

The HTTP server's side: `hub.py` shares one subscription between all clients that want the same, and subscribes again
when a camera's process was restarted. What a subscription's clients share is a *feed* (`hub.Feed`), one class per kind.

To add a kind: its wish, a frozen dataclass, in `commands.py`; a `camera_side.Kind` that serves it, listed in
`kinds.py`; a `hub.Feed`, and a route in `vcam_worker/web/live_routes.py` that holds it by `Hub.subscribed`.
"""
