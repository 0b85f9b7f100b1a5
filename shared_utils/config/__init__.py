"""Settings and the files that people edit, read and validated."""

from shared_utils.former_names import former_attributes

__getattr__ = former_attributes(
    __name__,
    {
        "LogSettings": "shared_utils.config.log",
        "RedisSettings": "shared_utils.config.redis",
        "check_time_zone": "shared_utils.config.log",
        "video_dir": "shared_utils.config.folders",
    },
)
"""What moved from here when this became a room: notebooks of users import it from here."""
