"""Every error of our own, drawn as one tree.

    VcamError                      anything we raise on purpose; its text is one clear line
    ├── SettingError               a setting or argument is wrong: exit code 2
    ├── SourceError                a camera connection ended or could not be made (retried)
    │   ├── SourceRefused          refused, unreachable, unknown host
    │   ├── SourceUnauthorized     wrong or missing user name or password
    │   ├── SourceStalled          connected, but no packet came in time
    │   └── SourceEnded            the stream or file came to its end
    ├── ClipError                  a clip cannot be analysed, and trying again will not help
    ├── ClipMissing                the clip's file is not there, or not yet: a network mount may be late (retried)
    │   └── ClipGrowing            it is still being written, such as copied: retried until it is whole
    ├── ModelError                 a file is no detection model we can run
    ├── ReaderMissing              an engine that reads text is not installed, or not set up
    ├── ReadingFailed              an engine could not read a picture, such as one that is asked over the network
    ├── PluginFailed               a module of people's own is missing, is wrong, or failed
    ├── FormatError                a file of the shared volume is of an unknown version, or damaged as a whole
    ├── ZonesChanged               somebody else has saved a camera's zones since they were read to be changed
    ├── NotWritten                 a run's outcome cannot be written: disk full, rights, a share that is gone (retried)
    ├── VolumeInUse                another capture, or another live worker, uses the same VIDEO_DIR
    ├── JobRefused                 a job that is not ours to run: other function, path out of video/, unknown option
    └── QueueUnavailable           Redis is away or refuses us (retried at run time)

Programs end with :data:`EXIT_OK`, :data:`EXIT_FAILED` or :data:`EXIT_USAGE` (docs/contracts.md).
"""

from __future__ import annotations

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2


class VcamError(Exception):
    """Base of the tree. ``str(error)`` is one line fit for a person: what is wrong, and the remedy."""


class SettingError(VcamError):
    """A setting (environment variable, TOML key or argument) has a value we cannot work with."""


class SourceError(VcamError):
    """One connection to a camera failed or ended; the caller decides when to try again."""


class SourceRefused(SourceError):
    """Nobody answers at the address: refused, unreachable, timed out or unknown host."""


class SourceUnauthorized(SourceError):
    """The camera wants a user name and password that the URL lacks or has wrong."""


class SourceStalled(SourceError):
    """The connection stands, but no packet has come for too long."""


class SourceEnded(SourceError):
    """The camera closed the stream, or a file came to its end."""


class ClipError(VcamError):
    """The clip itself is at fault (empty, corrupt, no video): a retry would give the same."""


class ClipMissing(VcamError):
    """The clip's file is not there. It may show up: network mounts lag behind the queue."""


class FormatError(VcamError):
    """A file of the shared volume is of a version that this program does not know, or damaged as a whole."""


class ZonesChanged(VcamError):
    """A camera's zones were saved by somebody else since they were read to be changed."""


class NotWritten(VcamError):
    """The shared volume does not take the outcome of a run. No clip is at fault, and it may last for hours."""


class VolumeInUse(VcamError):
    """Another program of the same kind holds the shared volume."""


class ClipGrowing(ClipMissing):
    """The clip's file is still being written. It is tried again, as often as it takes."""


class ModelError(VcamError):
    """The weights file is missing, unreadable, or no detection model of a kind we know."""


class ReaderMissing(VcamError):
    """An engine that reads text is not there; the line says how to add it."""


class ReadingFailed(VcamError):
    """An engine could not read a picture; the next one may go well."""


class PluginFailed(VcamError):
    """A module of people's own is missing, is wrong or failed; the line names its file, and the line in it.

    Attributes:
        kind: of the error, such as the name of its class: the text may differ each time.
    """

    def __init__(self, text: str, kind: str = "") -> None:
        super().__init__(text)
        self.kind = kind


class JobRefused(VcamError):
    """A job the worker will not run, whatever the queue says."""


class QueueUnavailable(VcamError):
    """Redis cannot be reached, or it refuses our password."""
