"""Answers in one sentence: what the log holds, and how often a label was seen on a day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

import pandas as pd

from notebooks.lab.data.activity import away, clips_of, midnight, sightings_of, visits
from notebooks.lab.data.words import how_many

MOST_LISTED = 4
"""Visits that are listed one by one; of more, only the first and the last."""
AWAY_H = 0.1
"""Hours that a camera must have been away before an answer mentions it."""


@dataclass(frozen=True, repr=False)
class HowOften:
    """How often a label was there on a day; its text is a sentence.

    Attributes:
        label: the label that was counted.
        day: which day.
        word: what the asker calls it, such as ``today``.
        visits: one row per visit; see :func:`notebooks.lab.data.activity.visits`.
        clips: clips of the day, whatever they show.
        away_h: hours of the day that each camera was not watched for; None where there is no camera log.
        so_far_h: hours of the day that have passed.
        known: labels that the log has.
    """

    label: str
    day: date
    word: str
    visits: pd.DataFrame
    clips: int
    away_h: dict[str, float] | None
    so_far_h: float
    known: tuple[str, ...]

    @property
    def times(self) -> int:
        """Number of visits."""
        return len(self.visits)

    def __str__(self) -> str:
        """Return the sentence."""
        day = f"{self.day:%A} {self.day.day} {self.day:%B}"
        when = f"{self.word} ({day})" if self.word else f"on {day}"
        unwatched = self.away_h is not None and all(hours >= self.so_far_h - 0.02 for hours in self.away_h.values())
        if not self.times and unwatched:
            return f"Nobody can say whether there was a {self.label} {when}: no camera was watched."
        if not self.times:
            checked = f"{how_many(self.clips, 'clip')}, none shows one" if self.clips else "there is no clip at all"
            text = f"No {self.label} {when}: {checked}."
            if self.known and self.label not in self.known:
                text += f" The log has never seen one; it knows {', '.join(self.known)}."
            return f"{text}{self._describe_away()}"
        often = {1: "once", 2: "twice"}.get(self.times, f"{self.times} times")
        return f"{self.label.capitalize()}: {often} {when}, {self._describe_visits()}.{self._describe_away()}"

    __repr__ = __str__

    def _describe_visits(self) -> str:
        places = [f"{row.first_at:%H:%M} ({row.camera})" for row in self.visits.itertuples()]
        text = f"at {', '.join(places)}" if self.times <= MOST_LISTED else f"first at {places[0]}, last at {places[-1]}"
        longest = self.visits["stay_s"].max()
        return f"{text}; {'in sight' if self.times == 1 else 'the longest'} for {longest:.0f} s" if longest else text

    def _describe_away(self) -> str:
        gone = {camera: hours for camera, hours in (self.away_h or {}).items() if hours >= AWAY_H}
        if not gone:
            return ""
        text = ", ".join(f"{camera} for {hours:.1f}" for camera, hours in gone.items())
        return f" Not watched, of {self.so_far_h:.1f} hours: {text}."


def how_often(
    log: pd.DataFrame,
    label: str,
    day: str | date = "today",
    *,
    watched: pd.DataFrame | None = None,
    now: datetime | None = None,
) -> HowOften:
    """Return how often `label` was there on a day; shown, it is a sentence.

    Args:
        log: of :func:`notebooks.lab.data.results.load_log`.
        label: as the model calls it.
        day: ``today``, ``yesterday``, ``last`` (that has a clip), or a date, also as text: ``2026-02-23``.
        watched: of :func:`notebooks.lab.data.results.uptime`: tells a day without a cat from one without a camera.
        now: what time it is; this machine's clock, if None.

    Raises:
        ValueError: `day` is no date.
    """
    zone = log["started_at"].dt.tz
    moment = pd.Timestamp(now) if now is not None else pd.Timestamp.now(zone)
    moment = moment.tz_localize(zone) if moment.tzinfo is None else moment.tz_convert(zone)
    clips = clips_of(log)
    wanted, word = which_day(day, clips, moment)
    begin = midnight(wanted, zone)
    end = min(midnight(wanted + pd.Timedelta(days=1), zone), max(moment, begin))
    seen = sightings_of(log)
    found = visits(seen[(seen["label"] == label) & (seen["first_at"].dt.tz_localize(None).dt.normalize() == wanted)])
    away_h = None
    if watched is not None and len(watched) and end > begin:
        hours = (end - begin).total_seconds() / 3600
        away_h = {
            str(camera): sum(until - since for since, until in away(watched, begin, end, camera)) * hours
            for camera in sorted(watched["camera"].unique())
        }
    return HowOften(
        label,
        wanted.date(),
        word,
        found,
        int((clips["day"] == wanted).sum()),
        away_h,
        (end - begin).total_seconds() / 3600,
        tuple(sorted(seen["label"].astype(str).unique())),
    )


def summary(log: pd.DataFrame, failures: int = 5) -> str:
    """Return what the log holds, in a few lines: clips, cameras, time; the last `failures` runs that failed."""
    if log.empty:
        return "Nothing has been analysed yet. See what the services say:  docker compose logs -f capture video-worker"
    clips, failed = clips_of(log), log[~log["ok"]]
    lines = [f"{how_many(len(log), 'run')} of {how_many(log['filename'].nunique(), 'file')}"]
    if len(clips):
        first, last = clips["started_at"].iloc[0], clips["started_at"].iloc[-1]
        cameras = how_many(clips["camera"].nunique(), "camera")
        lines[0] += f" from {cameras}, {first:%a %d %b %Y, %H:%M} to {last:%a %d %b %Y, %H:%M}"
    if undated := clips.attrs["undated"]:
        lines.append(f"{how_many(undated, 'file')} of unknown time: not in what follows")
    if len(failed):
        lines.append(f"{how_many(len(failed), 'run')} failed, the last of them:")
    for name, error in zip(failed["filename"].tail(failures), failed["error"].tail(failures), strict=True):
        lines.append(f"  {name}: {'no reason given' if pd.isna(error) else error}")
    return "\n".join(lines)


def which_day(day: str | date, clips: pd.DataFrame, now: pd.Timestamp) -> tuple[pd.Timestamp, str]:
    """Return the day that is meant, without a zone, and the word for it; `last` without any clip is today."""
    today = now.tz_localize(None).normalize()
    if day == "today" or (day == "last" and clips.empty):
        return today, "today"
    if day == "yesterday":
        return today - pd.Timedelta(days=1), "yesterday"
    if day == "last":
        return clips["day"].max(), ""
    return pd.Timestamp(day).tz_localize(None).normalize(), ""
