"""The live worker as a process that reads displays: what it asks capture for, what it reports, and after a kill."""

from __future__ import annotations

from collections.abc import Callable

import cv2

from devtools.redis_server import RedisServer
from shared_utils.contracts.zones import write_zones, zones_path
from shared_utils.errors import EXIT_OK
from shared_utils.queue.event_stream import EventReader
from tests.support.network.frame_server import FrameServer, Still
from tests.video_worker.live.conftest import Live
from tests.video_worker.live.test_live_worker import wait_until
from tests.video_worker.steps.displays import HEIGHT_PX, WIDTH_PX, displays, read_zones
from video_worker import messages


def test_displays_are_read_in_full_width_without_a_detector_and_once_after_a_kill(
    live: Live, serve: Callable[..., FrameServer], redis_server: RedisServer
) -> None:
    camera = Still(displays("12.4", "P-101"), moving=False)
    server = serve(panel=camera)
    server.settings["panel"] = {"live_objects": "off", "width": 2560}
    live.video_dir.mkdir()
    tasks = {"number": {"unit": "bar"}, "every_s": 0.5}, {"every_s": 20}, {"engine": "nobody"}
    write_zones(zones_path(live.video_dir, "panel"), {"zones": read_zones(*tasks, when="live")})

    def read(zone: str) -> list[object]:
        return [event.value for event in live.events() if event.zone == zone]

    with EventReader(redis_server.settings, after="0", types=["reading"]) as stream:
        program = live.start(server.url)
        program.wait_for("3 tasks of its zones")
        wait_until(lambda: len(live.events()) >= 3, "an event per zone")
        assert (read("pressure"), read("flow"), read("level")) == (["12.4"], ["P-101"], [None])
        program.wait_for(messages.ZONE_NOT_READ)
        request = next(path for path in server.requests if path.startswith("/frames/"))
        assert "fps=2&width=2560" in request
        camera.picture = displays("12.5", "P-101")
        wait_until(lambda: read("pressure") == ["12.4", "12.5"], "the change")
        program.end()
        camera.picture = displays("12.6", "P-101")
        program = live.start(server.url)
        wait_until(lambda: read("pressure")[-1] == "12.6", "the change while it was down")
        assert program.stop() == EXIT_OK
        published = stream.read(5.0)
    assert (read("pressure"), read("flow")) == (["12.4", "12.5", "12.6"], ["P-101"])
    # what was written in the moment of the kill was not published
    assert {live.events()[0].id, live.events()[-1].id} <= {event.id for event in published}
    for event in live.events():
        drawn = cv2.imread(str(live.video_dir / str(event.picture)))
        assert drawn.shape == (HEIGHT_PX, WIDTH_PX, 3)
