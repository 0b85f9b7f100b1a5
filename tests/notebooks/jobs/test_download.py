"""Videos from a URL: whole ones only, under safe names, and a clear line for everything else."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from notebooks.lab.jobs.download import Limits, check_url, download, fetch_page
from notebooks.lab.jobs.places import Places
from notebooks.lab.jobs.send import DownloadForm, tried
from notebooks.lab.jobs.video_files import HIDDEN, DownloadError, safe_name
from shared_utils.config.redis import RedisSettings
from shared_utils.contracts.clips import parse_clip_name
from shared_utils.networks import is_inside
from tests.notebooks.conftest import RunNotebook
from tests.support.footage.video import moving_box, write_video
from tests.support.network.download_site import Site


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("video") / "video.mp4", moving_box(320, 180), seconds=3)


@pytest.fixture
def site(video: Path) -> Iterator[Site]:
    site = Site(video.read_bytes())
    yield site
    site.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "video"
    folder.mkdir()
    return folder


def fetch(address: str, folder: Path, limits: Limits | None = None) -> Path:
    return download(address, folder, limits, progress=lambda done, total: None)


def test_a_video_comes_whole_and_nothing_else_is_left(site, folder, video):
    progress: list[tuple[int, int | None]] = []
    path = download(site.url("/video.mp4?x=1"), folder, progress=lambda done, total: progress.append((done, total)))
    assert path == folder / "video.mp4"
    assert path.read_bytes() == video.read_bytes()
    assert list(folder.iterdir()) == [path]
    assert progress[-1] == (len(video.read_bytes()),) * 2
    assert path.stat().st_nlink == 1


def test_nothing_is_ever_overwritten_nor_passes_for_another_cameras_clip(site, folder, video):
    name = "20260223-144819-cam1.mp4"
    (folder / name).write_bytes(b"ours")
    path = fetch(site.url(f"/{name}"), folder)
    assert (folder / name).read_bytes() == b"ours"
    assert path.read_bytes() == video.read_bytes()
    assert path.name == f"copy2-of-{name}"
    assert parse_clip_name(path.name) is None
    assert fetch(site.url(f"/{name}"), folder).name == f"copy3-of-{name}"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/missing.mp4", r"the server answers 404 Not Found$"),
        ("/broken.mp4", r"the connection broke off after [0-9.]+ of [0-9.]+ MB; nothing was kept, try again$"),
        ("/text.mp4", r"sends is no video: no video that can be read"),
        ("/empty.mp4", r"is empty$"),
        ("/page", r"is a page without a video that yt-dlp could find$"),
        ("/elsewhere", r"cannot be downloaded: "),
    ],
)
def test_what_is_no_video_gives_one_line_and_leaves_nothing(site, folder, path, reason):
    with pytest.raises(DownloadError, match=reason) as caught:
        fetch(site.url(path), folder)
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)
    assert list(folder.iterdir()) == []


def test_a_broken_connection_goes_on_where_it_broke(site, folder, video):
    path = fetch(site.url("/resumed.mp4"), folder)
    assert path.read_bytes() == video.read_bytes()
    half = len(video.read_bytes()) // 2
    assert site.requests == [("/resumed.mp4", None), ("/resumed.mp4", f"bytes={half}-")]


def test_a_server_that_falls_silent(site, folder):
    with pytest.raises(DownloadError, match=r"no more came in time after 0\.0 of"):
        fetch(site.url("/slow.mp4"), folder, Limits(timeout_s=0.2))
    assert list(folder.iterdir()) == []


def test_an_interrupt_leaves_nothing(site, folder):
    def interrupt(done: int, total: int | None) -> None:
        if done:
            assert next(path.name for path in folder.iterdir()).startswith(HIDDEN)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download(site.url("/slow.mp4"), folder, progress=interrupt)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("path", ["/video.mp4", "/unsized.mp4"])
def test_the_size_is_limited(site, folder, path):
    with pytest.raises(DownloadError, match=r"is larger than 0\.01 MB: give a higher max_mb"):
        fetch(site.url(path), folder, Limits(max_mb=0.01))
    assert list(folder.iterdir()) == []


def test_names_that_servers_give(site, folder):
    assert fetch(site.url("/named"), folder).name == "x_y.mp4"
    assert fetch(site.url("/moved"), folder).name == "video.mp4"
    assert fetch(site.url("/a%2F..%2Fb%20%C3%BC%0A.mp4"), folder).name == "b_ü.mp4"


def test_a_video_on_a_page_is_found_by_yt_dlp(site, folder, video):
    path = fetch(site.url("/pages-video.html"), folder)
    assert path.read_bytes() == video.read_bytes()
    assert path.parent == folder
    assert path.suffix == ".mp4"
    assert list(folder.iterdir()) == [path]


def test_yt_dlp_takes_the_url_of_a_file_too(site, tmp_path, video):
    path, name = fetch_page(site.url("/video.mp4"), tmp_path, Limits(), lambda done, total: None)
    assert path.read_bytes() == video.read_bytes()
    assert name == "video.mp4"


def test_a_stream_in_pieces_is_put_together(folder, tmp_path):
    part = write_video(tmp_path / "part.ts", moving_box(320, 180), seconds=3)
    site = Site(b"", part.read_bytes())
    try:
        path = fetch(site.url("/live.m3u8"), folder)
    finally:
        site.close()
    assert path.name == "live.ts"  # by what is in it
    assert list(folder.iterdir()) == [path]


def test_yt_dlp_keeps_to_the_limit(site, folder):
    with pytest.raises(DownloadError, match=r"is larger than 0\.01 MB"):
        fetch(site.url("/pages-video.html"), folder, Limits(max_mb=0.01))
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    "address", ["", "  ", "video.mp4", "file:///etc/passwd", "ftp://host/video.mp4", "http://", "http://[", "rtsp://h/s",
                "http://h:port/x", "http://h/a b", "javascript:alert(1)", "http://h/a\nb"]
)  # fmt: skip
def test_urls_that_are_invalid(folder, address):
    with pytest.raises(
        DownloadError, match="is not a URL that can be downloaded: give one that begins with http:// or https://"
    ):
        fetch(address, folder)


def test_nobody_there_and_no_secret_shown(folder):
    with socket.socket() as taken:  # bound, but nobody listens
        taken.bind(("127.0.0.1", 0))
        address = f"http://user:hunter2@127.0.0.1:{taken.getsockname()[1]}/a.mp4?token=geheim"
        with pytest.raises(DownloadError, match="the server cannot be reached") as caught:
            fetch(address, folder)
    assert "hunter2" not in str(caught.value)
    assert "geheim" not in str(caught.value)
    assert check_url(f" {address} ") == address


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ("video.mp4", "video.mp4"),
        ("../../etc/passwd", "passwd.mp4"),
        (".hidden.mp4", "hidden.mp4"),
        ("-rf.MKV", "rf.mkv"),
        ("", "video.mp4"),
        ("...", "video.mp4"),
        ("ein Film, ü.webm", "ein_Film_ü.webm"),
        ("Гараж.mp4", "Гараж.mp4"),
        ("%D0%93%D0%B0%D1%80%D0%B0%D0%B6%202.mp4", "Гараж_2.mp4"),
        ("ü" * 100 + ".mp4", "ü" * 60 + ".mp4"),
        ("u\u0308.mp4", "ü.mp4"),
        ("\ud800\u2028.mp4", "video.mp4"),
        ("a" * 400 + ".mp4", "a" * 120 + ".mp4"),
        ("watch?v=1&x", "watch_v_1_x.mp4"),
        ("con\x00trol\x1b.mp4", "con_trol.mp4"),
    ],
)
def test_safe_names(given, made):
    assert safe_name(given) == made


def test_what_a_killed_kernel_left_is_cleared_away_after_a_day(site, folder):
    import os

    old, fresh = folder / f"{HIDDEN}old-1", folder / f"{HIDDEN}fresh-1"
    for path in (old, fresh):
        path.mkdir()
        (path / "video").write_bytes(b"half")
    os.utime(old, (0, 0))
    fetch(site.url("/video.mp4"), folder)
    assert sorted(path.name for path in folder.iterdir()) == [fresh.name, "video.mp4"]


def is_first(address: str) -> bool:
    """Stand for the judgement on what is inside: 127.0.0.1 is, 127.0.0.2 is public."""
    return address == "127.0.0.1"


@pytest.mark.parametrize("path", ["/inside", "/inside.html", "/inside.m3u8", "/inside-page"])
def test_a_public_url_does_not_lead_into_our_own_networks(site, folder, video, path):
    public = Site(video.read_bytes(), ip="127.0.0.2", elsewhere=site.url(""))
    try:
        with pytest.raises(DownloadError, match=r"leads to 127\.0\.0\.1, a host of your own networks") as caught:
            download(public.url(path), folder, Limits(timeout_s=5), lambda *_: None, is_first)
        assert "\n" not in str(caught.value)
        assert list(folder.iterdir()) == []
        assert public.requests
        assert site.requests == []
        # a person may ask for it
        assert download(site.url("/video.mp4"), folder, None, lambda *_: None, is_first).name == "video.mp4"
        # and so may an address in our own networks lead wherever it wants
        assert download(site.url("/video.mp4"), folder, None, lambda *_: None).read_bytes() == video.read_bytes()
    finally:
        public.close()


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        ("127.0.0.1", True),
        ("10.1.2.3", True),
        ("192.168.1.1", True),
        ("172.17.0.1", True),
        ("169.254.169.254", True),
        ("100.64.0.1", True),
        ("0.0.0.0", True),
        ("224.0.0.1", True),
        ("::1", True),
        ("::", True),
        ("fe80::1%eth0", True),
        ("fd00::1", True),
        ("::ffff:127.0.0.1", True),
        ("64:ff9b::7f00:1", True),
        ("2002:7f00:1::", True),
        ("93.184.215.14", False),
        ("::ffff:93.184.215.14", False),
        ("64:ff9b::5db8:d70e", False),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", False),
    ],
)
def test_which_addresses_are_inside(address, inside):
    assert is_inside(address) == inside


def test_a_page_without_an_end_is_given_up(site, folder):
    with pytest.raises(DownloadError, match=r"is a page of more than 16 MB"):
        fetch(site.url("/endless.html"), folder)
    assert list(folder.iterdir()) == []


def test_the_notebook_fetches_sends_and_shows(
    run_notebook: RunNotebook, sample_volume: Path, worker_env: dict[str, str], video: Path
) -> None:
    clip = next(sample_volume.glob("*.mp4"))
    site = Site(clip.read_bytes())
    try:
        env = {**worker_env, "VIDEO_URL": site.url("/visit.mp4")}
        done = run_notebook(
            "DownloadProcessFile", sample_volume, env, values=["video.name", "sent.record", "sent.state.job_id"]
        )
    finally:
        site.close()
    assert done.values["video.name"] == "visit.mp4"
    assert (sample_volume / "visit.mp4").read_bytes() == clip.read_bytes()
    record = done.values["sent.record"]
    assert record["filename"] == "visit.mp4"
    assert record["job_id"] == done.values["sent.state.job_id"]
    assert any("image/jpeg" in output.get("data", {}) for output in done.outputs())


def test_without_a_url_the_form_says_so(folder, capsys):
    form = DownloadForm(Places(folder, RedisSettings("127.0.0.1", 1)))
    assert tried(form.fetch) is None
    assert capsys.readouterr().out.startswith("no URL is given: put one into the field above")
    form.button.click()
    assert form.sent is None
    assert not form.button.disabled
    assert list(folder.iterdir()) == []
